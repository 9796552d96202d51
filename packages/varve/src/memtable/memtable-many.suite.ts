/**
 * Conformance of a memtable with many keys: what only shows when a structure grows, splits or fills its pool. Keys are
 * strings of one char a byte here, which order as their bytes do.
 */
import { describe, expect, test } from 'vitest';
import { SegmentPool } from '../arena/segment-pool.ts';
import { SEQUENCE_MAX } from '../base/entry.ts';
import type { EntryIterator } from '../base/entry.ts';
import { KIND_PUT } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { addTo, found } from './memtable.suite.ts';
import type { Memtable, MemtableHandle } from './memtable.ts';

function bytesOf(key: string): Uint8Array {
  return Buffer.from(key, 'latin1');
}

function keyAt(it: EntryIterator): string {
  if (!it.valid) return 'end';
  return Buffer.from(it.key.slice(it.keyStart, it.keyEnd)).toString('latin1');
}

/** First index in the ascending `keys` whose key is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

const long = 'p'.repeat(300);

/** Ways to make up keys. */
const shapes: Readonly<Record<string, (random: Random, i: number) => string>> = {
  'decimals at random': (random) => String(random.below(1e6)).padStart(16, '0'),
  'decimals ascending': (_, i) => String(i).padStart(16, '0'),
  'decimals descending': (_, i) => String(1e6 - i).padStart(16, '0'),
  'four ascending streams': (_, i) => `tenant-${i % 4}:${String(i >> 2).padStart(12, '0')}`,
  'random bytes': (random) => String.fromCharCode(...Array.from({ length: 8 }, () => random.below(256))),
  'random bytes of any length': (random) =>
    String.fromCharCode(...Array.from({ length: random.below(6) }, () => random.pick([0, 1, 127, 128, 255]))),
  'prefixes of each other': (random) => 'ab'.repeat(random.below(120)).slice(0, random.below(200)),
  'runs of one byte': (random) => random.pick(['\0', 'ÿ']).repeat(random.below(400)),
  'a long prefix, then numbers': (random) => long + String(random.below(3000)),
  'prefixes of many lengths': (random) => long.slice(0, random.below(300)) + String(random.below(100)),
};

interface Filled {
  readonly memtable: Memtable;
  /** Ascending, each once. */
  readonly keys: readonly string[];
  readonly newest: ReadonlyMap<string, number>;
}

function fill(memtable: Memtable, shape: string, count: number): Filled {
  const random = new Random(7);
  const newest = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const key = shapes[shape]!(random, i);
    addTo(memtable, i + 1, KIND_PUT, bytesOf(key), bytesOf(String(i + 1)));
    newest.set(key, i + 1);
  }
  return { memtable, keys: [...newest.keys()].sort(), newest };
}

function expectAll({ memtable, keys, newest }: Filled, count: number): void {
  const it = memtable.iterator();
  let entries = 0;
  let at = -1;
  let sequence = 0;
  for (it.first(); it.valid; it.next()) {
    entries++;
    if (keyAt(it) !== keys[at]) {
      at++;
      if (keyAt(it) !== keys[at] || it.sequence !== newest.get(keys[at]!)) break;
    } else if (it.sequence >= sequence) break;
    sequence = it.sequence;
  }
  expect([it.valid, entries, at]).toEqual([false, count, keys.length - 1]);
  for (it.last(); it.valid; it.prev()) {
    entries--;
    if (keyAt(it) !== keys[at] && keyAt(it) !== keys[--at]) break;
  }
  expect([it.valid, entries, at]).toEqual([false, 0, 0]);
}

