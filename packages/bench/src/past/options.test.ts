import { expect, test } from 'vitest';
import { UsageError } from '../options.ts';
import { parsePast } from './options.ts';

test('has defaults, takes options and nothing else', () => {
  expect(parsePast([])).toMatchObject({ num: 1_000_000, rounds: 5 });
  expect(parsePast(['--num', '5', '--rounds', '1'])).toMatchObject({ num: 5, rounds: 1 });
  expect(parsePast(['--help'])).toBeUndefined();
  expect(() => parsePast(['fast'])).toThrow(UsageError);
  expect(() => parsePast(['--rounds', '0'])).toThrow(UsageError);
});
