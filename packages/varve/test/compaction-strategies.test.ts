/** Each strategy keeps the right contents and the shape that it promises. */
import type {
  CompactionFile,
  CompactionPicker,
  CompactionProgress,
  Database,
  Keyspace,
  KeyspaceOptions,
} from 'varve';
import { MemoryFs, Random } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { key, small } from './small-tables.ts';

type Options = KeyspaceOptions<string, string>;

interface World {
  readonly db: Database;
  readonly data: Keyspace<string, string>;
  readonly time: ManualScheduler;
  readonly reasons: string[];
  readonly warnings: { code: string; message: string }[];
}

async function world(compaction: Options['compaction'], more: Options = {}): Promise<World> {
  const time = new ManualScheduler();
  const db = await time.open('/db', {
    fileSystem: new MemoryFs(),
    sync: 'manual',
    defragment: { intervalMs: 10_000 },
  });
  onTestFinished(() => db.close().catch(() => undefined));
  const reasons: string[] = [];
  const warnings: World['warnings'] = [];
  const listen = <T>(name: string, to: (detail: T) => void): void =>
    db.events.addEventListener(name, (event) => to((event as CustomEvent<T>).detail));
  listen<{ reason: string }>('compaction', ({ reason }) => reasons.push(reason));
  listen<{ code: string; message: string }>('warning', (warning) => warnings.push(warning));
  const data = db.keyspace('data', { ...small, ...more, ...(compaction !== undefined && { compaction }) });
  return { db, data, time, reasons, warnings };
}

const levelsOf = ({ db }: World): { files: number; bytes: number }[] => db.stats().keyspaces['data']!.levels;

/** Runs as reads meet them. */
function runsOf(here: World): number {
  const [level0, ...deeper] = levelsOf(here);
  return level0!.files + deeper.filter(({ files }) => files > 0).length;
}

/** Random writes, flushed `flushes` times; the map of what should be there. */
async function history(here: World, seed: number, flushes: number): Promise<Map<string, string>> {
  const random = new Random(seed);
  const state = new Map<string, string>();
  for (let flush = 0; flush < flushes; flush++) {
    for (let i = 0; i < 120; i++) {
      const name = key(random.below(1500));
      if (random.oneIn(6)) {
        here.data.delete(name);
        state.delete(name);
      } else {
        const text = `${flush}.${'v'.repeat(random.below(200))}`;
        here.data.put(name, text);
        state.set(name, text);
      }
    }
    await here.time.run(here.db.flush());
    await here.time.settle();
  }
  return state;
}

const sorted = (state: Map<string, string>): [string, string][] =>
  [...state].sort(([a], [b]) => (a < b ? -1 : 1));

const strategies: Readonly<Record<string, Options['compaction']>> = {
  leveled: { strategy: 'leveled', level0Files: 3, level1Bytes: 32 * 1024 },
  tiered: { strategy: 'tiered', runs: 4 },
  hybrid: { strategy: 'hybrid', level0Files: 3, level0Bytes: 128 * 1024, level1Bytes: 64 * 1024 },
};

test.each(Object.keys(strategies))(
  '%s shows what was written, before and after db.compact()',
  async (name) => {
    const here = await world(strategies[name]);
    const state = await history(here, 5, 60);
    expect([...here.data.range()]).toEqual(sorted(state));
    expect(here.reasons.length).toBeGreaterThan(10);
    expect((await here.time.run(here.db.verify())).problems).toEqual([]);
    await here.time.run(here.db.compact());
    expect([...here.data.range()]).toEqual(sorted(state));
  },
);

test('tiered has fewer than its runs when nothing is left to do', async () => {
  const here = await world({ strategy: 'tiered', runs: 4 });
  const random = new Random(3);
  for (let round = 0; round < 12; round++) {
    await history(here, random.below(1000), 1 + random.below(8));
    expect(runsOf(here)).toBeLessThan(4);
  }
});

test('leveled has fewer files in level 0 than start a compaction', async () => {
  const here = await world({ strategy: 'leveled', level0Files: 3, level1Bytes: 32 * 1024 });
  await history(here, 4, 40);
  expect(levelsOf(here)[0]!.files).toBeLessThan(3);
});

