/**
 * Values that expire: what is stored of a put with a time to live (KIND_PUT_EXPIRY).
 *
 *   offset  size  type   field               PERSISTED
 *        0     8  u64    expiry              milliseconds since 1970 by the stored clock (engine/stored-clock.ts)
 *        8        bytes  value               what the user put
 *
 * An entry is there for readers before its expiry and absent for all from that millisecond on; what is older than it stays
 * hidden. Between a put and its batch's commit the first field holds the time to live instead: `stampExpiry` makes it a
 * time. Decoders check with `isExpiryIntact` before the field is believed.
 */
import { getU64, putU64 } from './fixed.ts';

export const EXPIRY_BYTES = 8;
/** A later expiry is this one: for any clock that is never. */
const EXPIRY_MAX: number = Number.MAX_SAFE_INTEGER;

/** The value with room for its expiry, which is `ttlMs` from when it is stamped. */
export function withTtl(value: Uint8Array, ttlMs: number): Uint8Array {
  const stored = new Uint8Array(EXPIRY_BYTES + value.length);
  putU64(stored, 0, ttlMs);
  stored.set(value, EXPIRY_BYTES);
  return stored;
}

/** Stores at `at` that the entry expires `ttlMs` after `time`. */
export function stampExpiry(bytes: Uint8Array, at: number, ttlMs: number, time: number): void {
  putU64(bytes, at, ttlMs < EXPIRY_MAX - time ? time + ttlMs : EXPIRY_MAX);
}

/** The expiry of the stored value that begins at `start`; its time to live before it was stamped. */
export function expiryOf(bytes: Uint8Array, start: number): number {
  return getU64(bytes, start);
}

/** Is it absent for a reader at `time`? */
export function isExpired(bytes: Uint8Array, start: number, time: number): boolean {
  return getU64(bytes, start) <= time;
}

/** Does [start, end) begin with an expiry? */
export function isExpiryIntact(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start >= EXPIRY_BYTES && getU64(bytes, start) <= EXPIRY_MAX;
}
