/**
 * What a transaction is refused with because of what somebody else has written.
 */
import { VarveError } from '../base/errors.ts';
import type { Conflict } from './read-set.ts';

/** @param by the transaction that has written it, if it is known */
export function transactionConflict(
  id: number,
  { tree, key, sequence }: Conflict,
  by: number | undefined,
): VarveError {
  const what =
    sequence === undefined ? 'has expired' : `was written${by === undefined ? '' : ` by transaction ${by}`}`;
  const message = `a key of keyspace '${tree.name}' ${what} since transaction ${id} began; it can be tried again`;
  return new VarveError('conflict', 'TRANSACTION_CONFLICT', message, {
    keyspace: tree.name,
    key,
    ...(sequence === undefined ? {} : { sequence }),
    ...(by === undefined ? {} : { transaction: by }),
  });
}
