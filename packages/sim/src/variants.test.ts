import { expect, test } from 'vitest';
import { flagsOf } from './variants.ts';

test('a replay is asked for with the variants of the run, and with no others', () => {
  expect(flagsOf({})).toBe('');
  expect(flagsOf({ reads: 'mmap', memtable: undefined })).toBe(' --reads mmap');
  expect(flagsOf({ reads: 'direct', memtable: 'skiplist' })).toBe(' --reads direct --memtable skiplist');
});
