/**
 * Replay of one log that was truncated or damaged, and of records that do not belong to it; salvage and dump. Missing and
 * foreign segments are in replay-segments.test.ts.
 */
import { describe, expect, test } from 'vitest';
import { crc32c } from '../base/crc32c.ts';
import { putU32 } from '../base/fixed.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { cutTail } from './cut-tail.ts';
import { dumpSegment } from './dump.ts';
import { appendSome, bodyOf, DIRECTORY, expectBatches, LogBench } from './log.suite.ts';
import { boundaries, corruptionAt, small } from './replay.suite.ts';

test('no log at all is an empty one', () => {
  const bench = new LogBench(new MemoryFs());
  bench.firstSegment = 5;
  const { report, batches } = bench.recover('strict');
  expect(batches).toEqual([]);
  expect(report).toMatchObject({
    lastSequence: 0,
    cutBytes: 0,
    end: { segment: 4, offset: 0 },
    segments: [],
  });
});

describe('truncation', () => {
  test('at every point replays the whole records before it and counts the rest', () => {
    const { bench, bytes, at } = small(8);
    for (let length = 0; length <= bytes.length; length++) {
      bench.write(1, bytes.slice(0, length));
      const recovered = bench.recover();
      const whole = at.filter((offset) => offset <= length).length - 1;
      expectBatches(recovered, 1, Math.max(0, whole - 1));
      const boundary = at[whole]!;
      const tail = bytes.slice(boundary, length);
      expect(recovered.report.cutBytes).toBe(tail.some((byte) => byte !== 0) ? tail.length : 0);
      expect(recovered.report.end).toEqual(
        boundary === 0 ? { segment: 0, offset: 0 } : { segment: 1, offset: boundary },
      );
    }
  });

  test('is an error in strict mode, unless it is between records', () => {
    const { bench, bytes, at } = small(3);
    bench.write(1, bytes.slice(0, at[2]! + 50));
    expect(() => bench.recover('strict')).toThrow(
      expect.objectContaining({
        kind: 'corruption',
        code: 'LOG_TAIL_CUT',
        context: { file: bench.path(1), offset: at[2], cutBytes: 50 },
      }),
    );
    bench.write(1, bytes.slice(0, at[2]));
    expectBatches(bench.recover('strict'), 1, 1);
  });

  test('is cut, and the log goes on behind it, again and again', () => {
    const { bench, bytes } = small(5);
    bench.write(1, bytes.slice(0, -3));
    let last = 4;
    for (let life = 0; life < 5; life++) {
      const { log, recovered } = bench.reopen();
      expectBatches(recovered, 1, last);
      expect(recovered.report.cutBytes).toBeGreaterThan(0);
      appendSome(log, 3);
      log.handOver();
      const number = log.end.segment;
      bench.write(number, bench.read(number).slice(0, -1));
      last += 2;
    }
    expect(bench.logNumbers().length).toBe(6);
  });

  test('below a synced position that a later segment states is corruption', () => {
    const bench = new LogBench(new MemoryFs());
    bench.settings = { segmentBytes: 300 };
    const log = bench.open();
    appendSome(log, 3);
    log.syncNow();
    appendSome(log, 3);
    log.handOver();
    const bytes = bench.read(1);
    bench.write(1, bytes.slice(0, -1));
    const at = boundaries(bench, 1);
    expect(() => bench.recover()).toThrow(corruptionAt(bench.path(1), at.at(-2)!));
  });

  test('below the position that the manifest states is corruption, even between records', () => {
    const { bench, bytes, at } = small(5);
    bench.syncedPosition = { segment: 1, offset: at[4]! };
    for (const length of [at[4]!, at[4]! + 7, bytes.length]) {
      bench.write(1, bytes.slice(0, length));
      expect(bench.recover().report.lastSequence).toBe(length === bytes.length ? 5 : 3);
    }
    for (const length of [0, 30, at[3]!, at[4]! - 1]) {
      bench.write(1, bytes.slice(0, length));
      expect(() => bench.recover()).toThrow(expect.objectContaining({ kind: 'corruption' }));
    }
  });
});

