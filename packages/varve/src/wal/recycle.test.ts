import { describe, expect, test } from 'vitest';
import { MemoryFs } from '../fs/memory-fs.ts';
import { dumpSegment } from './dump.ts';
import type { Log } from './log.ts';
import { appendSome, expectBatches, LogBench } from './log.suite.ts';

/** A log whose current segment is a recycled file that still holds older records behind its own. */
function recycled(appended: number): { bench: LogBench; log: Log; first: number } {
  const bench = new LogBench(new MemoryFs());
  bench.settings = { segmentBytes: 600 };
  const log = bench.open();
  appendSome(log, 7);
  log.syncNow();
  appendSome(log, 1);
  log.syncNow();
  const kept = log.segments()[1]!;
  log.release(7, kept.number);
  bench.firstSegment = kept.number;
  appendSome(log, 6);
  expect(log.segments().length).toBe(1);
  appendSome(log, appended);
  log.handOver();
  return { bench, log, first: kept.firstSequence };
}

test('a released segment becomes a later one, with its old bytes behind the new', () => {
  const { bench, log } = recycled(2);
  expect(bench.logNumbers()).toEqual([2, 3]);
  expect(bench.read(3).length).toBeGreaterThan(log.end.offset);
  const found = [...dumpSegment(bench.fs, bench.path(3), 3)];
  expect(found[0]).toMatchObject({ link: { recycled: true, segment: 2, lastSequence: 14 } });
  expect(found.at(-1)).toMatchObject({ what: 'unreadable', offset: log.end.offset });
});

test('stale records never replay, although they are intact and start exactly where the new ones end', () => {
  for (let appended = 1; appended <= 6; appended++) {
    const { bench, log, first } = recycled(appended);
    const bytes = bench.read(3);
    // All records have one length: the stale record at the end of the log is whole.
    const view = new DataView(bytes.buffer);
    expect(view.getUint32(log.end.offset + 16, true)).toBe(1);
    const recovered = bench.recover('strict');
    expectBatches(recovered, first, log.lastSequence);
    expect(recovered.report.cutBytes).toBe(0);
    expect(recovered.report.end).toEqual(log.end);
  }
});

test('a stale record with the right next sequence does not replay either', () => {
  const { bench, log, first } = recycled(2);
  const bytes = bench.read(3);
  const other = new LogBench(new MemoryFs());
  const forged = other.open({ ...bench.recover().report, segments: [], end: { segment: 1, offset: 64 } });
  appendSome(forged, 2);
  forged.handOver();
  // Intact, next in sequence, of the same database, and of another segment.
  bytes.set(other.read(1).slice(64), log.end.offset);
  bench.write(3, bytes);
  const recovered = bench.recover();
  expectBatches(recovered, first, log.lastSequence);
  expect(recovered.report.end).toEqual(log.end);
});

test('what is cut behind the end of a recycled file is only what was its own', () => {
  const { bench, log, first } = recycled(4);
  const bytes = bench.read(3);
  const last = log.end.offset - 84;
  for (const damage of [0, 13, 17, 21, 45, 83]) {
    const torn = bytes.slice();
    torn[last + damage]! ^= 0x10;
    bench.write(3, torn);
    const recovered = bench.recover();
    expectBatches(recovered, first, log.lastSequence - 1);
    expect(recovered.report.cutBytes).toBe(84);
  }
});

test('a file that was renamed but never written to is stale as a whole', () => {
  const { bench, log } = recycled(1);
  const older = new LogBench(new MemoryFs());
  const stale = older.open();
  appendSome(stale, 20);
  stale.handOver();
  bench.fs.open(bench.path(9), 'create').close();
  bench.write(9, older.read(1));
  const recovered = bench.recover('strict');
  expect(recovered.report).toMatchObject({ cutBytes: 0, end: log.end, remove: [bench.path(9)] });
});

describe('going on after a recycled segment', () => {
  test('the cut leaves nothing stale, and the next open links behind it', () => {
    const { bench, log, first } = recycled(3);
    const { log: next } = bench.reopen();
    expect(bench.read(3).length).toBe(log.end.offset);
    appendSome(next, 2);
    next.syncNow();
    expectBatches(bench.recover('strict'), first, log.lastSequence + 2);
  });

  test('many rounds of rotation and release reuse two files and replay what is live', () => {
    const bench = new LogBench(new MemoryFs());
    bench.settings = { segmentBytes: 700 };
    const log = bench.open();
    for (let round = 0; round < 60; round++) {
      appendSome(log, 1 + (round % 5), 40);
      log.syncNow();
      const flushed = Math.max(0, log.lastSequence - 12);
      bench.firstSegment = log.firstNeeded(flushed);
      for (const path of log.release(flushed, bench.firstSegment)) bench.fs.remove(path);
      expectBatches(bench.recover('strict'), log.segments()[0]!.firstSequence, log.lastSequence);
    }
    expect(bench.logNumbers().length).toBeLessThanOrEqual(5);
  });
});
