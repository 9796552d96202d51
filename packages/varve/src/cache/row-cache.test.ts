/** The row cache against a map: it may forget, but never shows another key's row, another version's, or a cut one. */
import { expect, test } from 'vitest';
import { compareBytes } from '../base/bytes.ts';
import { PointResult } from '../base/entry.ts';
import { hashHigh, hashKey } from '../base/hash.ts';
import { Random } from '../base/random.ts';
import { RowCache } from './row-cache.ts';

const KiB = 1024;
const found = new PointResult();

function find(rows: RowCache, owner: number, key: Uint8Array, sequence: number): Uint8Array | undefined {
  const low = hashKey(key, 0, key.length);
  const out = new PointResult();
  if (!rows.find(owner, low, hashHigh[0]!, key, 0, key.length, sequence, out)) return undefined;
  return out.value.slice(out.valueStart, out.valueEnd);
}

function note(rows: RowCache, owner: number, key: Uint8Array, value: Uint8Array, sequence: number): void {
  const low = hashKey(key, 0, key.length);
  found.sequence = sequence;
  found.value = value;
  found.valueStart = 0;
  found.valueEnd = value.length;
  rows.note(owner, low, hashHigh[0]!, key, 0, key.length, found);
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('a key gets in at its second visit, and is found from its own sequence on', () => {
  const rows = new RowCache(64 * KiB);
  note(rows, 1, bytes('key'), bytes('value'), 7);
  expect(find(rows, 1, bytes('key'), 9)).toBeUndefined();
  note(rows, 1, bytes('key'), bytes('value'), 7);
  expect(find(rows, 1, bytes('key'), 7)).toEqual(bytes('value'));
  expect(find(rows, 1, bytes('key'), 6)).toBeUndefined();
  expect(find(rows, 2, bytes('key'), 9)).toBeUndefined();
  expect(find(rows, 1, bytes('kez'), 9)).toBeUndefined();
  expect(rows.bytesUsed).toBe(32);
});

test('without room for rows it is closed for good', () => {
  for (const size of [0, 100, 4 * KiB]) {
    const rows = new RowCache(size);
    for (let i = 0; i < 300_000; i++) if (rows.asks()) expect.fail('it asked');
    expect(rows.bytesUsed).toBe(0);
  }
});

test('it closes while nothing is found, and opens again to look', () => {
  const rows = new RowCache(64 * KiB);
  const key = bytes('key');
  note(rows, 1, key, key, 1);
  note(rows, 1, key, key, 1);
  const asked = (lookups: number, isHot: boolean): number => {
    let count = 0;
    for (let i = 0; i < lookups; i++) {
      if (!rows.asks()) continue;
      count++;
      find(rows, 1, isHot ? key : bytes(`other ${i}`), 1);
    }
    return count;
  };
  expect(asked(100_000, true)).toBe(100_000);
  expect(asked(1_000_000, false)).toBeLessThan(100_000);
  asked(150_000, true);
  expect(asked(100_000, true)).toBe(100_000);
});

test('rows too large for it leave the others alone', () => {
  const rows = new RowCache(64 * KiB);
  for (let i = 0; i < 2; i++) note(rows, 1, bytes('small'), bytes('value'), 1);
  for (let i = 0; i < 100; i++) note(rows, 1, bytes('large'), new Uint8Array(5000), 1);
  expect(find(rows, 1, bytes('large'), 1)).toBeUndefined();
  expect(find(rows, 1, bytes('small'), 1)).toEqual(bytes('value'));
});

test('never shows a wrong row nor passes its budget, whatever comes', () => {
  const random = new Random(5);
  for (const budget of [16 * KiB, 17_777, 100 * KiB]) {
    const rows = new RowCache(budget);
    const model = new Map<string, { value: Uint8Array; sequence: number }>();
    let owner = 1;
    let hits = 0;
    for (let i = 0; i < 60_000; i++) {
      if (random.oneIn(5000)) owner++;
      // Two in three of a few hot keys, with lengths from 0 on.
      const number = random.oneIn(3) ? random.below(2000) : random.below(60);
      const key = bytes('k'.repeat(number % 41) + (number === 0 ? '' : number));
      const name = `${owner} ${number}`;
      const sequence = random.below(100);
      const row = find(rows, owner, key, sequence);
      const known = model.get(name);
      if (row !== undefined) {
        hits++;
        if (known === undefined || known.sequence > sequence) expect.fail(`${name} shows what it must not`);
        if (compareBytes(row, known.value) !== 0) expect.fail(`${name} shows another row`);
        continue;
      }
      const value =
        known?.value ?? new Uint8Array(random.below(random.pick([9, 120, 1500]))).fill(random.below(256));
      const written = known?.sequence ?? random.below(100);
      note(rows, owner, key, value, written);
      model.set(name, { value, sequence: written });
      if (rows.bytesUsed > budget) expect.fail('the rows are over their budget');
    }
    expect(hits).toBeGreaterThan(3000);
  }
});
