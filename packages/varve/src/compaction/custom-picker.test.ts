import { describe, expect, test } from 'vitest';
import { VarveError } from '../base/errors.ts';
import type { CompactionChoice, CompactionFile, CompactionPicker } from '../options/compaction-picker.ts';
import { pickCustom } from './custom-picker.ts';
import { formatPlan, parseKeyspace } from './picker.suite.ts';
import { type CompactionPlan, planOf } from './plan.ts';
import { RunningSet } from './running-set.ts';

const MIB = 1024 * 1024;
const sizes = { tableBytes: () => 8 * MIB };
const keyspace = parseKeyspace(['L0: 9[a-d] 8[c-k] 7[x-z]', 'L5: 5[a-c] 4[e-g]', 'L6: 1[a-m] 2[n-z]']);
const fileOf = (number: number): CompactionFile =>
  keyspace.levels.flat().find((file) => file.number === number)!;
const choice = (numbers: readonly number[], outputLevel: number): CompactionChoice => ({
  files: numbers.map(fileOf),
  outputLevel,
});

function pick(pick: CompactionPicker['pick'], running = new RunningSet()): CompactionPlan | undefined {
  return pickCustom(keyspace, running, sizes, { name: 'mine', pick }, 1000);
}

/** Why a picker is refused that returns this. */
function refused(result: unknown): string {
  return refusedBy(() => result as CompactionChoice);
}

function refusedBy(picker: CompactionPicker['pick']): string {
  try {
    pick(picker);
  } catch (error) {
    expect(error).toBeInstanceOf(VarveError);
    const { kind, code, context, message } = error as VarveError;
    expect({ kind, code, picker: context['picker'] }).toEqual({
      kind: 'invalid',
      code: 'PICKER_REJECTED',
      picker: 'mine',
    });
    expect(message).toBe(`the compaction picker 'mine' is not asked any more: ${String(context['why'])}`);
    return String(context['why']);
  }
  throw new Error('was not refused');
}

describe('a choice', () => {
  test('becomes a plan with the files of the output level that it overlaps', () => {
    const plan = pick(() => choice([8, 9], 5))!;
    expect(formatPlan(plan)).toBe('merge L0[8 9] + L5[4 5] -> L5  reason=custom score=1.00');
    expect(plan.tableBytesMax).toBe(8 * MIB);
  });

  test('may say how urgent it is and how large its tables are', () => {
    const plan = pick(() => ({ ...choice([8, 9], 0), score: 3, tableBytesMax: 5000 }))!;
    expect(formatPlan(plan)).toBe('merge L0[8 9] -> L0  reason=custom score=3.00');
    expect(plan.tableBytesMax).toBe(5000);
  });

  test('may name its files by their numbers alone', () => {
    expect(pick(() => ({ files: [{ number: 2 } as CompactionFile], outputLevel: 6 }))).toBeDefined();
  });

  test('of nothing is no plan', () => {
    expect(pick(() => undefined)).toBeUndefined();
  });

  test('waits for what runs', () => {
    const running = new RunningSet();
    running.add(
      planOf(keyspace, sizes, {
        inputs: [{ level: 6, files: keyspace.levels[6]!.slice(0, 1) }],
        outputLevel: 6,
        depth: 1,
        reason: 'manual',
        score: 0,
      }),
    );
    const busy: number[] = [];
    const asked = pick(({ levels, isBusy }) => {
      busy.push(...levels.flat().flatMap((file) => (isBusy(file) ? [file.number] : [])));
      return choice([5], 6);
    }, running);
    expect([asked, busy]).toEqual([undefined, [1]]);
  });
});

