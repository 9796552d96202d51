import { describe, expect, test } from 'vitest';
import { parseKeyspace } from './picker.suite.ts';
import { type CompactionPlan, dropPlan, type LevelFiles, planOf } from './plan.ts';
import { RunningSet } from './running-set.ts';

const keyspace = parseKeyspace([
  'L0: 9[a-d] 8[c-k] 7[a-m] 6[a-m]',
  'L4: 5[a-f] 4[g-m]',
  'L5: 3[a-f] 2[g-m]',
  'L6: 1[a-m]',
]);

function plan(numbers: readonly number[], outputLevel: number): CompactionPlan {
  return planOf(
    keyspace,
    { tableBytes: () => 1000 },
    {
      inputs: inputsOf(numbers),
      outputLevel,
      depth: 1,
      reason: 'custom',
      score: 1,
    },
  );
}

function inputsOf(numbers: readonly number[]): LevelFiles[] {
  return keyspace.levels.flatMap((all, level): LevelFiles[] => {
    const files = all.filter(({ number }) => numbers.includes(number));
    return files.length === 0 ? [] : [{ level, files }];
  });
}

/** Do two plans keep each other away? It has to be the same both ways. */
function collide(a: CompactionPlan, b: CompactionPlan): boolean {
  const [left, right] = [new RunningSet(), new RunningSet()];
  left.add(a);
  right.add(b);
  expect(left.collides(b)).toBe(right.collides(a));
  return left.collides(b);
}

describe('two plans', () => {
  test('run at once when they share no level', () => {
    expect(collide(plan([6], 0), plan([5], 5))).toBe(false);
    expect(collide(plan([4], 4), plan([3], 6))).toBe(false);
  });

  test('run at once on a level that they share when they share no key', () => {
    expect(collide(plan([5], 5), plan([4], 5))).toBe(false);
  });

  test('do not when they share a level and a key', () => {
    expect(collide(plan([5], 5), plan([3], 6))).toBe(true);
    expect(collide(plan([6, 7], 4), plan([5], 4))).toBe(true);
  });

  test('run at once in level 0 when one stays there with newer files', () => {
    expect(collide(plan([9, 8], 0), plan([6, 7], 4))).toBe(false);
    expect(collide(plan([9, 8], 0), plan([6, 7], 0))).toBe(false);
  });

  test('do not when the one that stays has the older files', () => {
    expect(collide(plan([6, 7], 0), plan([8, 9], 4))).toBe(true);
  });

  test('do not when the newer one goes down through the levels of the other', () => {
    expect(collide(plan([9], 4), plan([6], 4))).toBe(true);
  });

  test('run at once when one only drops files', () => {
    expect(collide(dropPlan(inputsOf([1]), 'covered'), plan([2], 6))).toBe(false);
  });
});

test('a plan holds its files as long as it runs', () => {
  const running = new RunningSet();
  const merge = plan([5], 5);
  running.add(merge);
  expect([5, 3, 4].map((number) => running.holds(number))).toEqual([true, true, false]);
  expect([running.size, running.has(merge), running.has({ ...merge })]).toEqual([1, true, false]);
  expect(() => running.add(plan([3], 6))).toThrow('collides');
  running.remove(merge);
  expect([running.size, running.holds(5)]).toEqual([0, false]);
  expect(() => running.remove(merge)).toThrow('was not running');
});
