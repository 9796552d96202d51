import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { runParts } from './longrun.ts';
import { parseLongrun } from './options.ts';
import { measureDeletes } from './parts/deletes.ts';
import { measureForeground } from './parts/foreground.ts';
import { measureLoop } from './parts/loop.ts';
import { mixedFigures, runMixed } from './parts/mixed.ts';
import { overload, type Overloaded, overloadFigures } from './parts/overload.ts';
import { measureSeek } from './parts/seek.ts';
import { measureSpace } from './parts/space.ts';
import { measureThroughput } from './parts/throughput.ts';
import { fillForWriteamp, rivalFlags, writeampFigures } from './parts/writeamp.ts';
import type { Sizes } from './sizes.ts';

const root = mkdtempSync(join(tmpdir(), 'varve-longrun-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const MIB = 2 ** 20;
/** So small that a part takes a fraction of a second; what it measures says nothing. */
const sizes: Sizes = {
  ...parseLongrun(['--quick'])!.sizes,
  puts: 5_000,
  keys: 3_000,
  deletes: 1_000,
  overwrites: 1,
  readMs: 20,
  overloadMs: 50,
  mixedMs: 200,
  returnMs: 10,
  restMs: 200,
  memtableBytes: MIB / 4,
  cacheBytes: 8 * MIB,
};

let path = '';
beforeEach(() => {
  path = mkdtempSync(join(root, 'part-'));
});

test('parts are named, run in their own order, and unknown ones are refused', () => {
  expect(parseLongrun(['seek,writeamp'])!.parts).toEqual(['writeamp', 'seek']);
  expect(parseLongrun([])!.parts).toHaveLength(9);
  expect(() => parseLongrun(['writeam'])).toThrow('Did you mean writeamp?');
  expect(() => parseLongrun(['--minutes', '0'])).toThrow('give a number above 0');
  expect(parseLongrun(['--minutes', '0.5'])!.sizes).toMatchObject({ overloadMs: 30_000, mixedMs: 30_000 });
});

test('only the full sizes are what is asked for', () => {
  expect(parseLongrun([])!.isFull).toBe(true);
  for (const less of [['--quick'], ['--puts', '1000000'], ['--minutes', '1']])
    expect(parseLongrun(less)!.isFull).toBe(false);
});

test('throughput merges level 0 into the level below, once a round for each codec', async () => {
  const figures = await measureThroughput(path, sizes);
  expect(figures.map(({ name }) => name)).toEqual([
    'compaction, one thread, none',
    'compaction, one thread, lz4',
  ]);
});

test('write amplification counts flush and compaction, not the log, over keys and values', async () => {
  const own = await fillForWriteamp(path, sizes);
  expect(own.written.flush).toBeGreaterThan(0);
  const written = { user: 1, log: 900_000, flush: 580_000, compaction: 1_160_000, ingest: 0 };
  const figures = writeampFigures({ ...own, written }, 2_900_000, sizes);
  expect(figures.map(({ value, verdict }) => [value, verdict])).toEqual([
    [3, 'met'],
    [3, 'met'],
  ]);
  expect(writeampFigures({ ...own, written }, undefined, sizes)[1]!.verdict).toBe('-');
});

test('db_bench gets the same puts and levels', () => {
  const flags = rivalFlags('some/where', sizes);
  for (const flag of [
    '--num=5000',
    '--write_buffer_size=262144',
    '--max_bytes_for_level_multiplier=10',
    '--level_compaction_dynamic_level_bytes=true',
  ])
    expect(flags).toContain(flag);
});

test('space is measured for leveled compaction at the least', async () => {
  const figures = await measureSpace(path, sizes);
  expect(figures[0]!.name).toBe('space amplification after 1 rounds of overwriting, leveled');
  expect(figures[0]!.value).toBeGreaterThanOrEqual(0.99);
});

test.each([
  ['deletes', measureDeletes, 1],
  ['seek', measureSeek, 4],
  ['foreground', measureForeground, 2],
  ['loop', measureLoop, 3],
] as const)('the part %s has its figures', async (_name, measure, count) => {
  expect(await measure(path, sizes)).toHaveLength(count);
});

test.each(['slow', 'block', 'fail'] as const)(
  'after overload with %s the database is whole',
  async (pressure) => {
    const measured = await overload(path, sizes, pressure);
    expect(measured.problems).toBe(0);
    expect(measured.awaited + measured.puts + measured.refused).toBeGreaterThan(0);
  },
);

test('memory of the process over what it was before opening, and what the engine accounts for, are held against the budget', () => {
  const measured: Overloaded = {
    pressure: 'slow',
    resident: { bare: 50e6, warm: 100e6, most: 170e6, accounted: 90e6 },
    budgetBytes: 100e6,
    awaitedMsMax: 5,
    syncMsMax: 301,
    awaited: 1,
    puts: 1,
    refused: 0,
    level0FilesMax: 1,
    stats: { delayed: 0, blocked: 0, failed: 0 },
    problems: 0,
  };
  expect(overloadFigures(measured).map(({ value, verdict }) => [value, verdict])).toEqual([
    [120, 'MISSED'],
    [90, 'met'],
    [5, 'met'],
    [301, 'MISSED'],
    [0, 'met'],
  ]);
});

test('the mixed run reads what it has written', async () => {
  const mixed = await runMixed(path, sizes);
  expect(mixed.wrong).toEqual([]);
  expect(mixed.problems).toBe(0);
  expect(mixed.checked).toBeGreaterThan(0);
  const [reads] = mixedFigures({ ...mixed, wrong: ['model: key 1 has 0, 2 was written'] });
  expect(reads).toMatchObject({ verdict: 'MISSED', value: 1 });
});

test('each part runs in a process of its own, and leaves nothing behind', async () => {
  const options = { ...parseLongrun(['writeamp', '--quick'])!, sizes, db: path };
  const { figures, failures } = await runParts(
    options,
    () => Promise.resolve(undefined),
    new AbortController().signal,
    () => {},
  );
  expect(failures).toEqual([]);
  expect(figures).toHaveLength(2);
  expect(readdirSync(path)).toEqual(['.made-by-varve-bench-longrun']);
});
