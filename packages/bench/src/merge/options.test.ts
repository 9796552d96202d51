import { expect, test } from 'vitest';
import { UsageError } from '../options.ts';
import { parseMerge } from './options.ts';

test('has defaults, takes options and nothing else', () => {
  expect(parseMerge([])).toMatchObject({ num: 500_000, keys: 10_000, rounds: 3 });
  expect(parseMerge(['--num', '5', '--keys', '2', '--rounds', '1'])).toMatchObject({
    num: 5,
    keys: 2,
    rounds: 1,
  });
  expect(parseMerge(['--help'])).toBeUndefined();
  expect(() => parseMerge(['fast'])).toThrow(UsageError);
  expect(() => parseMerge(['--keys', '0'])).toThrow(UsageError);
});
