import { expect, test } from 'vitest';
import { UsageError } from '../options.ts';
import { parseIngest } from './options.ts';

test('has defaults, takes options and nothing else', () => {
  expect(parseIngest([])).toMatchObject({ num: 1_000_000, valueSize: 100, batch: 1000, rounds: 3 });
  expect(parseIngest(['--num', '5', '--rounds', '1'])).toMatchObject({ num: 5, rounds: 1 });
  expect(parseIngest(['--help'])).toBeUndefined();
  expect(() => parseIngest(['fast'])).toThrow(UsageError);
  expect(() => parseIngest(['--num', '0'])).toThrow(UsageError);
});
