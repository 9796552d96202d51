/**
 * What a life writes in a transaction that is larger than a batch: puts that are large together, then a few more puts, deletes
 * and merges, to the same keys as well.
 */
import type { Database, Transaction } from 'varve';
import type { Random } from 'varve/testing';
import type { TextKeyspace } from './check.ts';
import type { Change } from './model.ts';
import { type LifeSettings, randomKey } from './workload.ts';

/** Bytes of its values: more than `batchBytesMax` where there are such transactions. */
const BYTES = 110 * 1024;

export interface LargeWrites {
  readonly tx: Transaction;
  readonly changes: readonly Change[];
}

/** Begun, and not committed. */
export function largeWrites(
  db: Database,
  all: readonly TextKeyspace[],
  random: Random,
  settings: LifeSettings,
): LargeWrites {
  const keyspaces = random.oneIn(3) ? [random.pick(all)] : all;
  const puts = random.pick([3, 40, 300]);
  const tx = db.begin({ isolation: 'snapshot' });
  const changes: Change[] = [];
  for (let i = 0; i < 2 * puts; i++) {
    const keyspace = random.pick(keyspaces);
    const { name } = keyspace;
    const key = randomKey(random, settings);
    const roll = i < puts ? 0 : random.below(4);
    if (roll < 2) {
      const value = `large-${random.u32()}-${'l'.repeat(i < puts ? Math.ceil(BYTES / puts) : 0)}`;
      changes.push({ kind: 'put', keyspace: name, key, value, ttlMs: settings.keyspace.ttlMs });
      tx.put(keyspace, key, value);
    } else if (settings.merges && roll === 2) {
      const operand = `+${random.below(1000)}`;
      changes.push({ kind: 'merge', keyspace: name, key, operand });
      tx.merge(keyspace, key, operand);
    } else {
      changes.push({ kind: 'delete', keyspace: name, key });
      tx.delete(keyspace, key);
    }
  }
  return { tx, changes };
}
