/** What the parent tells the process that a rig's threads run in. Plain data. */
import type { DatabaseOptions } from 'varve';
import type { Random } from 'varve/testing';

export interface SessionsOrders {
  readonly kind: 'sessions';
  readonly path: string;
  readonly seed: number;
  readonly terminations: number;
  readonly writers: number;
}

export interface KillOrders {
  readonly kind: 'kill';
  readonly path: string;
  readonly seed: number;
  readonly writers: number;
  readonly firstLife: number;
  readonly models: readonly { readonly a: [string, string][]; readonly b: [string, string][] }[];
}

export type HostOrders = SessionsOrders | KillOrders;

/** The file in which the writer of a range notes what it was told. */
export function journalOf(path: string, range: number): string {
  return `${path}.journal-${range}`;
}

/** Another one: how many operations it was told to be with the system. */
export function promisesOf(path: string, range: number): string {
  return `${path}.promises-${range}`;
}

const KIB = 1024;

/** Sizes so small that flushes, compactions, evictions and new log segments happen all the time. */
export function optionsOf(random: Random): DatabaseOptions {
  return {
    memtableBytesMax: random.pick([1024, 2048, 4096]) * KIB,
    cacheBytesMax: random.pick([256, 1024, 4096]) * KIB,
    logBytesMax: random.pick([512, 2048]) * KIB,
    batchBytesMax: 2048 * KIB,
    openFilesMax: random.pick([40, 200]),
    pressure: random.pick(['slow', 'block', 'fail'] as const),
    sync: random.pick(['manual', { everyN: 200, intervalMs: 50 }, { everyN: 20 }, 'everyWrite'] as const),
    workers: 1,
    keyspaceDefaults: {
      memtableBytes: random.pick([64, 128, 512]) * KIB,
      blockBytes: random.pick([1024, 4096]),
      compression: random.pick(['none', 'lz4'] as const),
      tableBytes: random.pick([64, 256]) * KIB,
      ...random.pick([{}, { blobValueBytes: 64 }]),
      levelRatio: 4,
      compaction: { strategy: 'leveled', level0Files: random.pick([2, 4]), level1Bytes: 256 * KIB },
    },
  };
}