describe('a flipped bit', () => {
  const flip = (bytes: Uint8Array, bit: number): Uint8Array => {
    const copy = bytes.slice();
    copy[bit >> 3]! ^= 1 << (bit & 7);
    return copy;
  };

  const marked = (): ReturnType<typeof small> =>
    small(3, (log) => {
      log.syncNow();
      log.writeMarker();
    });

  test('in an unsynced log gives the batches before it, and something is cut', () => {
    const { bench, bytes, at } = small(4);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bench.write(1, flip(bytes, bit));
      const recovered = bench.recover();
      const hit = at.findIndex((offset, i) => offset <= bit >> 3 && bit >> 3 < at[i + 1]!);
      expectBatches(recovered, 1, Math.max(0, hit - 1));
      expect(recovered.report.cutBytes).toBe(bytes.length - at[hit]!);
    }
  });

  test('below the synced position is corruption at the record that it hit', () => {
    const { bench, bytes, at } = small(3, (log) => {
      log.syncNow();
      appendSome(log, 1);
    });
    for (let bit = 0; bit < at[4]! * 8; bit++) {
      bench.write(1, flip(bytes, bit));
      const hit = at.findLast((offset) => offset <= bit >> 3)!;
      expect(() => bench.recover()).toThrow(corruptionAt(bench.path(1), hit));
    }
  });

  test('anywhere before a marker is corruption', () => {
    const { bench, bytes, at } = marked();
    for (let bit = 0; bit < at.at(-2)! * 8; bit += 3) {
      bench.write(1, flip(bytes, bit));
      expect(() => bench.recover()).toThrow(expect.objectContaining({ kind: 'corruption' }));
    }
  });

  test('in a marker at the end loses nothing', () => {
    const { bench, bytes, at } = marked();
    for (let bit = at.at(-2)! * 8; bit < bytes.length * 8; bit++) {
      bench.write(1, flip(bytes, bit));
      const recovered = bench.recover();
      expectBatches(recovered, 1, 3);
      expect(recovered.report.cutBytes).toBe(44);
    }
  });

  test('in any of several segments is an earlier prefix or corruption, never anything else', () => {
    const bench = new LogBench(new MemoryFs());
    bench.settings = { segmentBytes: 300 };
    const log = bench.open();
    appendSome(log, 9);
    log.syncNow();
    const synced = log.end;
    appendSome(log, 9);
    log.handOver();
    for (const number of bench.logNumbers()) {
      const bytes = bench.read(number);
      for (let bit = 0; bit < bytes.length * 8; bit += 5) {
        bench.write(number, flip(bytes, bit));
        const wasSynced = number < synced.segment || (number === synced.segment && bit >> 3 < synced.offset);
        if (wasSynced) {
          const at = boundaries(bench, number).findLast((offset) => offset <= bit >> 3) ?? 0;
          expect(() => bench.recover()).toThrow(corruptionAt(bench.path(number), at));
        } else {
          const recovered = bench.recover();
          expect(recovered.report.lastSequence).toBeGreaterThanOrEqual(9);
          expectBatches(recovered, 1, recovered.report.lastSequence);
          expect(recovered.report.cutBytes).toBeGreaterThan(0);
        }
      }
      bench.write(number, bytes);
    }
  });
});

test('a record of another incarnation does not replay, even in a segment of the same number', () => {
  const { bench, bytes } = small(3);
  const other = new LogBench(new MemoryFs());
  other.incarnation = 4;
  const log = other.open({ ...bench.recover().report, segments: [], end: { segment: 0, offset: 0 } });
  appendSome(log, 2);
  log.handOver();
  const stale = other.read(1).slice(64);
  bench.incarnation = 9;
  bench.write(1, new Uint8Array([...bytes, ...stale]));
  const recovered = bench.recover();
  expectBatches(recovered, 1, 3);
  expect(recovered.report.cutBytes).toBe(stale.length);
});

test('a record of a later release is refused by name', () => {
  const { bench, bytes, at } = small(3);
  for (const [offset, value] of [
    [8, 8],
    [8, 77],
    [9, 3],
    [10, 1],
  ] as const) {
    const later = bytes.slice();
    later[at[2]! + offset] = value;
    putU32(later, at[2]!, crc32c(later, at[2]! + 4, at[3]!));
    bench.write(1, later);
    expect(() => bench.recover()).toThrow(
      expect.objectContaining({ kind: 'invalid', code: 'UNSUPPORTED_KIND', context: expect.anything() }),
    );
  }
});

