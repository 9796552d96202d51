/**
 * Assertions on our own promises. They stay on in production: each costs one compare, and a broken promise found early
 * is an error report while one found late is lost data. Bad input of callers is not asserted, it is refused as `invalid`.
 */
import { internal } from './errors.ts';

/** Throws an `internal` error unless `condition` holds. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw internal(message);
}
