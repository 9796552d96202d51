import { describe, expect, test } from 'vitest';
import { FaultFs } from '../fs/fault-fs.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { RECORD_BATCH, RECORD_KEYSPACE } from '../record/log-record.ts';
import { dumpSegment } from './dump.ts';
import { appendSome, bodyOf, expectBatches, LogBench, syncByName } from './log.suite.ts';

/** Header, and the start record of a segment. */
const HEADER = 44;
const START = 64;

describe('appending', () => {
  test('touches no file before the first append', () => {
    const bench = new LogBench(new MemoryFs());
    const log = bench.open();
    log.handOver();
    log.writeMarker();
    log.syncNow();
    expect(bench.logNumbers()).toEqual([]);
    expect(log.unsynced()).toMatchObject({ paths: [], directory: undefined });
    expect(log.end).toEqual({ segment: 0, offset: 0 });
  });

  test('buffers, and hands over when told', () => {
    const bench = new LogBench(new MemoryFs());
    const log = bench.open();
    appendSome(log, 3);
    expect(bench.read(1).length).toBe(0);
    expect(log.end).toEqual({ segment: 1, offset: START + 3 * (HEADER + 40) });
    expect(log.handedOverSequence).toBe(0);
    log.handOver();
    expect(bench.read(1).length).toBe(log.end.offset);
    expect(log.handedOver).toEqual(log.end);
    expect(log.handedOverSequence).toBe(3);
    expect(log.syncedSequence).toBe(0);
  });

  test('hands over by itself when the buffer is full, whole records only', () => {
    const bench = new LogBench(new MemoryFs());
    bench.settings = { bufferBytes: 1000 };
    const log = bench.open();
    appendSome(log, 100);
    expect(log.handedOverSequence).toBeGreaterThan(80);
    expect((bench.read(1).length - START) % (HEADER + 40)).toBe(0);
    log.handOver();
    expectBatches(bench.recover(), 1, 100);
  });

  test('writes a body that is larger than the buffer directly, in order', () => {
    const bench = new LogBench(new MemoryFs());
    const log = bench.open();
    appendSome(log, 2);
    const large = bodyOf(3, 200_000);
    log.append(RECORD_BATCH, 3, 5, large, 0, large.length);
    expect(log.handedOverSequence).toBe(3);
    appendSome(log, 1);
    log.handOver();
    const { batches } = bench.recover();
    expect(batches.map((batch) => batch.body.length)).toEqual([40, 40, 200_000, 40]);
    expect(batches[2]!.body).toEqual(large);
  });

  test('takes a range of the body, of every length around the edges', () => {
    const bench = new LogBench(new MemoryFs());
    bench.settings = { bufferBytes: 2048 };
    const log = bench.open();
    const body = bodyOf(1, 3000);
    const lengths = [0, 1, 31, 32, 33, 255, 256, 257, 1900, 2003, 2004, 2005, 2048, 2990];
    for (const [i, length] of lengths.entries()) log.append(RECORD_BATCH, i + 1, 0, body, 7, 7 + length);
    log.handOver();
    expect(bench.recover().batches.map((batch) => batch.body)).toEqual(
      lengths.map((length) => body.slice(7, 7 + length)),
    );
  });

  test('stores times, or none with timestamps off', () => {
    for (const timestamps of [true, false]) {
      const bench = new LogBench(new MemoryFs());
      bench.settings = { timestamps };
      const log = bench.open();
      appendSome(log, 2);
      log.handOver();
      const { batches, report } = bench.recover();
      expect(batches.map((batch) => batch.timeMs)).toEqual(timestamps ? [1_000_001, 1_000_002] : [0, 0]);
      expect(report.lastTimestampMs).toBe(timestamps ? 1_000_002 : 0);
    }
  });

  test('refuses a sequence that does not follow, and kinds that carry no data', () => {
    const log = new LogBench(new MemoryFs()).open();
    appendSome(log, 2);
    expect(() => log.append(RECORD_BATCH, 2, 0, new Uint8Array(4), 0, 4)).toThrow(/in sequence/);
    expect(() => log.append(RECORD_BATCH, 4, 0, new Uint8Array(4), 0, 4)).toThrow(/in sequence/);
    expect(() => log.append(3, 3, 0, new Uint8Array(4), 0, 4)).toThrow(/data records/);
  });

  test('counts the bytes handed over', () => {
    const bench = new LogBench(new MemoryFs());
    const counters = { log: 0 };
    bench.settings = { counters };
    const log = bench.open();
    appendSome(log, 10);
    log.handOver();
    expect(counters.log).toBe(log.end.offset);
    expect(log.bytes).toBe(log.end.offset);
  });

  test('gives keyspace changes to their own sink', () => {
    const bench = new LogBench(new MemoryFs());
    const log = bench.open();
    log.append(RECORD_KEYSPACE, 1, 9, new Uint8Array([1, 2]), 0, 2);
    appendSome(log, 1);
    log.handOver();
    const kinds = [...dumpSegment(bench.fs, bench.path(1), 1)].map(
      (each) => each.what === 'record' && each.kindName,
    );
    expect(kinds).toEqual(['segment-start', 'keyspace', 'batch']);
    expect(bench.recover().batches.map((batch) => batch.sequence)).toEqual([1, 2]);
  });

  test('is refused after close', () => {
    const log = new LogBench(new MemoryFs()).open();
    appendSome(log, 1);
    log.close();
    log.close();
    expect(() => appendSome(log, 1)).toThrow(expect.objectContaining({ kind: 'closed' }));
  });
});