test('zeros behind the last record are cut without counting', () => {
  const { bench, bytes } = small(3);
  const longer = new Uint8Array(bytes.length + 700);
  longer.set(bytes);
  bench.write(1, longer);
  const recovered = bench.recover('strict');
  expectBatches(recovered, 1, 3);
  expect(recovered.report.cutBytes).toBe(0);
  cutTail(bench.fs, DIRECTORY, recovered.report);
  expect(bench.read(1)).toEqual(bytes);
});

test('a sequence that does not follow ends the log, although its record is intact', () => {
  const one = small(3);
  const two = small(6);
  // Same incarnation and segment, so only the sequence tells.
  const joined = new Uint8Array([...one.bytes, ...two.bytes.slice(two.at[5]!)]);
  one.bench.write(1, joined);
  const recovered = one.bench.recover();
  expectBatches(recovered, 1, 3);
  expect(recovered.report.cutBytes).toBe(joined.length - one.bytes.length);
});

test('a log of a later incarnation than the manifest knows is corruption', () => {
  const { bench } = small(1);
  bench.incarnation = 0;
  expect(() => bench.recover()).toThrow(corruptionAt(bench.path(1), 0));
});

describe('salvage', () => {
  test('steps over damage, gives all that reads, and says what is missing', () => {
    const bench = new LogBench(new MemoryFs());
    bench.settings = { segmentBytes: 300 };
    const log = bench.open();
    appendSome(log, 12);
    log.syncNow();
    appendSome(log, 1);
    log.handOver();
    const at = boundaries(bench, 1);
    const bytes = bench.read(1);
    bytes[at[2]! + 50]! ^= 1;
    bench.write(1, bytes);
    bench.fs.remove(bench.path(3));
    const last = log.segments().at(-1)!;
    bench.write(last.number, bench.read(last.number).slice(0, -1));
    const { batches, report } = bench.recover('salvage');
    const lost = new Set([2, 7, 8, 9, 13]);
    const expected = Array.from({ length: 13 }, (_, i) => i + 1).filter((sequence) => !lost.has(sequence));
    expect(batches.map((batch) => batch.sequence)).toEqual(expected);
    for (const { sequence, body } of batches) expect(body).toEqual(bodyOf(sequence));
    expect(report.warnings.join('\n')).toMatchInlineSnapshot(`
      "/db/000001.wal:148: 84 bytes were stepped over
      /db/000001.wal:232: sequences 2 to 2 are missing
      /db/000004.wal:64: sequences 7 to 9 are missing
      /db/000005.wal:64: 83 bytes at the end can not be read"
    `);
    expect(report.lastSequence).toBe(12);
  });

  test('of a sound log is what prefix gives', () => {
    const { bench } = small(9);
    const prefix = bench.recover('prefix');
    const salvage = bench.recover('salvage');
    expect(salvage.batches).toEqual(prefix.batches);
    expect(salvage.report).toEqual({ ...prefix.report });
  });
});

describe('dump', () => {
  test('lists records and what is none', () => {
    const { bench, bytes, at } = small(3, (log) => {
      log.syncNow();
      log.writeMarker();
    });
    bytes[at[2]! + 44]! ^= 1;
    bench.write(1, bytes.slice(0, -1));
    const found = [...dumpSegment(bench.fs, bench.path(1), 1)];
    expect(found.map((each) => (each.what === 'record' ? each.kindName : each.what))).toEqual([
      'segment-start',
      'batch',
      'unreadable',
      'batch',
      'unreadable',
    ]);
    expect(found[0]).toMatchObject({
      offset: 0,
      bytes: 64,
      incarnation: 1,
      segment: 1,
      timestampMs: undefined,
      link: { recycled: false, lastSequence: 0, segment: 0, endOffset: 0 },
    });
    expect(found[1]).toMatchObject({ sequence: 1, timestampMs: 1_000_001, body: bodyOf(1), link: undefined });
    expect(found[2]).toEqual({ what: 'unreadable', offset: at[2], bytes: at[3]! - at[2]! });
  });
});
