/**
 * What a life is like, drawn from a seed: sizes small enough that a few hundred writes rotate, flush, compact and recycle.
 */
import type { CompactionOption, DatabaseOptions, KeyspaceSettings } from 'varve';
import type { DirectRefusal, MemtableType, Random } from 'varve/testing';
import type { Change } from './model.ts';

/** How a life ends: power loss, SIGKILL, or a clean close. */
export type Ending = 'power' | 'process' | 'closed';

export interface LifeSettings {
  readonly options: DatabaseOptions;
  readonly keyspace: KeyspaceSettings;
  /** What this life keeps in memory and how it reads tables may differ from the life before: files do not depend on it. */
  readonly memtable: MemtableType;
  readonly directRefusal: DirectRefusal;
  readonly actions: number;
  /** How the life before ended. */
  readonly before: Ending;
  readonly ending: Ending;
  /** The machine dies at this operation on the disk, if it lives that long. */
  readonly crashAtOperation: number | undefined;
  /** Counts sync points only. */
  readonly crashAtSync: boolean;
  readonly keys: number;
  readonly valueBytesMax: number;
  /**
   * Every write of the machine is one put of this many value bytes: records of one size, so that in a recycled log segment
   * a stale record begins exactly where the new ones end.
   */
  readonly uniformBytes: number | undefined;
  /** The clock sometimes moves by up to so much at once. */
  readonly pauseMsMax: number;
  /** Of the keyspaces, which change from one to another while they are open. */
  readonly strategies: readonly CompactionOption[];
  /** Now and then the thread of a compaction dies in the middle of it. */
  readonly losesThreads: boolean;
  /** Puts with a time to live of their own, one in so many; 0: none. */
  readonly ttlOneIn: number;
  /** In all lives of the machine there are transactions that are larger than a batch, which takes less than elsewhere. */
  readonly large: boolean;
  /** The machine's keyspaces have a merge operator in all of its lives, and no time to live. */
  readonly merges: boolean;
  /** Now and then somebody sets the wall clock, mostly back. */
  readonly setsClock: boolean;
}

const TTLS_MS = [1, 20, 100, 400, 3000];

/** Value bytes of a machine whose writes all have one size, in all of its lives; most have writes of any size. */
export function randomUniformBytes(random: Random): number | undefined {
  return random.oneIn(3) ? 1500 : undefined;
}

export function randomLife(
  random: Random,
  before: Ending,
  uniformBytes: number | undefined,
  merges: boolean,
  large: boolean,
): LifeSettings {
  const kib = 1024;
  const isUniform = uniformBytes !== undefined;
  const ending: Ending = random.pick(['power', 'power', 'process', 'closed']);
  const memtableBytes = random.pick([64, 128, 256]) * kib;
  const life: LifeSettings = {
    options: {
      sync: random.pick([
        'manual',
        'everyWrite',
        { everyN: 8 },
        { intervalMs: 50 },
        { everyN: 20, intervalMs: 100 },
      ] as const),
      pressure: random.pick(['slow', 'block', 'fail'] as const),
      memtableBytesMax: 1024 * kib,
      memoryBytesMax: 16 * 1024 * kib,
      cacheBytesMax: random.pick([0, 1024 * kib, 4096 * kib]),
      batchBytesMax: (large ? 100 : 1024) * kib,
      // Smaller segments are recycled sooner.
      logBytesMax: isUniform ? 512 * kib : random.pick([1024 * kib, 4096 * kib]),
      timestamps: !random.oneIn(4),
      syncWaitMsMax: 50,
      reads: random.pick(['pread', 'direct', 'mmap'] as const),
    },
    keyspace: {
      // A stored expiry would make records of another size.
      ...(!isUniform && random.oneIn(3) && { ttlMs: random.pick(TTLS_MS) }),
      memtableBytes,
      blockBytes: random.pick([512, 1024, 4096]),
      // Two blooms from 16 bits on, parts from 16 KiB on.
      filterBitsPerKey: random.pick([0, 10, 24, 64]),
      filterPrefixBytes: random.pick([0, 3, 5]),
      compression: random.pick(['none', 'lz4'] as const),
      tableBytes: random.pick([64, 256]) * kib,
      levelRatio: random.pick([2, 4, 10]),
      // None, most values, or only the long ones: files of a life before stay readable.
      ...random.pick([{}, { blobValueBytes: 64 }, { blobValueBytes: 1000 }]),
    },
    memtable: random.pick(['btree', 'skiplist'] as const),
    directRefusal: random.pick(['none', 'none', 'open', 'read'] as const),
    actions: (isUniform ? 250 : 50) + random.below(600),
    before,
    ending,
    crashAtOperation: random.oneIn(3) ? undefined : random.below(random.pick([12, 60, 400])),
    crashAtSync: random.oneIn(2),
    keys: random.pick([20, 200, 2000]),
    valueBytesMax: random.pick([20, 300, 6000]),
    uniformBytes,
    pauseMsMax: 400,
    strategies: Array.from({ length: 3 }, () => randomStrategy(random, memtableBytes)),
    losesThreads: random.oneIn(4),
    ttlOneIn: isUniform ? 0 : random.pick([0, 2, 10]),
    setsClock: random.oneIn(2),
    large,
    merges,
  };
  // Operands do not expire.
  if (merges) delete life.keyspace.ttlMs;
  return life.options.cacheBytesMax === 1024 * kib ? adaptive(life) : life;
}