describe('syncing', () => {
  test('records state the synced position known when they were written', () => {
    const bench = new LogBench(new MemoryFs());
    const log = bench.open();
    appendSome(log, 1);
    log.handOver();
    const first = log.handedOver;
    syncByName(bench.fs, log);
    expect(log.synced).toEqual(first);
    expect(log.syncedSequence).toBe(1);
    appendSome(log, 1);
    log.syncNow();
    expect(log.synced).toEqual(log.end);
    const synced = [...dumpSegment(bench.fs, bench.path(1), 1)].map(
      (each) => each.what === 'record' && each.synced,
    );
    expect(synced).toEqual([{ segment: 0, offset: 0 }, { segment: 0, offset: 0 }, first]);
  });

  test('an fsync covers what was handed over when it was asked for, not what came later', () => {
    const bench = new LogBench(new MemoryFs());
    const log = bench.open();
    appendSome(log, 2);
    log.handOver();
    appendSome(log, 1);
    const asked = log.unsynced();
    expect(asked.sequence).toBe(2);
    appendSome(log, 1);
    log.handOver();
    log.markSynced(asked.upTo, asked.sequence);
    expect(log.syncedSequence).toBe(2);
    expect(log.unsynced()).toMatchObject({ paths: [bench.path(1)], directory: undefined, sequence: 4 });
  });

  test('names every segment that has unsynced bytes, oldest first, and the directory until it is synced', () => {
    const bench = new LogBench(new MemoryFs());
    bench.settings = { segmentBytes: 500 };
    const log = bench.open();
    appendSome(log, 20);
    log.handOver();
    const asked = log.unsynced();
    expect(asked.paths).toEqual(bench.logNumbers().map((number) => bench.path(number)));
    expect(asked.paths.length).toBeGreaterThan(2);
    expect(asked.directory).toBe('/db');
    log.markSynced(asked.upTo, asked.sequence);
    expect(log.unsynced()).toMatchObject({ paths: [], directory: undefined });
  });

  test('a failed fsync on this thread is final, also when it says that the disk is full', () => {
    const fs = new FaultFs(new MemoryFs());
    const bench = new LogBench(fs);
    const log = bench.open();
    appendSome(log, 1);
    fs.add({ kind: 'ENOSPC', operations: ['dataSync'] });
    const failure = expect.objectContaining({ kind: 'io', code: 'SYNC_FAILED' });
    expect(() => log.syncNow()).toThrow(failure);
    fs.heal();
    expect(() => log.handOver()).toThrow(failure);
    expect(() => appendSome(log, 1)).toThrow(failure);
    expect(log.syncedSequence).toBe(0);
  });

  test('a marker states that everything is on disk, and is not repeated', () => {
    const bench = new LogBench(new MemoryFs());
    const log = bench.open();
    appendSome(log, 2);
    log.syncNow();
    const end = log.end;
    log.writeMarker();
    log.syncNow();
    log.writeMarker();
    expect(log.end.offset).toBe(end.offset + HEADER);
    const last = [...dumpSegment(bench.fs, bench.path(1), 1)].at(-1)!;
    expect(last).toMatchObject({ kindName: 'marker', synced: end, sequence: 2 });
    appendSome(log, 1);
    log.handOver();
    expectBatches(bench.recover('strict'), 1, 3);
  });
});

