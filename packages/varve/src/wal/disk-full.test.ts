import { describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { FaultFs } from '../fs/fault-fs.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { RECORD_BATCH } from '../record/log-record.ts';
import { appendSome, bodyOf, expectBatches, LogBench } from './log.suite.ts';

const full = expect.objectContaining({ kind: 'busy', code: 'DISK_FULL' });

function make(settings: LogBench['settings'] = {}): { fs: FaultFs; bench: LogBench } {
  const fs = new FaultFs(new MemoryFs(), { random: new Random(7) });
  const bench = new LogBench(fs);
  bench.settings = settings;
  return { fs, bench };
}

describe('a full disk', () => {
  test('keeps the bytes, leaves no half record, and goes on when there is room', () => {
    const { fs, bench } = make();
    const log = bench.open();
    appendSome(log, 2);
    log.handOver();
    const before = bench.read(1);
    fs.freeBytes = 100;
    appendSome(log, 3);
    for (let i = 0; i < 3; i++) {
      expect(() => log.handOver()).toThrow(full);
      expect(log.diskFull).toBe(true);
      expect(log.handedOverSequence).toBe(2);
      expect(bench.read(1)).toEqual(before);
    }
    fs.freeBytes = undefined;
    log.handOver();
    expect(log.diskFull).toBe(false);
    expectBatches(bench.recover('strict'), 1, 5);
  });

  test('lets appends into the buffer until it is full, and refuses the next without losing any', () => {
    const { fs, bench } = make({ bufferBytes: 1000 });
    const log = bench.open();
    appendSome(log, 1);
    log.handOver();
    fs.freeBytes = 0;
    expect(() => appendSome(log, 100)).toThrow(full);
    const last = log.lastSequence;
    expect(last).toBeGreaterThan(5);
    expect(() => appendSome(log, 1)).toThrow(full);
    expect(log.lastSequence).toBe(last);
    fs.freeBytes = undefined;
    appendSome(log, 5);
    log.handOver();
    expectBatches(bench.recover('strict'), 1, last + 5);
  });

  test('refuses a large body whole: neither its header nor a part of it stays', () => {
    for (const free of [0, 10, 44, 50_000]) {
      const { fs, bench } = make();
      const log = bench.open();
      appendSome(log, 1);
      log.handOver();
      const before = bench.read(1);
      const large = bodyOf(2, 100_000);
      fs.freeBytes = free;
      expect(() => log.append(RECORD_BATCH, 2, 0, large, 0, large.length)).toThrow(full);
      expect(log.lastSequence).toBe(1);
      expect(bench.read(1)).toEqual(before);
      fs.freeBytes = undefined;
      log.append(RECORD_BATCH, 2, 0, large, 0, large.length);
      expect(bench.recover('strict').batches.map((batch) => batch.body.length)).toEqual([40, 100_000]);
    }
  });

  test('that stops a rotation refuses the append and rotates later', () => {
    const { fs, bench } = make({ segmentBytes: 300 });
    const log = bench.open();
    appendSome(log, 3);
    log.handOver();
    const remove = fs.add({ kind: 'ENOSPC', operations: ['create'] });
    expect(() => appendSome(log, 1)).toThrow(full);
    expect(log.lastSequence).toBe(3);
    expect(log.diskFull).toBe(true);
    remove();
    log.handOver();
    expect(log.diskFull).toBe(false);
    appendSome(log, 1);
    log.handOver();
    expectBatches(bench.recover('strict'), 1, 4);
  });
});

describe('any other failure', () => {
  test('of a write is final: the first cause is thrown again, also after the disk is well', () => {
    const { fs, bench } = make();
    const log = bench.open();
    appendSome(log, 2);
    log.handOver();
    appendSome(log, 1);
    fs.add({ kind: 'EIO', operations: ['write'] });
    const failure = expect.objectContaining({
      kind: 'io',
      context: expect.objectContaining({ system: 'EIO' }),
    });
    expect(() => log.handOver()).toThrow(failure);
    fs.heal();
    expect(() => log.handOver()).toThrow(failure);
    expect(() => log.syncNow()).toThrow(failure);
    expect(() => appendSome(log, 1)).toThrow(failure);
    expect(log.diskFull).toBe(false);
    expect(log.handedOverSequence).toBe(2);
    expectBatches(bench.recover(), 1, 2);
  });

  test('of a new segment is final too', () => {
    const { fs, bench } = make();
    fs.add({ kind: 'EIO', operations: ['create'] });
    const log = bench.open();
    expect(() => appendSome(log, 1)).toThrow(expect.objectContaining({ kind: 'io' }));
    fs.heal();
    expect(() => appendSome(log, 1)).toThrow(expect.objectContaining({ kind: 'io' }));
  });

  test('of a read during recovery is an io error, not an end of the log', () => {
    const { fs, bench } = make();
    const log = bench.open();
    appendSome(log, 2);
    log.handOver();
    fs.add({ kind: 'EIO', operations: ['read'] });
    expect(() => bench.recover()).toThrow(expect.objectContaining({ kind: 'io' }));
  });
});

test('short writes are completed', () => {
  const { fs, bench } = make({ segmentBytes: 2000, bufferBytes: 500 });
  fs.add({ kind: 'shortWrite', probability: 0.5 });
  const log = bench.open();
  appendSome(log, 100);
  log.handOver();
  expect(fs.injected.shortWrite).toBeGreaterThan(5);
  expectBatches(bench.recover('strict'), 1, 100);
});
