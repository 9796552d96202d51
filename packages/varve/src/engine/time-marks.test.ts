/** What the marks of an open database answer, and what of them the manifest gets. */
import { describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { joinMarks } from '../manifest/time-marks.ts';
import type { TimeMark } from '../manifest/version-edit.ts';
import { TimeMarks } from './time-marks.ts';

function kept(): TimeMarks {
  const marks = new TimeMarks(true);
  marks.isKept = true;
  return marks;
}

describe('marks of a database that keeps its past', () => {
  test('know the last sequence of every millisecond in which something was committed', () => {
    const marks = kept();
    for (const [time, sequence] of [
      [5, 1],
      [5, 2],
      [6, 3],
      [9, 4],
    ] as const) {
      marks.sample(time, sequence);
    }
    expect([4, 5, 6, 8, 9, 99].map((time) => marks.at(time)?.sequence)).toEqual([undefined, 2, 3, 3, 4, 4]);
    expect([1, 2, 3, 4, 5].map((sequence) => marks.timeOf(sequence))).toEqual([5, 5, 6, 9, undefined]);
  });

  test('go to the manifest as they are when they are few, about one a second when they are many', () => {
    const marks = kept();
    for (let i = 1; i <= 60; i++) marks.sample(i, i);
    expect(marks.take()).toHaveLength(60);
    expect(marks.take()).toEqual([]);
    for (let i = 1; i <= 100_000; i++) marks.sample(60 + i, 60 + i);
    const stored = marks.take();
    expect(stored.length).toBeGreaterThan(95);
    expect(stored.length).toBeLessThan(105);
    expect(stored.at(-1)).toEqual({ time: 100_060, sequence: 100_060 });
  });

  test('of the manifest are a second apart where something was committed meanwhile', () => {
    const marks = kept();
    for (let i = 0; i < 100; i++) marks.sample(i * 10, i);
    marks.sample(90_000, 100);
    expect(marks.take().slice(-2)).toEqual([
      { time: 990, sequence: 99 },
      { time: 90_000, sequence: 100 },
    ]);
  });

  test('know the time of a sequence when they are near it', () => {
    const marks = new TimeMarks(true);
    for (const time of [1000, 1900, 2500, 3000, 60_000]) marks.sample(time, time / 100);
    // Those of 1000, 2500 and 60000 are noted.
    expect([9, 10, 19, 25, 30, 600, 601].map((sequence) => marks.knownTimeOf(sequence))).toEqual([
      undefined,
      1000,
      undefined,
      2500,
      undefined,
      60_000,
      undefined,
    ]);
    expect([9, 19, 30].map((sequence) => marks.timeOf(sequence))).toEqual([1000, 2500, 60_000]);
    marks.isKept = true;
    for (const time of [60_100, 60_300]) marks.sample(time, time / 100);
    expect([601, 602, 603].map((sequence) => marks.knownTimeOf(sequence))).toEqual([60_100, 60_300, 60_300]);
  });

  test('say again what was committed later in a millisecond that the manifest has', () => {
    const marks = kept();
    marks.sample(5, 1);
    let stored = joinMarks([], marks.take(), 0);
    marks.sample(5, 2);
    stored = joinMarks(stored, marks.take(), 0);
    expect(stored).toEqual([{ time: 5, sequence: 2 }]);
  });

  test('are thinned out with their age, and stay exact for a minute', () => {
    const marks = kept();
    const random = new Random(7);
    const all: TimeMark[] = [];
    for (let time = 0; time < 400_000; time += 1 + random.below(2)) {
      all.push({ time, sequence: all.length + 1 });
      marks.sample(time, all.length);
    }
    const newest = all.at(-1)!.time;
    for (let i = 0; i < 2000; i++) {
      const asked = random.below(newest);
      const exact = all.findLast(({ time }) => time <= asked)!;
      const found = marks.at(asked)!;
      expect(found.time).toBeLessThanOrEqual(exact.time);
      expect(asked - found.time).toBeLessThan(newest - asked < 59_000 ? 3 : 1003);
    }
  });

  test('forget what nobody asks for', () => {
    const marks = kept();
    for (let i = 1; i <= 10; i++) marks.sample(i, i);
    expect(marks.at(700)).toEqual({ time: 10, sequence: 10 });
    marks.forget(9);
    expect(marks.at(8)).toBeUndefined();
    expect(marks.at(9)).toEqual({ time: 9, sequence: 9 });
  });
});

test('nobody keeps the past: one mark a second, and only the last one stays', () => {
  const marks = new TimeMarks(true);
  for (let i = 1; i <= 5000; i++) marks.sample(i, i);
  expect(marks.take().map(({ time }) => time)).toEqual([1, 1001, 2001, 3001, 4001]);
  expect(marks.at(4000)).toBeUndefined();
  const off = new TimeMarks(false);
  off.sample(1, 1);
  expect(off.take()).toEqual([]);
});

describe('marks of the manifest', () => {
  test('that do not advance are left out, and so are those before what may be asked for', () => {
    const marks = [1, 2, 3].map((n) => ({ time: n * 10, sequence: n }));
    const backwards = [
      { time: 25, sequence: 9 },
      { time: 40, sequence: 2 },
    ];
    expect(joinMarks(marks, backwards, 0)).toEqual(marks);
    expect(joinMarks(marks, [{ time: 40, sequence: 3 }], 3)).toEqual(marks.slice(2));
    expect(joinMarks(marks, [{ time: 40, sequence: 4 }], 3).map(({ sequence }) => sequence)).toEqual([3, 4]);
  });

  test('stay bounded', () => {
    let marks: readonly TimeMark[] = [];
    for (let chunk = 0; chunk < 30; chunk++) {
      const more = Array.from({ length: 10_000 }, (_, i) => ({
        time: 1000 * (chunk * 10_000 + i),
        sequence: chunk * 10_000 + i,
      }));
      marks = joinMarks(marks, more, 0);
    }
    expect(marks.length).toBeLessThanOrEqual(100_000);
    const newest = marks.at(-1)!.time;
    for (let i = 1; i < marks.length; i++) {
      const apart = marks[i]!.time - marks[i - 1]!.time;
      expect(apart).toBeLessThanOrEqual(Math.max(1000, (newest - marks[i - 1]!.time) / 10_000));
    }
  });
});