test('hybrid gathers in level 0 what level0Bytes says, in few files, before it goes down', async () => {
  const here = await world({ strategy: 'hybrid', level0Files: 3, level0Bytes: 256 * 1024 });
  let largest = 0;
  for (let i = 0; i < 60; i++) {
    await history(here, i, 1);
    const { files, bytes } = levelsOf(here)[0]!;
    expect(files).toBeLessThanOrEqual(3);
    largest = Math.max(largest, bytes);
  }
  expect(largest).toBeGreaterThan(128 * 1024);
  expect(largest).toBeLessThan(256 * 1024);
  expect(here.reasons).toContain('run-size');
  expect(here.reasons).toContain('level0-files');
});

describe('fifo', () => {
  const bytesMax = 200 * 1024;

  /** A flush of 200 keys of their own, about 20 KB. */
  async function part({ db, data, time }: World, number: number): Promise<void> {
    for (let i = 0; i < 200; i++) data.put(key(number * 200 + i), `${number}.${'v'.repeat(100)}`);
    await time.run(db.flush());
    await time.settle();
  }

  test('drops the oldest tables only, and holds bytesMax', async () => {
    const here = await world({ strategy: 'fifo', bytesMax }, { compression: 'none' });
    for (let number = 0; number < 40; number++) {
      await part(here, number);
      expect(levelsOf(here).reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(bytesMax);
    }
    const first = Number([...here.data.range({ limit: 1 }).keys()][0]);
    expect(first % 200).toBe(0);
    expect(first).toBeGreaterThan(25 * 200);
    expect([...here.data.range().keys()]).toEqual(
      Array.from({ length: 40 * 200 - first }, (_, i) => key(first + i)),
    );
    expect(new Set(here.reasons)).toEqual(new Set(['bytes']));
  });

  test('keeps what a snapshot sees until it is closed, and drops it then', async () => {
    const here = await world({ strategy: 'fifo', bytesMax }, { compression: 'none' });
    for (let number = 0; number < 5; number++) await part(here, number);
    const snapshot = here.db.snapshot();
    for (let number = 5; number < 20; number++) await part(here, number);
    await here.time.advance(60_000);
    expect(here.reasons).toEqual([]);
    expect([...snapshot.range(here.data)]).toHaveLength(1000);
    snapshot.close();
    await here.time.advance(60_000);
    expect(levelsOf(here).reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(bytesMax);
    expect(here.data.has(key(0))).toBe(false);
    expect(here.data.has(key(20 * 200 - 1))).toBe(true);
  });

  test('makes one table of a window of time when it is over', async () => {
    const here = await world({ strategy: 'fifo', windowMs: 3_600_000 });
    const start = 3_600_000 - (here.db.levels().time % 3_600_000);
    await here.time.advance(start + 1000);
    for (let number = 0; number < 5; number++) await part(here, number);
    expect(levelsOf(here)[0]!.files).toBe(5);
    await here.time.advance(3_600_000);
    await part(here, 6);
    expect(levelsOf(here)[0]!.files).toBe(2);
    expect(here.reasons).toEqual(['window']);
    expect(here.data.count()).toBe(1200);
  });

  test('keeps the newest table, however large it is', async () => {
    const here = await world({ strategy: 'fifo', bytesMax }, { compression: 'none' });
    await part(here, 0);
    // One batch is one memtable, whatever size that is.
    const batch = here.db.batch();
    for (let i = 0; i < 3000; i++) batch.put(here.data, key(10_000 + i), 'v'.repeat(100));
    here.db.write(batch);
    await here.time.run(here.db.flush());
    await here.time.settle();
    expect(here.data.count()).toBe(3000);
    await part(here, 1);
    expect(here.data.count()).toBe(200);
  });

  test('is not merged over its ages by db.compact(): that does what is due and was held back', async () => {
    const here = await world({ strategy: 'fifo', bytesMax }, { compression: 'none' });
    here.db.pauseCompaction();
    for (let number = 0; number < 12; number++) await part(here, number);
    const told: CompactionProgress[] = [];
    await here.time.run(here.db.compact({ onProgress: (progress) => told.push(progress) }));
    expect(new Set(here.reasons)).toEqual(new Set(['bytes']));
    expect(told.at(-1)).toMatchObject({ keyspace: 'data', compactions: 1, isDone: true });
    const left = levelsOf(here)[0]!.files;
    expect([left > 6, here.data.count()]).toEqual([true, left * 200]);
    here.db.resumeCompaction();
    await part(here, 12);
    expect(here.data.has(key(11 * 200))).toBe(true);
  });

  test('gives back what has expired and what a range delete covers when db.compact() asks for it', async () => {
    const here = await world({ strategy: 'fifo', bytesMax });
    here.db.pauseCompaction();
    for (let i = 0; i < 100; i++) here.data.put(key(i), 'v'.repeat(100), { ttlMs: 1000 });
    await here.time.run(here.db.flush());
    await part(here, 1);
    await part(here, 2);
    here.data.deleteRange({ gte: key(200), lt: key(400) });
    await here.time.run(here.db.flush());
    await here.time.advance(2000);
    await here.time.run(here.db.compact());
    expect(new Set(here.reasons)).toEqual(new Set(['covered', 'expired']));
    expect([here.data.count(), levelsOf(here)[0]!.files]).toEqual([200, 1]);
  });
});

describe('a picker of the user', () => {
  const name = 'mine';

  /** Merges level 0 when it has two files into what overlaps in level 6. */
  const working: CompactionPicker = {
    name,
    pick: ({ levels, isBusy }) => {
      const [level0, deepest] = [levels[0]!, levels[6]!];
      if (level0.length < 2 || [...level0, ...deepest].some((file) => isBusy(file))) return undefined;
      return { files: level0, outputLevel: 6 };
    },
  };

  test('that works is used', async () => {
    const here = await world({ strategy: working });
    const state = await history(here, 9, 20);
    expect(levelsOf(here).map(({ files }) => files > 0)).toEqual([
      false,
      false,
      false,
      false,
      false,
      false,
      true,
    ]);
    expect(new Set(here.reasons)).toEqual(new Set(['custom']));
    expect([...here.data.range()]).toEqual(sorted(state));
    expect(here.db.levels().keyspaces['data']!.strategy).toBe(name);
    expect(here.warnings).toEqual([]);
  });

  const nonsense: Readonly<Record<string, CompactionPicker['pick']>> = {
    'that throws': () => {
      throw new Error('gone');
    },
    'that returns a number': () => 7 as never,
    'that returns what throws': () =>
      ({
        get files(): never {
          throw new Error('gone');
        },
      }) as never,
    'that chooses a file that is not there': () => ({
      files: [{ number: 12_345 } as CompactionFile],
      outputLevel: 6,
    }),
    'that chooses a level that is not there': ({ levels }) =>
      levels[0]!.length < 2 ? undefined : { files: levels[0]!, outputLevel: 7 },
    'that has newer files sink past older ones': ({ levels }) =>
      levels[0]!.length < 2 ? undefined : { files: levels[0]!.slice(0, 1), outputLevel: 6 },
  };

  test.each(Object.keys(nonsense))(
    '%s is told of and not asked again; the keyspace goes on as leveled',
    async (kind) => {
      let asked = 0;
      const pick: CompactionPicker['pick'] = (view) => {
        asked++;
        return nonsense[kind]!(view);
      };
      const here = await world({ strategy: { name, pick } });
      const state = await history(here, 11, 12);
      expect(here.warnings).toMatchObject([{ code: 'PICKER_REJECTED' }]);
      expect(here.warnings[0]!.message).toMatch(
        /^keyspace 'data': the compaction picker 'mine' is not asked any more: /,
      );
      expect(asked).toBeLessThan(5);
      expect(here.reasons).toContain('level0-files');
      expect([...here.data.range()]).toEqual(sorted(state));
      expect(levelsOf(here)[0]!.files).toBeLessThan(4);
    },
  );

  test('is asked again when the keyspace gets other settings', async () => {
    const here = await world({ strategy: { name, pick: nonsense['that throws']! } });
    await history(here, 11, 3);
    expect(here.warnings).toHaveLength(1);
    here.db.keyspace('data', { ...small, compaction: { strategy: working } });
    await history(here, 12, 4);
    expect(here.reasons).toContain('custom');
    expect(here.warnings).toHaveLength(1);
  });
});
