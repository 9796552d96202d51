import { expect, test } from 'vitest';
import { resolve } from 'node:path';
import { formatBytes, formatCount, formatNanoseconds, formatRate, showPath } from './format.ts';
import { formatColumns, formatHead, formatMemory, formatResult } from './report.ts';
import type { WorkloadResult } from './runner.ts';
import { samplingInterval } from './sampling.ts';

const fill: WorkloadResult = {
  name: 'fillrandom',
  operations: 1_000_000,
  seconds: 2.5,
  opsPerSecond: 400_000,
  nsPerOp: 2_500,
  latencyNs: { p50: 1_920, p99: 8_100, p999: 61_000, max: 9_800_000, timed: 1_000_000 },
  written: { data: 116e6, log: 120e6, flush: 90e6, compaction: 22e6, amplification: 2 },
  eventLoopDelayMs: { p99: 4.12, max: 9.8 },
  diskBytes: 210e6,
  rssBytes: 231e6,
};

test('a write is reported with what it cost', () => {
  expect(`${formatColumns()}\n${formatResult(fill)}`).toBe(
    [
      'workload                  ops/s      ns/op        p50        p99      p99.9        max',
      'fillrandom              400,000      2,500    1.92 µs    8.10 µs    61.0 µs    9.80 ms',
      '                     written 232.0 MB for 116.0 MB of data: 2.00x (log 1.03, flush 0.78, compaction 0.19)',
      '                     event loop held up p99 4.1 ms, max 9.8 ms',
      '                     disk 210.0 MB, RSS 231.0 MB, every operation timed',
    ].join('\n'),
  );
});

test('a read is reported with how many keys it found, and says when not every operation was timed', () => {
  const { written: _written, eventLoopDelayMs: _delay, ...rest } = fill;
  const read = { ...rest, name: 'readrandom', found: 632_000 };
  expect(formatResult({ ...read, latencyNs: { ...fill.latencyNs, timed: 62_600 } })).toContain(
    '\n                     632,000 of 1,000,000 found, disk 210.0 MB, RSS 231.0 MB, 1 in 16 operations timed',
  );
});

test('operations of which most were timed say so in percent', () => {
  const timed = { ...fill.latencyNs, timed: 870_000 };
  expect(formatResult({ ...fill, latencyNs: timed })).toMatch(/, 87 % of operations timed$/);
});

test('the head says what was written, where and how', () => {
  const machine = { node: 'v24.0.0', system: 'linux 6.1 x64', cores: 2, processor: 'some', memoryBytes: 8e9 };
  const options = {
    num: 1_000_000,
    keySize: 16,
    valueSize: 100,
    db: 'data/bench',
    json: undefined,
    seed: 301,
    memtableBytes: undefined,
    compression: undefined,
    durability: 'disk',
    seekNexts: 0,
  } as const;
  const head = formatHead(machine, options, `sync('os')`);
  expect(head).toContain('1,000,000 of 16 + 100 bytes = 116.0 MB');
  expect(formatHead(machine, { ...options, durability: 'memory' }, 'sync()')).toContain(', closed by sync()');
  expect(head).toContain(`every put awaited with { durability: 'disk' }`);
});

test('memory is reported in megabytes', () => {
  const text = formatMemory({
    name: 'memory',
    entries: 5_000_000,
    seconds: 10,
    rssBytes: 412.4e6,
    rssPeakBytes: 430e6,
    rssBeforeBytes: 58e6,
    heapBytes: 11e6,
    engine: { memtables: 60e6, cache: 100e6, indexes: 9e6, pool: 64e6 },
    diskBytes: 700e6,
  });
  expect(text).toMatch(/^memory {6}412 MB RSS after 5,000,000 entries and a final sync\n/);
});

test('numbers are written as people read them', () => {
  expect(formatCount(1234567.4)).toBe('1,234,567');
  expect([12, 1_500, 999_949, 116e6, 2.5e9].map(formatBytes)).toEqual([
    '12 B',
    '1.5 kB',
    '999.9 kB',
    '116.0 MB',
    '2.50 GB',
  ]);
  expect([0, 999, 1_000, 12_345, 999_499, 1e6, 2.5e9].map(formatNanoseconds)).toEqual([
    '0 ns',
    '999 ns',
    '1.00 µs',
    '12.3 µs',
    '999 µs',
    '1.00 ms',
    '2.50 s',
  ]);
  expect([12, 231_480, 3.2e6].map(formatRate)).toEqual(['12/s', '231 thousand/s', '3.20 million/s']);
});

test('short operations are timed more rarely', () => {
  expect([3_000, 300, 30].map((operationNs) => samplingInterval(operationNs, 30))).toEqual([1, 16, 256]);
});

test('paths are shown as one would type them here', () => {
  expect(showPath(resolve('data/demo'))).toBe('./data/demo');
  expect(showPath(resolve('.'))).toBe('.');
  expect(showPath(resolve('/elsewhere/demo'))).toBe(resolve('/elsewhere/demo'));
});
