import { beforeEach, expect, test } from 'vitest';

import type { FileHandle } from '../fs/file-system.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { ReadAhead } from './read-ahead.ts';
import { replaceFile } from './table.suite.ts';

const BLOCK = 1000;
const content = Uint8Array.from({ length: 400 * BLOCK }, (_, i) => (i / BLOCK) ^ i);
const limit = content.length;

let file: FileHandle;
let reads: [position: number, length: number][];

beforeEach(() => {
  const fs = new MemoryFs();
  replaceFile(fs, '/f', content);
  const inner = fs.open('/f', 'read');
  reads = [];
  file = {
    ...inner,
    path: '/f',
    read(target, offset, length, position) {
      reads.push([position, length]);
      return inner.read(target, offset, length, position);
    },
    write: () => 0,
    size: () => limit,
    truncate: () => undefined,
    sync: () => undefined,
    dataSync: () => undefined,
    close: () => inner.close(),
  };
});

function expectBlock(ahead: ReadAhead, index: number, end = limit): void {
  const at = ahead.read(file, index * BLOCK, BLOCK, end);
  expect(at).toBeGreaterThanOrEqual(0);
  expect(
    Buffer.compare(
      ahead.bytes.subarray(at, at + BLOCK),
      content.subarray(index * BLOCK, (index + 1) * BLOCK),
    ),
  ).toBe(0);
}

test('a walk forwards reads a block, then more and more at once', () => {
  const ahead = new ReadAhead(64 * 1024, false);
  for (let i = 0; i < 400; i++) expectBlock(ahead, i);
  expect(reads[0]).toEqual([0, BLOCK]);
  expect(reads.slice(1, 4).map(([, length]) => length)).toEqual([16 * 1024, 32 * 1024, 64 * 1024]);
  expect(reads.length).toBeLessThan(12);
});

test('a walk backwards does too', () => {
  const ahead = new ReadAhead(64 * 1024, false);
  for (let i = 399; i >= 0; i--) expectBlock(ahead, i);
  expect(reads.length).toBeLessThan(12);
  expect(reads.every(([position]) => position >= 0)).toBe(true);
});

test('a jump starts over with single blocks', () => {
  const ahead = new ReadAhead(64 * 1024, false);
  for (const i of [0, 100, 300, 200]) expectBlock(ahead, i);
  expect(reads.map(([, length]) => length)).toEqual([BLOCK, BLOCK, BLOCK, BLOCK]);
});

test('an eager walk reads fully from the first block on', () => {
  const ahead = new ReadAhead(64 * 1024, true);
  expectBlock(ahead, 0);
  expect(reads).toEqual([[0, 64 * 1024]]);
});

test('nothing is read past the limit, and blocks larger than the window are read whole', () => {
  const ahead = new ReadAhead(64 * 1024, true);
  expectBlock(ahead, 1, 2 * BLOCK);
  expect(reads).toEqual([[BLOCK, BLOCK]]);
  const large = new ReadAhead(BLOCK, true);
  expect(large.read(file, 0, 50 * BLOCK, limit)).toBe(0);
  expect(large.bytes.length).toBe(50 * BLOCK);
});

test('a block that the file does not hold wholly is reported', () => {
  const ahead = new ReadAhead(64 * 1024, false);
  expect(ahead.read(file, limit - 10, 20, limit + 100)).toBe(-1);
  expectBlock(ahead, 3);
});
