import { expect, test } from 'vitest';
import { type LogReaders, type LogRetention, RetainedLog } from './retained-log.ts';

const everything: LogRetention = { bytes: undefined, ms: undefined, bytesMax: 10_000 };

/** Segments of 100 bytes and ten sequences, that ended at 0, 10, 20 ... ms. */
function kept(retention: Partial<LogRetention>, readers: Partial<LogReaders> = {}, now = 100): RetainedLog {
  const log = new RetainedLog({ ...everything, ...retention }, () => now);
  log.readers = { oldest: () => Number.POSITIVE_INFINITY, overrun: () => undefined, ...readers };
  for (let i = 0; i < 10; i++) {
    const [firstSequence, lastSequence] = [i * 10 + 1, i * 10 + 10];
    log.add({ number: i, path: `${i}`, firstSequence, lastSequence, bytes: 100 }, i * 10, undefined);
  }
  return log;
}

const left = (log: RetainedLog): number[] => log.segments.map(({ number }) => number);

test('when nobody wants it all of it goes, oldest first', () => {
  const log = kept({});
  expect(log.trim(0).map(({ number }) => number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect([left(log), log.bytes]).toEqual([[], 0]);
});

test('what a reader has not passed stays', () => {
  for (const [oldest, first] of [
    [0, 0],
    [9, 0],
    [10, 1],
    [55, 5],
  ] as const) {
    const log = kept({}, { oldest: () => oldest });
    log.trim(0);
    expect(left(log)[0]).toBe(first);
  }
});

test('the last bytes stay, those of the live log counted', () => {
  const counts = [0, 100, 250, 1000].map((live) => {
    const log = kept({ bytes: 300 });
    log.trim(live);
    return left(log).length;
  });
  expect(counts).toEqual([3, 2, 1, 0]);
});

test('what is young enough stays, and of both what both ask for', () => {
  const count = (retention: Partial<LogRetention>): number => {
    const log = kept(retention);
    log.trim(0);
    return left(log).length;
  };
  expect([count({ ms: 45 }), count({ ms: 45, bytes: 1000 }), count({ ms: 45, bytes: 200 })]).toEqual([
    4, 4, 2,
  ]);
});

test('past bytesMax the oldest goes whoever needs it, and they are told', () => {
  const told: number[] = [];
  let oldest = 15;
  const overrun = (sequence: number): void => {
    told.push(sequence);
    oldest = Number.POSITIVE_INFINITY;
  };
  const log = kept({ bytesMax: 450, ms: 1000 }, { oldest: () => oldest, overrun });
  log.trim(0);
  expect(left(log)).toEqual([6, 7, 8, 9]);
  // The first segment is behind it, the second is not.
  expect(told).toEqual([20]);
});
