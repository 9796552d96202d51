/**
 * A change of the model, written to the database: by itself, or into a batch.
 */
import type { Batch, PutOptions } from 'varve';
import type { TextKeyspace } from './check.ts';
import type { Change } from './model.ts';

/** Returns its sequence. */
export function writeChange(keyspace: TextKeyspace, change: Change, options: PutOptions | undefined): number {
  switch (change.kind) {
    case 'put':
      return keyspace.put(change.key, change.value, options);
    case 'merge':
      return keyspace.merge(change.key, change.operand);
    case 'delete':
      return keyspace.delete(change.key);
    case 'deleteRange':
      return keyspace.deleteRange({ gte: change.from, lt: change.to });
  }
}

export function addChange(
  batch: Batch,
  keyspace: TextKeyspace,
  change: Change,
  options: PutOptions | undefined,
): void {
  if (change.kind === 'put') batch.put(keyspace, change.key, change.value, options);
  else if (change.kind === 'merge') batch.merge(keyspace, change.key, change.operand);
  else if (change.kind === 'delete') batch.delete(keyspace, change.key);
  else batch.deleteRange(keyspace, { gte: change.from, lt: change.to });
}
