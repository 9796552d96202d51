/** Pausing compactions, hours of the day for them, aborting one and following its progress. */
import type { CompactionProgress, Database, DatabaseOptions, Keyspace } from 'varve';
import { FaultFs, MemoryFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';
import { key, small } from './small-tables.ts';

interface World {
  readonly db: Database;
  readonly data: Keyspace<string, string>;
  readonly time: ManualScheduler;
  readonly fs: FaultFs;
  readonly disk: MemoryFs;
  readonly reasons: string[];
}

async function world(options: DatabaseOptions = {}): Promise<World> {
  const time = new ManualScheduler();
  const disk = new MemoryFs();
  const fs = new FaultFs(disk);
  const db = await time.open(
    '/db',
    { fileSystem: fs, sync: 'manual', defragment: false, ...options },
    { sliceMs: 0 },
  );
  onTestFinished(() => db.close().catch(() => undefined));
  const data = db.keyspace('data', small);
  const reasons: string[] = [];
  db.events.addEventListener('compaction', (event) =>
    reasons.push((event as CustomEvent<{ reason: string }>).detail.reason),
  );
  return { db, data, time, fs, disk, reasons };
}

interface CompactionDetail {
  fromLevel: number;
  toLevel: number;
  bytesIn: number;
}

async function flushes({ data, db, time }: World, count: number, text = 'v'): Promise<void> {
  for (let round = 0; round < count; round++) {
    for (let i = 0; i < 100; i++) data.put(key(i), text.repeat(100));
    await time.run(db.flush());
    await time.settle();
  }
}

/** Until a compaction runs. */
async function begun({ db, time }: World): Promise<void> {
  for (let turn = 0; db.levels().running.length === 0; turn++) {
    expect(turn).toBeLessThan(20_000);
    await time.turn();
  }
}

const tablesOf = ({ disk }: World): string[] => disk.list('/db').filter((name) => name.endsWith('.sst'));
const level0 = ({ db }: World): number => db.stats().keyspaces['data']!.levels[0]!.files;

test('what a compaction itself has merged into the deepest level is not rewritten; what was there is', async () => {
  const here = await world();
  const merges: [number, number, number][] = [];
  here.db.events.addEventListener('compaction', (event) => {
    const { fromLevel, toLevel, bytesIn } = (event as CustomEvent<CompactionDetail>).detail;
    merges.push([fromLevel, toLevel, Math.sign(bytesIn)]);
  });
  await flushes(here, 3);
  await here.time.run(here.db.compact());
  expect(merges).toEqual([[0, 6, 1]]);
  const written = tablesOf(here);
  await here.time.run(here.db.compact());
  expect(merges).toEqual([
    [0, 6, 1],
    [6, 6, 1],
  ]);
  expect(tablesOf(here).some((name) => written.includes(name))).toBe(false);
});

test('a merge that began under a snapshot is rewritten by a compaction that comes after the snapshot', async () => {
  const here = await world();
  here.db.pauseCompaction();
  await flushes(here, 1, 'old');
  const snapshot = here.db.snapshot();
  await flushes(here, 3, 'new');
  here.db.resumeCompaction();
  await begun(here);
  snapshot.close();
  await here.time.run(here.db.compact());
  expect(here.db.stats().keyspaces['data']!.entries).toBe(100);
});

describe('a pause', () => {
  test('keeps compactions from starting, and a resume has them go on', async () => {
    const here = await world();
    here.db.pauseCompaction();
    await flushes(here, 8);
    await here.time.advance(60_000);
    expect([here.reasons, level0(here), here.db.levels().isPaused]).toEqual([[], 8, true]);
    here.db.resumeCompaction();
    await here.time.settle();
    expect([here.reasons, level0(here), here.db.levels().isPaused]).toEqual([['level0-files'], 0, false]);
  });

  test('lets end what runs', async () => {
    const here = await world();
    here.db.pauseCompaction();
    await flushes(here, 4);
    here.db.resumeCompaction();
    expect(here.db.levels().running).toHaveLength(1);
    here.db.pauseCompaction();
    await here.time.settle();
    expect(here.reasons).toEqual(['level0-files']);
  });

  test('needs as many resumes', async () => {
    const here = await world();
    here.db.pauseCompaction();
    here.db.pauseCompaction();
    await flushes(here, 4);
    here.db.resumeCompaction();
    await here.time.settle();
    expect(level0(here)).toBe(4);
    here.db.resumeCompaction();
    await here.time.settle();
    expect(level0(here)).toBe(0);
  });

  test('is no pause for db.compact()', async () => {
    const here = await world();
    here.db.pauseCompaction();
    await flushes(here, 2);
    await here.time.run(here.db.compact());
    expect(level0(here)).toBe(0);
  });
});

describe('hours of the day', () => {
  /** As the clock on the wall has it. */
  const hhmm = (time: number): string => {
    const date = new Date(time);
    return `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`;
  };
  const tiered = { ...small, compaction: { strategy: 'tiered', runs: 3 } } as const;
  const HOUR = 3_600_000;

  test('hold up what can wait, and it is done when they begin, though nobody writes', async () => {
    const now = new ManualScheduler().clock.now();
    const compactionWindows = [{ from: hhmm(now + 3 * HOUR), to: hhmm(now + 4 * HOUR) }];
    const here = await world({ compactionWindows });
    here.db.keyspace('data', tiered);
    await flushes(here, 4);
    await here.time.advance(2.9 * HOUR);
    expect([here.reasons, level0(here)]).toEqual([[], 4]);
    await here.time.advance(0.2 * HOUR);
    expect(here.reasons).toEqual(['run-size']);
  });

  test('do not hold up level 0 of the strategy leveled', async () => {
    const now = new ManualScheduler().clock.now();
    const here = await world({
      compactionWindows: [{ from: hhmm(now + 3 * HOUR), to: hhmm(now + 4 * HOUR) }],
    });
    await flushes(here, 4);
    expect(here.reasons).toEqual(['level0-files']);
  });

  test('have no timer wait when nothing has to', async () => {
    const now = new ManualScheduler().clock.now();
    const here = await world({
      compactionWindows: [{ from: hhmm(now + 3 * HOUR), to: hhmm(now + 4 * HOUR) }],
    });
    here.db.keyspace('data', tiered);
    await flushes(here, 2);
    await here.time.advance(60_000);
    expect(here.time.pending).toBe(0);
  });

  test('that are open hold up nothing', async () => {
    const now = new ManualScheduler().clock.now();
    const here = await world({ compactionWindows: [{ from: hhmm(now - HOUR), to: hhmm(now + HOUR) }] });
    here.db.keyspace('data', tiered);
    await flushes(here, 3);
    expect(here.reasons).toEqual(['run-size']);
  });
});

describe('db.compact()', () => {
  test('aborted in the middle rejects, leaves the tables as they were and none of its own', async () => {
    const here = await world();
    await flushes(here, 3);
    const before = tablesOf(here);
    const abort = new AbortController();
    const compact = here.db.compact({ signal: abort.signal });
    const refused = expectRefusal(() => compact, 'ABORTED', 'busy');
    await begun(here);
    // A table of its own is there by now.
    for (let turn = 0; tablesOf(here).length === before.length; turn++) {
      expect(turn).toBeLessThan(20_000);
      await here.time.turn();
    }
    abort.abort(new Error('enough'));
    const error = await here.time.run(refused);
    expect(error.cause).toEqual(new Error('enough'));
    await here.time.settle();
    expect(tablesOf(here)).toEqual(before);
    expect(here.data.get(key(7))).toBe('v'.repeat(100));
    await here.time.run(here.db.compact());
    expect(level0(here)).toBe(0);
  });

  test('aborted while it waits for its turn rejects then, not when the other one has ended', async () => {
    const here = await world({ workers: 1 });
    for (let i = 0; i < 5000; i++) here.data.put(key(i), 'v'.repeat(100));
    await here.time.run(here.db.flush());
    const first = here.db.compact();
    await begun(here);
    const abort = new AbortController();
    let ended = '';
    const second = here.db.compact({ signal: abort.signal }).catch(() => (ended ||= 'second'));
    void first.then(() => (ended ||= 'first'));
    for (let i = 0; i < 20; i++) await here.time.turn();
    expect(ended).toBe('');
    abort.abort();
    await here.time.run(second);
    expect(ended).toBe('second');
    await here.time.run(first);
  });

  test.each(['compact', 'reclaim'] as const)(
    '%s aborted while it waits for a flush that finds the disk full rejects then',
    async (what) => {
      const here = await world();
      here.data.put(key(1), 'v'.repeat(10_000));
      here.fs.freeBytes = 0;
      const abort = new AbortController();
      const refused = expectRefusal(() => here.db[what]({ signal: abort.signal }), 'ABORTED', 'busy');
      await here.time.advance(5000);
      abort.abort();
      await here.time.run(refused);
      expect(level0(here)).toBe(0);
      here.fs.freeBytes = undefined;
      await here.time.run<unknown>(here.db[what]());
      expect(here.data.get(key(1))).toBe('v'.repeat(10_000));
    },
  );

  test('tells how far it is, never less than before, and at the end that it is done', async () => {
    const here = await world();
    await flushes(here, 3);
    const told: CompactionProgress[] = [];
    const compact = here.db.compact({ onProgress: (progress) => told.push({ ...progress }) });
    await begun(here);
    // A quarter of a second passes while it runs.
    for (let i = 0; i < 3; i++) await here.time.turn();
    await here.time.advance(300);
    await here.time.run(compact);
    expect(told.length).toBeGreaterThan(1);
    for (const [i, { bytes, compactions }] of told.entries()) {
      expect(bytes).toBeGreaterThanOrEqual(told[i - 1]?.bytes ?? 0);
      expect(compactions).toBeGreaterThanOrEqual(told[i - 1]?.compactions ?? 0);
    }
    expect(told.at(-1)).toMatchObject({ keyspace: 'data', isDone: true });
    expect(told.findIndex(({ isDone }) => isDone)).toBe(told.length - 1);
  });

  test('of a keyspace that is dropped meanwhile resolves', async () => {
    const here = await world();
    await flushes(here, 3);
    const compact = here.db.compact();
    await begun(here);
    await here.time.run(here.db.dropKeyspace('data'));
    await here.time.run(compact);
    await here.time.settle();
    expect(tablesOf(here)).toEqual([]);
  });
});

describe('db.levels()', () => {
  test('shows tables, what runs and the last decisions, newest first', async () => {
    const here = await world();
    here.db.pauseCompaction();
    await flushes(here, 4);
    here.db.resumeCompaction();
    const during = here.db.levels();
    expect(during.running).toMatchObject([
      { keyspace: 'data', kind: 'merge', reason: 'level0-files', files: 4, jobs: 1 },
    ]);
    expect(during.keyspaces['data']!.levels[0]!.tables.map(({ isBusy }) => isBusy)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    await here.time.settle();
    await here.time.run(here.db.compact());
    const after = here.db.levels();
    expect(after.running).toEqual([]);
    expect(after.decisions.map(({ reason }) => reason)).toEqual(['manual', 'level0-files']);
    expect(after.keyspaces['data']).toMatchObject({ strategy: 'leveled', memtableBytes: 0 });
  });

  test('remembers no more than the last 50 decisions', async () => {
    const here = await world();
    await flushes(here, 1);
    await here.time.run(here.db.compact());
    for (let i = 0; i < 60; i++) await here.time.run(here.db.compact());
    expect(here.db.levels().decisions).toHaveLength(50);
  });
});

test('a strategy that is changed in the middle of a compaction lets that end, and goes on by the new one', async () => {
  const here = await world();
  here.db.pauseCompaction();
  await flushes(here, 5);
  here.db.resumeCompaction();
  await begun(here);
  here.db.keyspace('data', { ...small, compaction: { strategy: 'tiered', runs: 2 } });
  await flushes(here, 2, 'w');
  await here.time.settle();
  expect(here.reasons[0]).toBe('level0-files');
  expect(here.reasons.slice(1).every((reason) => ['run-size', 'run-count', 'space'].includes(reason))).toBe(
    true,
  );
  here.db.keyspace('data', { ...small, compaction: { strategy: 'fifo', bytesMax: 10_000_000 } });
  here.db.keyspace('data', { ...small, compaction: { strategy: 'hybrid' } });
  await flushes(here, 3, 'x');
  expect([...here.data.range().values()]).toEqual(Array.from({ length: 100 }, () => 'x'.repeat(100)));
  expect((await here.time.run(here.db.verify())).problems).toEqual([]);
});