describe('segments', () => {
  test('are begun when the last one is full, and replay as one log', () => {
    const bench = new LogBench(new MemoryFs());
    bench.settings = { segmentBytes: 500 };
    const log = bench.open();
    appendSome(log, 100);
    log.handOver();
    const segments = log.segments();
    expect(segments.length).toBe(17);
    expect(segments.map((segment) => segment.number)).toEqual(bench.logNumbers());
    expect(segments[0]).toMatchObject({ firstSequence: 1, lastSequence: 6, path: bench.path(1) });
    expect(log.bytes).toBe(segments.reduce((sum, segment) => sum + segment.bytes, 0));
    const recovered = bench.recover('strict');
    expectBatches(recovered, 1, 100);
    expect(recovered.report.segments).toEqual(segments);
    expect(recovered.report.end).toEqual(log.end);
  });

  test('leave the log only when flushed, synced, finished and called unneeded by the manifest', () => {
    const bench = new LogBench(new MemoryFs());
    bench.settings = { segmentBytes: 500 };
    const log = bench.open();
    appendSome(log, 30);
    log.handOver();
    const [one, two, three] = log.segments();
    expect(log.oldest).toEqual(
      expect.objectContaining({ number: one!.number, lastSequence: one!.lastSequence }),
    );
    expect(log.firstNeeded(0)).toBe(1);
    expect(log.firstNeeded(two!.lastSequence - 1)).toBe(2);
    expect(log.firstNeeded(two!.lastSequence)).toBe(3);
    expect(log.firstNeeded(30)).toBe(log.segments().at(-1)!.number);

    const count = log.segments().length;
    expect(log.release(two!.lastSequence, 3)).toEqual([]);
    expect(log.segments().length).toBe(count);
    log.syncNow();
    log.release(two!.lastSequence, 2);
    expect(log.segments()[0]!.number).toBe(2);
    log.release(two!.lastSequence - 1, 3);
    expect(log.segments()[0]!.number).toBe(2);
    log.release(two!.lastSequence, 3);
    expect(log.segments()[0]).toEqual(three);
    expect(log.bytes).toBe(log.segments().reduce((sum, segment) => sum + segment.bytes, 0));
    const all = log.release(30, 1000);
    expect(log.segments().length).toBe(1);
    expect(all.length).toBe(count - 3);
  });

  test('two are kept for recycling, the rest is to be removed; close removes the two', () => {
    const bench = new LogBench(new MemoryFs());
    bench.settings = { segmentBytes: 500 };
    const log = bench.open();
    appendSome(log, 30);
    log.syncNow();
    const removed = log.release(30, 1000);
    for (const path of removed) bench.fs.remove(path);
    expect(bench.logNumbers().length).toBe(3);
    appendSome(log, 6);
    log.syncNow();
    expect(bench.logNumbers().length).toBe(3);
    log.close();
    expect(bench.logNumbers()).toEqual(log.segments().map((segment) => segment.number));
  });

  test('a segment that a running fsync knows by name is not renamed under it', () => {
    const bench = new LogBench(new MemoryFs());
    bench.settings = { segmentBytes: 500 };
    const log = bench.open();
    appendSome(log, 10);
    log.handOver();
    const early = log.unsynced();
    const late = log.unsynced();
    log.markSynced(early.upTo, early.sequence);
    log.release(6, 1000);
    appendSome(log, 10);
    log.handOver();
    for (const path of late.paths) expect(bench.fs.status(path)).toBeDefined();
    log.markSynced(late.upTo, late.sequence);
    appendSome(log, 10);
    log.handOver();
    expect(bench.fs.status(early.paths[0]!)).toBeUndefined();
  });

  test('of an earlier open are tracked until released, and then removed, not recycled', () => {
    const bench = new LogBench(new MemoryFs());
    bench.settings = { segmentBytes: 500 };
    const first = bench.open();
    appendSome(first, 14);
    first.syncNow();
    first.close();
    const { log, recovered } = bench.reopen();
    expectBatches(recovered, 1, 14);
    expect(log.segments()).toEqual(recovered.report.segments);
    expect(log.bytes).toBe(recovered.report.segments.reduce((sum, segment) => sum + segment.bytes, 0));
    expect(log.firstNeeded(14)).toBe(recovered.report.end.segment + 1);
    appendSome(log, 1);
    log.syncNow();
    expect(log.release(14, 1000)).toEqual(recovered.report.segments.map((segment) => segment.path));
    expect(log.segments().length).toBe(1);
  });
});