describe('a picker is refused when it', () => {
  test.each<[string, unknown, string]>([
    ['returns a number', 7, 'it returned 7, not a choice'],
    ['returns null', null, 'it returned null, not a choice'],
    ['returns a symbol', Symbol('x'), 'it returned Symbol(x), not a choice'],
    ['returns a promise', Promise.resolve(undefined), 'its choice has no list of files'],
    ['returns no files', { outputLevel: 6 }, 'its choice has no list of files'],
    ['returns an empty list', { files: [], outputLevel: 6 }, 'its choice has no list of files'],
    [
      'chooses an unknown file',
      { files: [{ number: 77 }], outputLevel: 6 },
      'it chose 77, which is no file of the keyspace',
    ],
    [
      'chooses null',
      { files: [null], outputLevel: 6 },
      'it chose undefined, which is no file of the keyspace',
    ],
    [
      'numbers a file by an object without a text form',
      { files: [{ number: Object.create(null) as unknown }], outputLevel: 6 },
      'it chose an object, which is no file of the keyspace',
    ],
    ['has no output level', { files: [fileOf(5)] }, 'its output level is undefined, not one of 0 to 6'],
    ['has an output level below the last', choice([5], 7), 'its output level is 7, not one of 0 to 6'],
    ['has a negative output level', choice([5], -1), 'its output level is -1, not one of 0 to 6'],
    ['has half a level', choice([5], 5.5), 'its output level is 5.5, not one of 0 to 6'],
    [
      'has an object for a level',
      { files: [fileOf(5)], outputLevel: Object.create(null) as unknown },
      'its output level is an object, not one of 0 to 6',
    ],
    ['scores NaN', { ...choice([5], 6), score: Number.NaN }, 'its score is NaN, not a number from 0 on'],
    ['scores below 0', { ...choice([5], 6), score: -1 }, 'its score is -1, not a number from 0 on'],
    [
      'cuts at 0 bytes',
      { ...choice([5], 6), tableBytesMax: 0 },
      'its tableBytesMax is not a number of bytes',
    ],
    ['takes files up', choice([5], 0), 'it takes files of level 5 up to level 0'],
    [
      'lets a newer file sink past an older one of level 0',
      choice([9], 6),
      'file 9 would sink past file 8, which is older and overlaps it',
    ],
    [
      'lets files sink past a level between',
      choice([8, 9], 6),
      'file 5 of level 5 overlaps what would sink to level 6',
    ],
  ])('%s', (_, result, why) => {
    expect(refused(result)).toBe(why);
  });

  test('throws', () => {
    expect(refusedBy(() => missing())).toBe('it threw gone');
    expect(
      refusedBy(() => {
        throw Object.create(null);
      }),
    ).toBe('it threw an object');
  });

  test('returns what throws when it is looked at', () => {
    const trap = {
      get files(): never {
        return missing();
      },
    };
    expect(refused(trap)).toBe('it threw gone');
  });
});

function missing(): never {
  throw new Error('gone');
}

test('what a picker does to what it is shown changes nothing', () => {
  const before = keyspace.levels.flat().map(({ smallestKey }) => [...smallestKey]);
  const plan = pick(({ levels }) => {
    for (const file of levels.flat()) file.smallestKey.fill(0);
    (levels[6] as CompactionFile[]).length = 0;
    return choice([5], 5);
  })!;
  expect(keyspace.levels.flat().map(({ smallestKey }) => [...smallestKey])).toEqual(before);
  expect(plan.inputs[0]!.files[0]).toBe(keyspace.levels[5]![0]);
});

test('a picker sees what its interface names, in copies', () => {
  const expiring = parseKeyspace(['L6: 1[a-m]@5^4:100-199']);
  const file = expiring.levels[6]![0]!;
  let seen: CompactionFile | undefined;
  const picker: CompactionPicker = {
    name: 'mine',
    pick: ({ levels }) => {
      seen = levels[6]![0]!;
      seen.smallestKey.fill(0);
      return undefined;
    },
  };
  pickCustom(expiring, new RunningSet(), sizes, picker, 1000);
  expect(file.smallestKey).not.toEqual(seen!.smallestKey);
  expect(seen).not.toHaveProperty('expiry');
  expect(seen).toMatchObject({ number: 1, entries: 10, newestTime: 5 });
});
