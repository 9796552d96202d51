/** Running the function of a transaction again: after what, and how often; of one database and of several. */
import { invalid, VarveError } from '../base/errors.ts';

/** Can running the function again help? */
export function mayGoThrough(error: unknown): boolean {
  return error instanceof VarveError && error.kind === 'conflict' && error.code !== 'PREPARED_ID_USED';
}

/** @throws invalid `OPTION_INVALID` */
export function checkRetries(what: string, retriesMax: number): void {
  if (Number.isInteger(retriesMax) && retriesMax >= 0) return;
  const message = `${what}: retriesMax is a whole number, 0 or more; got ${String(retriesMax)}`;
  throw invalid('OPTION_INVALID', message, { option: 'retriesMax', got: retriesMax });
}