/** How tables are merged; 'fifo' without a limit, which only gathers the tables of a window of time. */
function randomStrategy(random: Random, memtableBytes: number): CompactionOption {
  const level1Bytes = random.pick([1, 4]) * memtableBytes;
  switch (random.pick(['leveled', 'leveled', 'tiered', 'hybrid', 'fifo'] as const)) {
    case 'leveled':
      return { strategy: 'leveled', level0Files: random.pick([2, 4]), level1Bytes };
    case 'tiered':
      return { strategy: 'tiered', runs: random.pick([2, 4]), spaceAmplificationMax: random.pick([1.2, 2]) };
    case 'hybrid':
      return { strategy: 'hybrid', level0Files: 2, level0Bytes: 4 * memtableBytes, level1Bytes };
    case 'fifo':
      return { strategy: 'fifo', windowMs: random.pick([50, 1000]) };
  }
}

/** The same without sizes of memtables and cache: what is left to adapt does, in a budget of a MiB and in longer pauses. */
function adaptive(life: LifeSettings): LifeSettings {
  const { memtableBytesMax: _, cacheBytesMax: __, ...options } = life.options;
  const { memtableBytes: ___, ...keyspace } = life.keyspace;
  return { ...life, options: { ...options, memoryBytesMax: 1024 * 1024 }, keyspace, pauseMsMax: 4000 };
}

export function randomKey(random: Random, { keys }: { readonly keys: number }): string {
  return `k${String(random.below(keys)).padStart(5, '0')}`;
}

export function randomChange(random: Random, keyspace: string, settings: LifeSettings): Change {
  const key = randomKey(random, settings);
  if (settings.uniformBytes !== undefined) {
    return { kind: 'put', keyspace, key, value: padded(`${random.u32()}`, settings) };
  }
  if (settings.merges && random.oneIn(3)) {
    return { kind: 'merge', keyspace, key, operand: `+${random.below(1000)}` };
  }
  const roll = random.below(20);
  if (roll < 4) return { kind: 'delete', keyspace, key };
  if (roll < 5) {
    const other = randomKey(random, settings);
    const [from, to] = key < other ? [key, other] : [other, key];
    if (from !== to) return { kind: 'deleteRange', keyspace, from, to };
  }
  const filler = 'v'.repeat(random.below(settings.valueBytesMax));
  const { ttlOneIn } = settings;
  const ttlMs = ttlOneIn > 0 && random.oneIn(ttlOneIn) ? random.pick(TTLS_MS) : settings.keyspace.ttlMs;
  return { kind: 'put', keyspace, key, value: `${random.u32()}-${filler}`, ttlMs };
}

/** The text, filled up when all values have one size. */
export function padded(text: string, { uniformBytes }: LifeSettings): string {
  return uniformBytes === undefined ? text : text.padEnd(uniformBytes, '-');
}
