import { describe, expect, test } from 'vitest';
import { parseKeyspace } from './picker.suite.ts';
import { type CompactionPlan, type LevelFiles, planOf } from './plan.ts';
import { brokenRule } from './plan-rules.ts';
import { sampleFile } from '../manifest/samples.suite.ts';
import type { KeyspaceVersion } from '../manifest/version.ts';

/** The rule that a plan breaks which takes these files, and no others, to that level. */
function broken(
  lines: readonly string[],
  numbers: readonly number[],
  outputLevel: number,
): string | undefined {
  const keyspace = parseKeyspace(lines);
  return brokenRule(keyspace, exact(keyspace, numbers, outputLevel));
}

function exact(keyspace: KeyspaceVersion, numbers: readonly number[], outputLevel: number): CompactionPlan {
  const inputs = keyspace.levels.flatMap((all, level): LevelFiles[] => {
    const files = all.filter(({ number }) => numbers.includes(number));
    return files.length === 0 ? [] : [{ level, files }];
  });
  const made = planOf(keyspace, { tableBytes: () => 1000 }, { ...about, inputs, outputLevel });
  return { ...made, inputs };
}

const about = { depth: 1, reason: 'custom', score: 1 } as const;

describe('a plan is safe that', () => {
  test.each<[string, string[], number[], number]>([
    ['takes a file down past nothing', ['L3: 2[a-c]', 'L4: 3[d-f]'], [2], 5],
    ['takes all that overlaps on the way', ['L3: 2[a-c]', 'L4: 3[b-f]', 'L5: 4[e-g]'], [2, 3, 4], 5],
    ['leaves newer files in level 0', ['L0: 9[a-z] 8[a-z]'], [8], 6],
    ['leaves older files in level 0 that it does not overlap', ['L0: 9[a-c] 8[d-z]'], [9], 6],
    ['merges neighbours within level 0', ['L0: 9[a-z] 8[a-z] 7[a-z]'], [8, 9], 0],
    ['merges within level 0 around a file of other keys', ['L0: 9[a-c] 8[x-z] 7[a-c]'], [9, 7], 0],
    ['rewrites files where they are', ['L6: 1[a-c] 2[d-f]'], [1], 6],
    [
      'passes a level that only its lowest input overlaps',
      ['L3: 2[a-c]', 'L4: 3[g-h]', 'L5: 4[a-m]'],
      [2, 4],
      5,
    ],
  ])('%s', (_, lines, numbers, outputLevel) => {
    expect(broken(lines, numbers, outputLevel)).toBeUndefined();
  });
});

describe('a plan breaks a rule that', () => {
  test.each<[string, string[], number[], number, string]>([
    [
      'takes a newer file of level 0 past an older one',
      ['L0: 9[a-d] 8[c-k]'],
      [9],
      6,
      'file 9 would sink past file 8, which is older and overlaps it',
    ],
    [
      'stays in level 0 on both sides of a file that it overlaps',
      ['L0: 9[a-c] 8[b-z] 7[a-c]'],
      [9, 7],
      0,
      'file 8 of level 0 overlaps its files, and is neither newer than all of them nor older',
    ],
    [
      'sinks past a level between',
      ['L3: 2[a-c]', 'L4: 3[c-f]'],
      [2],
      5,
      'file 3 of level 4 overlaps what would sink to level 5',
    ],
    [
      'sinks, between two of its files, past one between',
      ['L3: 2[a-c] 5[x-z]', 'L4: 3[g-h]'],
      [2, 5],
      5,
      'file 3 of level 4 overlaps what would sink to level 5',
    ],
    [
      'arrives where a file is',
      ['L3: 2[a-c]', 'L4: 3[c-f]'],
      [2],
      4,
      'file 3 of level 4 overlaps what would sink to level 4',
    ],
    [
      'arrives between its inputs where a file is',
      ['L3: 2[a-c]', 'L4: 3[c-f] 4[g-h] 5[x-z]'],
      [2, 3, 5],
      4,
      'file 4 of level 4 overlaps what would sink to level 4',
    ],
    ['brings files up', ['L5: 2[a-c]'], [2], 4, 'it takes files of level 5 up to level 4'],
    ['goes below the last level', ['L5: 2[a-c]'], [2], 7, 'the output level is 7, not one of 0 to 6'],
    ['goes to no level', ['L5: 2[a-c]'], [2], 5.5, 'the output level is 5.5, not one of 0 to 6'],
  ])('%s', (_, lines, numbers, outputLevel, message) => {
    expect(broken(lines, numbers, outputLevel)).toBe(message);
  });

  test('takes no file', () => {
    const keyspace = parseKeyspace(['L5: 2[a-c]']);
    expect(brokenRule(keyspace, { ...exact(keyspace, [2], 6), inputs: [] })).toBe('it takes no file');
  });

  test('takes a file that is not there', () => {
    const keyspace = parseKeyspace(['L5: 2[a-c]']);
    const inputs = [{ level: 5, files: [sampleFile(7, 'a', 'c')] }];
    expect(brokenRule(keyspace, { ...exact(keyspace, [2], 6), inputs })).toBe('file 7 is not in level 5');
  });
});

test('files of one batch in level 0, whose sequences lie between each other, are merged together or not at all', () => {
  const level0 = [
    sampleFile(9, 'a', 'm', { smallestSequence: 5, largestSequence: 9 }),
    sampleFile(8, 'c', 'z', { smallestSequence: 6, largestSequence: 8 }),
    sampleFile(7, 'a', 'z', { smallestSequence: 1, largestSequence: 2 }),
  ];
  const empty = parseKeyspace([]);
  const keyspace = { ...empty, levels: [level0, ...empty.levels.slice(1)] };
  expect(brokenRule(keyspace, exact(keyspace, [9, 7], 0))).toBe(
    'file 8 of level 0 overlaps its files, and is neither newer than all of them nor older',
  );
  expect(brokenRule(keyspace, exact(keyspace, [9, 8], 0))).toBeUndefined();
});
