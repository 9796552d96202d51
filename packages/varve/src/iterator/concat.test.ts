import { describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import {
  ArrayIterator,
  bytesOf,
  compareEntries,
  entryOf,
  positionAtOrAfter,
  shown,
  shownEntry,
  type TestEntry,
} from './array-iterator.suite.ts';
import { ConcatIterator, type KeyBounds } from './concat.ts';

interface TestFile extends KeyBounds {
  entries: TestEntry[];
}

/** Key i of the test space, two digits so that text order is number order. */
const keyOf = (i: number): string => String(i).padStart(2, '0');

/** Disjoint files over keys 00..59; bounds may be wider than the entries, exclusive, and without any entry inside. */
function randomRun(random: Random): TestFile[] {
  const files: TestFile[] = [];
  for (let low = random.below(6); low < 56; ) {
    const high = low + 1 + random.below(10);
    const largestExclusive = random.oneIn(3);
    const entries: TestEntry[] = [];
    for (let k = low; largestExclusive ? k < high : k <= high; k++) {
      for (let s = 0; s < 3; s++) {
        const version = entryOf(keyOf(k), 1 + s * 10 + random.below(10));
        if (random.oneIn(3)) entries.push(version);
      }
    }
    if (random.oneIn(5)) entries.length = 0;
    files.push({
      smallestKey: bytesOf(keyOf(low)),
      largestKey: bytesOf(keyOf(high)),
      largestExclusive,
      entries,
    });
    low = high + (largestExclusive ? 0 : 1) + random.below(4);
  }
  return files;
}

describe('concat', () => {
  test('walks a run like one sorted list, over empty files and exclusive bounds', () => {
    const random = new Random(21);
    for (let round = 0; round < 60; round++) {
      const files = round === 0 ? [] : randomRun(random);
      const model = files.flatMap((file) => file.entries).toSorted(compareEntries);
      const it = new ConcatIterator(files, (index) => new ArrayIterator(files[index]!.entries));
      let at = -1;
      for (let step = 0; step < 150; step++) {
        const key = bytesOf(keyOf(random.below(62)));
        const move = random.below(at >= 0 && at < model.length ? 12 : 4);
        if (move === 0) {
          it.first();
          at = 0;
        } else if (move === 1) {
          it.last();
          at = model.length - 1;
        } else if (move === 2) {
          const sequence = random.below(32);
          it.seek(key, 0, key.length, sequence);
          at = positionAtOrAfter(model, key, 0, key.length, sequence);
        } else if (move === 3) {
          it.seekBefore(key, 0, key.length);
          at = positionAtOrAfter(model, key, 0, key.length, Number.POSITIVE_INFINITY) - 1;
        } else if (move <= 7) {
          it.next();
          at++;
        } else {
          it.prev();
          at--;
        }
        expect(shown(it)).toBe(shownEntry(model[at]));
      }
    }
  });

  test('opens only the file that a seek needs', () => {
    const files = ['a', 'c', 'e'].map((key) => ({
      smallestKey: bytesOf(key),
      largestKey: bytesOf(key),
      largestExclusive: false,
      entries: [entryOf(key, 1)],
    }));
    const opened: number[] = [];
    const it = new ConcatIterator(files, (index) => {
      opened.push(index);
      return new ArrayIterator(files[index]!.entries);
    });
    it.seek(bytesOf('b'), 0, 1, 5);
    expect(shown(it)).toBe('c@1 1 c@1');
    expect(opened).toEqual([1]);
    it.seek(bytesOf('c'), 0, 1, 5);
    expect(opened).toEqual([1]);
    it.next();
    expect(opened).toEqual([1, 2]);
    it.seek(bytesOf('f'), 0, 1, 5);
    expect(it.valid).toBe(false);
    expect(opened).toEqual([1, 2]);
  });

  test('a failed open leaves it invalid, and a later seek tries again', () => {
    const bounds = { smallestKey: bytesOf('a'), largestKey: bytesOf('b'), largestExclusive: false };
    let fail = true;
    const it = new ConcatIterator([bounds], () => {
      if (fail) throw new Error('cannot be read');
      return new ArrayIterator([entryOf('a', 1)]);
    });
    expect(() => it.first()).toThrow('cannot be read');
    expect(it.valid).toBe(false);
    fail = false;
    it.first();
    expect(shown(it)).toBe('a@1 1 a@1');
  });
});
