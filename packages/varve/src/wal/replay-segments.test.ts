/** Replay of the chain of segments: what is missing, left behind, or does not follow. */
import { describe, expect, test } from 'vitest';
import { crc32c } from '../base/crc32c.ts';
import { getU32, putU32 } from '../base/fixed.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { cutTail } from './cut-tail.ts';
import type { Log } from './log.ts';
import { appendSome, DIRECTORY, expectBatches, LogBench } from './log.suite.ts';
import { corruptionAt, small } from './replay.suite.ts';

/** Rewrites the synced position that every record in `bytes` states. */
function restate(bytes: Uint8Array, { segment, offset }: { segment: number; offset: number }): void {
  for (let at = 0; at < bytes.length; ) {
    const length = 44 + getU32(bytes, at + 4);
    putU32(bytes, at + 28, segment);
    putU32(bytes, at + 32, offset);
    putU32(bytes, at, crc32c(bytes, at + 4, at + length));
    at += length;
  }
}

describe('a segment that is missing', () => {
  function many(): { bench: LogBench; log: Log } {
    const bench = new LogBench(new MemoryFs());
    bench.settings = { segmentBytes: 300 };
    const log = bench.open();
    appendSome(log, 12);
    return { bench, log };
  }

  test('ends the log before it when nothing says that it was on disk; later ones are cut whole', () => {
    const { bench, log } = many();
    log.handOver();
    const [one, two, three, four] = log.segments();
    bench.fs.remove(two!.path);
    const recovered = bench.recover();
    expectBatches(recovered, 1, one!.lastSequence);
    expect(recovered.report.cutBytes).toBe(three!.bytes + four!.bytes);
    cutTail(bench.fs, DIRECTORY, recovered.report);
    expect(bench.logNumbers()).toEqual([1]);
    expectBatches(bench.recover('strict'), 1, one!.lastSequence);
  });

  test('at the start ends the log before its first batch', () => {
    const { bench, log } = many();
    log.handOver();
    bench.fs.remove(bench.path(1));
    const recovered = bench.recover();
    expectBatches(recovered, 1, 0);
    expect(recovered.report.end).toEqual({ segment: 0, offset: 0 });
    const { log: next } = bench.reopen();
    appendSome(next, 2);
    next.handOver();
    expectBatches(bench.recover('strict'), 1, 2);
  });

  test('is corruption that names it when a later record or the manifest says that it was on disk', () => {
    for (const missing of [1, 2]) {
      const { bench, log } = many();
      log.syncNow();
      appendSome(log, 1);
      log.handOver();
      bench.fs.remove(bench.path(missing));
      expect(() => bench.recover()).toThrow(corruptionAt(bench.path(missing), 0));
    }
    const { bench, log } = many();
    log.syncNow();
    bench.syncedPosition = log.synced;
    bench.fs.remove(bench.path(log.synced.segment));
    expect(() => bench.recover()).toThrow(corruptionAt(bench.path(log.synced.segment), 0));
  });

  test('is no loss when the manifest calls a later one the first needed', () => {
    const { bench, log } = many();
    log.syncNow();
    const [, two, three] = log.segments();
    bench.firstSegment = three!.number;
    bench.syncedPosition = { segment: two!.number, offset: two!.bytes };
    bench.fs.remove(bench.path(1));
    expectBatches(bench.recover('strict'), three!.firstSequence, 12);
    bench.fs.remove(two!.path);
    const recovered = bench.recover('strict');
    expectBatches(recovered, three!.firstSequence, 12);
    expect(recovered.report.cutBytes).toBe(0);
  });

  test('is no loss when the whole log was released, and the next open begins a new one', () => {
    const { bench, log } = many();
    log.syncNow();
    log.close();
    bench.firstSegment = log.segments().at(-1)!.number + 1;
    for (const number of bench.logNumbers()) bench.fs.remove(bench.path(number));
    const { report } = bench.recover('strict');
    bench.nextNumber += 5;
    const next = bench.open({ ...report, lastSequence: 12 });
    appendSome(next, 2);
    next.handOver();
    const recovered = bench.recover('strict');
    expectBatches(recovered, 13, 14);
    expect(recovered.report.cutBytes).toBe(0);
  });
});

test('a file that a failed rotation left behind does not break the chain', () => {
  const bench = new LogBench(new MemoryFs());
  bench.settings = { segmentBytes: 300 };
  const log = bench.open();
  appendSome(log, 3);
  bench.fs.open(bench.path(2), 'create').close();
  bench.nextNumber = 3;
  appendSome(log, 3);
  log.syncNow();
  appendSome(log, 1);
  log.handOver();
  const recovered = bench.recover('strict');
  expectBatches(recovered, 1, 7);
  expect(recovered.report.remove).toEqual([bench.path(2)]);
});

describe('the next segment is part of the log only when it says that it follows exactly here', () => {
  type End = { segment: number; offset: number };
  const cases: [string, (end: End, last: number) => [End, number]][] = [
    ['another segment', ({ offset }, last) => [{ segment: 0, offset }, last]],
    ['an earlier end', ({ segment, offset }, last) => [{ segment, offset: offset - 44 }, last]],
    ['a later end', ({ segment, offset }, last) => [{ segment, offset: offset + 44 }, last]],
    ['a lower sequence', (end, last) => [end, last - 1]],
    ['a higher sequence', (end, last) => [end, last + 1]],
  ];
  for (const [name, change] of cases) {
    test(`not behind ${name}`, () => {
      const { bench } = small(3);
      const { report } = bench.recover();
      const [end, lastSequence] = change(report.end, report.lastSequence);
      bench.nextNumber = 2;
      const next = bench.open({ ...report, end, lastSequence });
      appendSome(next, 2);
      next.handOver();
      // As if the records said nothing of what was on disk before.
      const bytes = bench.read(2);
      restate(bytes, { segment: 1, offset: 64 });
      bench.write(2, bytes);
      const recovered = bench.recover();
      expectBatches(recovered, 1, 3);
      expect(recovered.report.cutBytes).toBe(bytes.length);
      expect(recovered.report.end).toEqual(report.end);
    });
  }

  test('behind the right one', () => {
    const { bench } = small(3);
    const { log } = bench.reopen();
    appendSome(log, 2);
    log.handOver();
    const recovered = bench.recover('strict');
    expectBatches(recovered, 1, 5);
    expect(recovered.report.end).toEqual(log.end);
  });
});
