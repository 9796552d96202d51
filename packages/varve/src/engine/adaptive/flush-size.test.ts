import { expect, test } from 'vitest';
import { flushBytes } from './flush-size.ts';

const MIB = 1024 * 1024;
const room = { memtables: 64 * MIB, logBytesMax: 512 * MIB, initial: 32 * MIB, most: Infinity };

/** By MB a second into this keyspace and into all. */
function sizeOf(current: number, own: number, all: number, within = room): number {
  return flushBytes(current * MIB, { own: (own * MIB) / 1000, all: (all * MIB) / 1000 }, within) / MIB;
}

test('a fast writer alone gets half of what memtables have, a slow one what it writes in two minutes', () => {
  expect(sizeOf(32, 50, 50)).toBe(32);
  expect(sizeOf(8, 50, 50)).toBe(32);
  expect(sizeOf(32, 0.125, 0.125)).toBe(15);
  expect(sizeOf(32, 0, 0)).toBe(4);
  expect(sizeOf(32, 50, 50, { ...room, memtables: 128 * MIB })).toBe(64);
});

test('keyspaces share the room as they write', () => {
  expect(sizeOf(32, 40, 64)).toBe(20);
  expect(sizeOf(32, 15, 60)).toBe(8);
  expect(sizeOf(32, 1, 60)).toBe(4);
});

test('a size that is nearly right stays', () => {
  expect(sizeOf(32, 0.25, 0.25)).toBe(32);
  expect(sizeOf(30, 50, 50)).toBe(30);
  expect(sizeOf(25, 50, 50)).toBe(25);
  expect(sizeOf(21, 50, 50)).toBe(32);
});

test('never more than there is room for, by memory and by the log', () => {
  expect(sizeOf(32, 50, 50, { ...room, memtables: 56 * MIB })).toBe(28);
  expect(sizeOf(32, 50, 50, { ...room, logBytesMax: 40 * MIB })).toBe(10);
  expect(sizeOf(32, 50, 50, { ...room, memtables: 4 * MIB })).toBe(4);
});

test('never more than the keyspace itself bears', () => {
  expect(sizeOf(32, 50, 50, { ...room, memtables: 512 * MIB, most: 20 * MIB })).toBe(20);
  expect(sizeOf(32, 0, 0, { ...room, most: 3 * MIB })).toBe(3);
});
