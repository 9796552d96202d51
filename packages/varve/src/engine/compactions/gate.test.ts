import { describe, expect, test } from 'vitest';
import { Gate, isUrgent } from './gate.ts';

/** That time of a summer day, by the clock on the wall. */
const at = (hours: number, minutes = 0): number => new Date(2026, 5, 15, hours, minutes).getTime();
const merge = { kind: 'merge', reason: 'level-size', score: 1.2 } as const;
const night = { from: 22 * 60, to: 6 * 60 + 30 };
const noon = { from: 12 * 60, to: 13 * 60 };

describe('windows', () => {
  test('without any it is always open', () => {
    expect(new Gate([]).lets(merge, at(12))).toBe(true);
  });

  test('let in what can wait from their first minute to before their last', () => {
    const gate = new Gate([noon]);
    const times = [at(11, 59), at(12), at(12, 59), at(13)];
    expect(times.map((time) => gate.lets(merge, time))).toEqual([false, true, true, false]);
  });

  test('may run over midnight', () => {
    const gate = new Gate([night]);
    const times = [at(21, 59), at(22), at(23, 59), at(0), at(6, 29), at(6, 30), at(12)];
    expect(times.map((time) => gate.lets(merge, time))).toEqual([
      false,
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
  });

  test('are open when one of several is', () => {
    const gate = new Gate([noon, night]);
    expect([at(5), at(9), at(12, 30), at(15), at(23)].map((time) => gate.isOpen(time))).toEqual([
      true,
      false,
      true,
      false,
      true,
    ]);
  });

  test('do not hold up what keeps writes going, nor what is only an edit', () => {
    const gate = new Gate([noon]);
    expect(gate.lets({ ...merge, reason: 'level0-files', score: 1 }, at(9))).toBe(true);
    expect(gate.lets({ ...merge, score: 2 }, at(9))).toBe(true);
    expect(gate.lets({ ...merge, score: 1.99 }, at(9))).toBe(false);
    expect(gate.lets({ ...merge, kind: 'move' }, at(9))).toBe(true);
    expect(gate.lets({ ...merge, kind: 'drop' }, at(9))).toBe(true);
  });
});

describe('a pause', () => {
  test('holds up everything until it is resumed', () => {
    const gate = new Gate([]);
    const urgent = { kind: 'merge', reason: 'level0-files', score: 9 } as const;
    gate.pause();
    expect([gate.lets(urgent, at(9)), gate.lets({ ...merge, kind: 'drop' }, at(9))]).toEqual([false, false]);
    gate.resume();
    expect(gate.lets(urgent, at(9))).toBe(true);
  });

  test('needs as many resumes as there were pauses', () => {
    const gate = new Gate([]);
    gate.pause();
    gate.pause();
    gate.resume();
    expect(gate.isPaused).toBe(true);
    gate.resume();
    expect(gate.isPaused).toBe(false);
  });

  test('is not paid in advance by resumes too many', () => {
    const gate = new Gate([]);
    gate.resume();
    gate.pause();
    expect(gate.isPaused).toBe(true);
  });
});

test('urgent is what fills level 0, and what is at twice its limit', () => {
  expect(isUrgent({ reason: 'level0-files', score: 1 })).toBe(true);
  expect(isUrgent({ reason: 'run-count', score: 1.9 })).toBe(false);
  expect(isUrgent({ reason: 'run-count', score: 2 })).toBe(true);
});

describe('pauses', () => {
  test('end with as many resumes, whoever makes them', () => {
    const gate = new Gate([]);
    gate.pause();
    gate.pause('thread');
    gate.resume('thread');
    expect(gate.isPaused).toBe(true);
    gate.resume('thread');
    expect(gate.isPaused).toBe(false);
    gate.resume();
    gate.pause();
    expect(gate.isPaused).toBe(true);
  });

  test('of one who is gone end together, and no others', () => {
    const gate = new Gate([]);
    for (const by of ['one', 'one', 'other']) gate.pause(by);
    gate.release('one');
    expect(gate.isPaused).toBe(true);
    gate.release('other');
    expect(gate.isPaused).toBe(false);
  });
});
