/**
 * What a transaction is refused with because of what somebody else has written, or because of its size.
 */
import { VarveError } from '../base/errors.ts';
import type { Session } from '../engine/core.ts';
import type { BatchBuffer } from '../record/batch.ts';
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

/** @throws invalid `BATCH_TOO_LARGE` that says how a transaction of this size is committed */
export function checkSize({ pipeline, owner }: Session, batch: BatchBuffer): void {
  if (!pipeline.isLarge(batch)) return;
  const instead =
    owner === undefined
      ? '; the thread that opened the database commits more in one transaction'
      : '; a larger transaction is committed when it is awaited: await tx.commit({ durability }), or db.transaction';
  throw pipeline.tooLarge(batch.length, instead);
}