export function memtableManySuite(
  name: string,
  make: (pool: SegmentPool) => Memtable,
  attach: (handle: MemtableHandle) => Memtable,
): void {
  describe(`many keys: ${name}`, () => {
    test.for(Object.keys(shapes))('holds %s, in order both ways, also through its handle', (shape) => {
      const count = 4000;
      const filled = fill(make(new SegmentPool(16 << 20)), shape, count);
      const other = attach(structuredClone(filled.memtable.handle()));
      expectAll(filled, count);
      expectAll({ ...filled, memtable: other }, count);
      const random = new Random(8);
      const { keys, newest } = filled;
      const it = other.iterator();
      for (let i = 0; i < 600; i++) {
        const key = random.oneIn(2) ? shapes[shape]!(random, random.below(2 * count)) : random.pick(keys);
        const sequence = newest.get(key);
        const expected = sequence === undefined ? 'nothing' : `${sequence} ${KIND_PUT} ${sequence}`;
        if (found(other, bytesOf(key)) !== expected) expect(found(other, bytesOf(key))).toBe(expected);
        const place = lowerBound(keys, key);
        it.seek(bytesOf(key), 0, key.length, SEQUENCE_MAX);
        if (keyAt(it) !== (keys[place] ?? 'end')) expect(keyAt(it)).toBe(keys[place] ?? 'end');
        it.seekBefore(bytesOf(key), 0, key.length);
        if (keyAt(it) !== (keys[place - 1] ?? 'end')) expect(keyAt(it)).toBe(keys[place - 1] ?? 'end');
      }
    });

    test('holds the longest keys beside the empty one', () => {
      const memtable = make(new SegmentPool(64 << 20));
      const random = new Random(9);
      const keys = new Set(['']);
      while (keys.size < 150) keys.add('x'.repeat(65_534 - random.below(40)) + String(random.below(10)));
      for (const key of keys) addTo(memtable, 1, KIND_PUT, bytesOf(key), bytesOf(String(key.length)));
      for (const key of keys) expect(found(memtable, bytesOf(key))).toBe(`1 1 ${key.length}`);
      expect(found(memtable, bytesOf('x'.repeat(65_535)))).toBe('nothing');
      const sorted = [...keys].sort();
      const it = memtable.iterator();
      let at = 0;
      for (it.first(); it.valid; it.next()) if (it.keyEnd - it.keyStart !== sorted[at++]!.length) break;
      expect([it.valid, at]).toEqual([false, 150]);
    });

    test.for(['decimals at random', 'random bytes of any length', 'prefixes of many lengths'])(
      'keeps an iterator right while %s are added between its moves',
      (shape) => {
        const random = new Random(17);
        const memtable = make(new SegmentPool(16 << 20));
        const keys: string[] = [];
        const add = (): void => {
          const key = shapes[shape]!(random, 0);
          const at = lowerBound(keys, key);
          if (keys[at] === key) return;
          keys.splice(at, 0, key);
          addTo(memtable, keys.length, KIND_PUT, bytesOf(key));
        };
        for (let i = 0; i < 300; i++) add();
        const it = memtable.iterator();
        it.first();
        for (let move = 0; move < 5000; move++) {
          for (let adds = random.below(3); adds > 0; adds--) add();
          if (!it.valid) {
            if (random.oneIn(2)) it.first();
            else it.last();
          }
          const at = lowerBound(keys, keyAt(it));
          // Long runs in one direction, to come through all leaves.
          const isForward = (move & 512) === 0 ? !random.oneIn(8) : random.oneIn(8);
          if (isForward) it.next();
          else it.prev();
          const expected = keys[isForward ? at + 1 : at - 1] ?? 'end';
          if (keyAt(it) !== expected) expect(keyAt(it)).toBe(expected);
        }
        expect(memtable.entries).toBe(keys.length);
      },
    );

    test('reads every version of a key that is overwritten thousands of times', () => {
      const memtable = make(new SegmentPool(16 << 20));
      const count = 5000;
      const random = new Random(27);
      const key = bytesOf('k');
      const it = memtable.iterator();
      for (let sequence = 2; sequence <= 2 * count; sequence += 2) {
        addTo(memtable, sequence, KIND_PUT, key, bytesOf(String(sequence)));
        if (sequence % 100 === 0) addTo(memtable, sequence, KIND_PUT, bytesOf(String(sequence)));
      }
      // Late ones, below all and in between.
      for (const sequence of [1, 4001, 4003, 9999]) {
        addTo(memtable, sequence, KIND_PUT, key, bytesOf(String(sequence)));
      }
      for (let i = 0; i < 2000; i++) {
        const sequence = 1 + random.below(2 * count);
        const isOdd = [1, 4001, 4003, 9999].includes(sequence);
        const expected = isOdd || sequence % 2 === 0 ? sequence : sequence - 1;
        const shown = found(memtable, key, sequence);
        if (shown !== `${expected} 1 ${expected}`) expect([sequence, shown]).toEqual([sequence, 'its value']);
        it.seek(key, 0, 1, sequence);
        if (it.sequence !== expected) expect(it.sequence).toBe(expected);
      }
      it.seek(key, 0, 1, SEQUENCE_MAX);
      let versions = 0;
      for (let last = SEQUENCE_MAX; it.valid && it.sequence < last; it.next()) {
        last = it.sequence;
        versions++;
      }
      expect([it.valid, versions]).toEqual([false, count + 4]);
      it.last();
      for (let last = 0; it.valid && keyAt(it) === 'k' && it.sequence > last; it.prev()) {
        last = it.sequence;
        versions--;
      }
      expect([keyAt(it), versions]).toEqual(['9900', 0]);
    });

    test('is empty, and works on, after a first add that found no memory', () => {
      const pool = new SegmentPool(64 * 1024);
      const memtable = make(pool);
      const big = new Uint8Array(1 << 20);
      expect(() => memtable.add(1, KIND_PUT, big, 0, 1, big, 0, big.length)).toThrow(/no .* bytes/);
      const it = memtable.iterator();
      it.first();
      expect(it.valid).toBe(false);
      it.last();
      expect(it.valid).toBe(false);
      it.seekBefore(big, 0, 1);
      expect([it.valid, memtable.entries]).toEqual([false, 0]);
      addTo(memtable, 2, KIND_PUT, bytesOf('a'), bytesOf('b'));
      expect(found(memtable, bytesOf('a'))).toBe('2 1 b');
      memtable.release();
      expect(pool.bytesUsed).toBe(0);
    });

    test.for(Object.keys(shapes))('says no before an add can fail: %s in batches of any size', (shape) => {
      const random = new Random(37);
      for (const operations of [1, 7, 1000]) {
        const pool = new SegmentPool(512 * 1024, 4096);
        const memtable = make(pool);
        let added = 0;
        for (;;) {
          const batch = Array.from({ length: 1 + random.below(operations) }, (_, i) =>
            shapes[shape]!(random, added + i),
          );
          const total = batch.reduce((sum, key) => sum + key.length, 0);
          const before = memtable.bytes;
          if (!memtable.reserve(total, batch.length)) {
            expect(memtable.bytes).toBe(before);
            break;
          }
          for (const key of batch) addTo(memtable, ++added, KIND_PUT, bytesOf(key));
          if (memtable.bytes !== pool.bytesUsed) expect(memtable.bytes).toBe(pool.bytesUsed);
        }
        if (operations === 1) expect(pool.bytesUsed).toBeGreaterThan(500 * 1024);
        memtable.release();
        expect([memtable.bytes, memtable.entries, pool.bytesUsed]).toEqual([0, 0, 0]);
        addTo(memtable, 1, KIND_PUT, bytesOf('again'));
        expect(found(memtable, bytesOf('again'))).toBe('1 1 ');
      }
    });
  });
}
