import { expect, test } from 'vitest';
import { atLeastRival, atMost, atMostRival, milliseconds, times } from './figures.ts';
import { parseLarge } from './options.ts';
import { fillFigures } from './parts/fill.ts';
import { memoryFigures } from './parts/memory.ts';
import { formatFigures, formatSummary } from './table.ts';
import type { Filled } from './tasks/results.ts';

const options = parseLarge(['--num', '1000000'])!;

const filled: Filled = {
  opsPerSecond: 300_000,
  seconds: 3,
  putNs: { p50: 1_000, p99: 4_000, p999: 6_000_000, max: 201_000_000 },
  written: { user: 1, log: 116_000_000, flush: 116_000_000, compaction: 232_000_000, ingest: 0 },
  restSeconds: 1,
  pressure: { state: 'none', delayed: 0, blocked: 0, failed: 0, waitMs: 0, reasons: {} },
  levels: [
    { files: 0, bytes: 0 },
    { files: 3, bytes: 3_000_000 },
  ],
};

test('a limit is met when it is reached', () => {
  expect(atMost('a', 5, 5, milliseconds).verdict).toBe('met');
  expect(atMost('a', 5, 5.01, milliseconds).verdict).toBe('MISSED');
  expect(atMost('a', undefined, 5, milliseconds)).toMatchObject({ verdict: '-', asked: '-' });
});

test('beside db_bench the ratio counts', () => {
  expect(atLeastRival('a', 1, 3, 2, times)).toMatchObject({ value: 1.5, verdict: 'met' });
  expect(atLeastRival('a', 1, 1, 2, times)).toMatchObject({ value: 0.5, verdict: 'MISSED' });
  expect(atMostRival('a', 3, 2, times)).toMatchObject({ value: 3, limit: 2, verdict: 'MISSED' });
});

test('without db_bench there is a figure and no verdict', () => {
  expect(atLeastRival('a', 1, 3, undefined, times)).toMatchObject({ measured: '3.00x', verdict: '-' });
  expect(atMostRival('a', 3, undefined, times)).toMatchObject({ measured: '3.00x', verdict: '-' });
});

test('of several fills the medians count, and the longest put of all', () => {
  const rocks = { opsPerSecond: 200_000, written: { logBytes: 116_000_000, tableBytes: 232_000_000 } };
  const quick = {
    ...filled,
    putNs: { ...filled.putNs, p999: 1_000_000, max: 2_000_000 },
    opsPerSecond: 500_000,
  };
  const figures = fillFigures(
    [
      { varve: quick, rocks },
      { varve: filled, rocks },
      { varve: quick, rocks },
    ],
    options.sizes,
  );
  expect(figures.map(({ name, value, verdict }) => [name, value, verdict])).toEqual([
    ['fillrandom, single puts', 2.5, 'met'],
    ['longest single put', 201, 'MISSED'],
    ['p99.9 of single puts', 1, 'met'],
    ['write amplification', 4, 'MISSED'],
  ]);
});

test('memory counts for each million entries, without cache, memtables and runtime', () => {
  const [resident, accounted] = memoryFigures(
    {
      rssBytes: 400e6,
      bareBytes: 50e6,
      openedBytes: 100e6,
      engine: { cache: 250e6, memtables: 10e6, indexes: 40e6, pool: 10e6 },
      cacheBytesMax: 268e6,
    },
    { ...options.sizes, num: 2_000_000 },
  );
  expect([resident!.value, resident!.verdict]).toEqual([45, 'MISSED']);
  expect([accounted!.value, accounted!.verdict]).toEqual([20, '-']);
});

test('the table says what is met, with notes below, and the summary what is not', () => {
  const figures = [
    atMost('longest put', 200, 250, milliseconds, ['a note']),
    atLeastRival('fill', 1, 3, undefined, times),
  ];
  expect(formatFigures(figures).split('\n')).toEqual([
    'figure       asked              measured  verdict',
    'longest put  <= 200 ms          250 ms    MISSED',
    '    a note',
    'fill         >= 1.00x db_bench  3.00x     -',
  ]);
  expect(formatSummary(figures, options).split('\n')).toEqual([
    '0 of 1 met; missed: longest put',
    'without db_bench there is no verdict on: fill',
    'asked is for 20,000,000 entries: with 1,000,000 the verdicts are only a hint',
  ]);
});
