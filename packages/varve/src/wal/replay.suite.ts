/** Helpers for tests of replay: small logs, where their records begin, and the error that names a place. */
import { expect } from 'vitest';
import { MemoryFs } from '../fs/memory-fs.ts';
import { dumpSegment } from './dump.ts';
import type { Log } from './log.ts';
import { appendSome, LogBench } from './log.suite.ts';

export const corruptionAt = (file: string, offset: number): unknown =>
  expect.objectContaining({ kind: 'corruption', context: expect.objectContaining({ file, offset }) });

/** Offsets at which records start, and the end of the last. */
export function boundaries(bench: LogBench, number: number): number[] {
  const records = [...dumpSegment(bench.fs, bench.path(number), number)];
  const last = records.at(-1)!;
  return [...records.map((record) => record.offset), last.offset + last.bytes];
}

/** A log of `count` batches in one segment, nothing synced. */
export function small(
  count: number,
  use?: (log: Log) => void,
): { bench: LogBench; bytes: Uint8Array; at: number[] } {
  const bench = new LogBench(new MemoryFs());
  const log = bench.open();
  appendSome(log, count);
  use?.(log);
  log.handOver();
  return { bench, bytes: bench.read(1), at: boundaries(bench, 1) };
}
