import { expect, test } from 'vitest';
import { overlapDepth } from './overlap-depth.ts';
import { parseFile } from './picker.suite.ts';

const depth = (...files: string[]): number => overlapDepth(files.map(parseFile));

test('a key is in as many runs as files lie over it', () => {
  expect(depth()).toBe(0);
  expect(depth('1[a-c]')).toBe(1);
  expect(depth('3[a-c]', '2[d-f]', '1[g-i]')).toBe(1);
  expect(depth('4[a-z]', '3[a-c]', '2[d-f]', '1[c-d]')).toBe(3);
  expect(depth('3[a-b]', '2[a-b]', '1[a-b]')).toBe(3);
});

test('files touch at a key that both have, not at an exclusive end', () => {
  expect(depth('2[a-c]', '1[c-e]')).toBe(2);
  expect(depth('2[a-c)', '1[c-e]')).toBe(1);
});
