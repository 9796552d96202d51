import { expect, test } from 'vitest';
import { UsageError } from '../options.ts';
import { parseChanges } from './options.ts';

test('has defaults, takes options and nothing else', () => {
  expect(parseChanges([])).toMatchObject({ num: 1_000_000, live: 2000, rounds: 5 });
  expect(parseChanges(['--num', '5', '--rounds', '1'])).toMatchObject({ num: 5, rounds: 1 });
  expect(parseChanges(['--help'])).toBeUndefined();
  expect(() => parseChanges(['fast'])).toThrow(UsageError);
  expect(() => parseChanges(['--live', '0'])).toThrow(UsageError);
});
