import { expect, test } from 'vitest';
import type { Engine, Mode, State } from './job.ts';
import { judge } from './judge.ts';
import { bestOf, figuresOf, median, quietness, type Sample } from './results.ts';
import {
  formatLoaded,
  formatModes,
  formatQuietness,
  formatRates,
  formatRatios,
  formatVerdicts,
} from './table.ts';
import { targets } from './targets.ts';
import { workloadNames } from './groups.ts';

/** A sample per rate, as many rounds as there are rates. */
function samples(engine: Engine, mode: Mode, workload: string, state: State, ...rates: number[]): Sample[] {
  return rates.map((opsPerSecond, round) => ({
    engine,
    mode,
    workload,
    state,
    round,
    opsPerSecond,
    operations: 1_000,
    seconds: 1_000 / opsPerSecond,
    machineSpeed: 100 - 10 * round,
  }));
}

const figures = figuresOf([
  ...samples('varve', 'tick', 'fillrandom', 'written', 500, 90_000, 600),
  ...samples('varve', 'put', 'fillrandom', 'written', 450, 440, 460),
  ...samples('db_bench', 'plain', 'fillrandom', 'written', 200, 200, 200),
  ...samples('db_bench', 'manual_wal_flush', 'fillrandom', 'written', 400, 400, 400),
  ...samples('lmdb', 'batch', 'fillrandom', 'written', 100, 100, 100),
  ...samples('lmdb', 'single', 'fillrandom', 'written', 150, 150, 150),
  ...samples('varve', 'tick', 'readseq', 'loaded', 1_000),
  ...samples('varve', 'tick', 'readseq', 'compacted', 9_000),
  ...samples('varve', 'tick', 'readseq-objects', 'compacted', 3_000),
  ...samples('lmdb', 'batch', 'readseq', 'loaded', 900),
  ...samples('lmdb', 'batch', 'readseq', 'compacted', 1_200),
]);

const words = (text: string): string[] => text.split('\n').map((line) => line.split(/\s+/).join(' ').trim());

test('the median of the rounds counts', () => {
  expect(median([1, 2, 3])).toBe(2);
  expect(median([1, 2, 4, 100])).toBe(3);
  const wanted = { engine: 'varve', workload: 'fillrandom', state: 'written', mode: 'tick' } as const;
  expect(bestOf(figures, wanted)).toMatchObject({ median: 600, least: 500, most: 90_000 });
});

test('rates stand in a row per workload, of a peer those of its best mode', () => {
  expect(words(formatRates(figures))).toEqual([
    'ops/s varve db_bench lmdb',
    'fillrandom 600 200 150',
    'readseq 9,000 - 1,200',
    'readseq-objects 3,000 - 1,200',
  ]);
});

test('ratios are those of the compacted state, objects against the only form of a peer', () => {
  expect(words(formatRatios(figures))).toEqual([
    'Varve is ... times db_bench lmdb',
    'fillrandom 3.00x 4.00x',
    'readseq - 7.50x',
    'readseq-objects - 2.50x',
  ]);
});

test('the plain get of Varve stands beside a get that lends', () => {
  const lookups = figuresOf([
    ...samples('varve', 'tick', 'readrandom', 'compacted', 300),
    ...samples('lmdb', 'batch', 'readrandom', 'compacted', 100),
    ...samples('lmdb', 'batch', 'readrandom-nocopy', 'compacted', 200),
  ]);
  expect(words(formatRatios(lookups))).toEqual([
    'Varve is ... times lmdb',
    'readrandom 3.00x',
    'readrandom-nocopy 1.50x',
  ]);
});

test('reads as loaded and the ways of writing have tables of their own', () => {
  expect(words(formatLoaded(figures))).toEqual([
    'ops/s as loaded varve db_bench lmdb',
    'readseq 1,000 - 900',
  ]);
  expect(words(formatModes(figures))).toEqual([
    'ops/s by writing fillrandom',
    'varve tick 600',
    'varve put 450',
    'db_bench plain 200',
    'db_bench manual 400',
    'lmdb batch 100',
    'lmdb single 150',
  ]);
});

test('targets are judged over the one they name and said to be met or missed', () => {
  expect(words(formatVerdicts(judge(figures)))).toEqual([
    'target over asked is',
    'fillrandom db_bench 2.50x 3.00x met',
    'fillrandom db_bench --manual_wal_flush 2.00x 1.50x MISSED',
    'fillrandom best Node peer: lmdb 2.50x 4.00x met',
    'readseq best Node peer: lmdb 8.00x 7.50x MISSED',
    'readseq-objects best Node peer: lmdb 3.00x 2.50x MISSED',
    '2 of 5 targets met',
  ]);
});

test('every target names workloads that are compared', () => {
  for (const { workload, against } of targets) {
    expect(workloadNames).toContain(workload);
    if (against !== undefined) expect(workloadNames).toContain(against);
  }
});

test('a machine that was not quiet is said', () => {
  const quiet = quietness(samples('lmdb', 'batch', 'readseq', 'loaded', 1, 2, 3));
  expect(quiet).toEqual({ slowest: 0.8, median: 0.9 });
  expect(formatQuietness(quiet)).not.toContain('NOT QUIET');
  expect(formatQuietness({ slowest: 0.5, median: 0.9 })).toContain('ran at 50 % of its best at the slowest');
  expect(formatQuietness({ slowest: 0.5, median: 0.9 })).toContain('NOT QUIET');
  expect(quietness([])).toEqual({ slowest: 1, median: 1 });
});
