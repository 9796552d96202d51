import { describe, expect, test } from 'vitest';
import type { EntryIterator } from '../base/entry.ts';
import { KIND_DELETE, KIND_PUT } from '../base/kinds.ts';
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
import { MergingIterator, mergeIterators } from './merging.ts';

/** Entries dealt over sources: keys repeat, versions of a key spread over sources, some (key, sequence) are in two. */
function randomSources(random: Random, sources: number, entries: number, keys: number): TestEntry[][] {
  const dealt: TestEntry[][] = Array.from({ length: sources }, () => []);
  if (sources === 0) return dealt;
  for (let i = 0; i < entries; i++) {
    const key = `k${random.below(keys)}`;
    const source = random.below(sources);
    const sequence = 1 + random.below(40);
    const kind = random.oneIn(4) ? KIND_DELETE : KIND_PUT;
    if (dealt[source]!.some((e) => e.sequence === sequence && shownEntry(e).startsWith(`${key}@`))) continue;
    dealt[source]!.push(entryOf(key, sequence, kind, `${source}:${key}@${sequence}`));
  }
  return dealt;
}

/** Merged order: internal order, the source given first before the others. */
function merged(sources: TestEntry[][]): TestEntry[] {
  return sources
    .flatMap((entries, source) => entries.map((entry) => ({ entry, source })))
    .sort((a, b) => compareEntries(a.entry, b.entry) || a.source - b.source)
    .map(({ entry }) => entry);
}

/** Random moves; the first step after which the iterator shows something else than the model, or undefined. */
function walk(
  it: EntryIterator,
  model: readonly TestEntry[],
  random: Random,
  steps: number,
): string | undefined {
  let at = -1;
  for (let step = 0; step < steps; step++) {
    const inside = at >= 0 && at < model.length;
    const move = random.below(inside ? 12 : 4);
    if (move === 0) {
      it.first();
      at = 0;
    } else if (move === 1) {
      it.last();
      at = model.length - 1;
    } else if (move <= 3) {
      const key = bytesOf(`k${random.below(30)}`);
      if (move === 2) {
        const sequence = random.below(42);
        it.seek(key, 0, key.length, sequence);
        at = positionAtOrAfter(model, key, 0, key.length, sequence);
      } else {
        it.seekBefore(key, 0, key.length);
        at = positionAtOrAfter(model, key, 0, key.length, Number.POSITIVE_INFINITY) - 1;
      }
    } else if (move <= 7) {
      it.next();
      at++;
    } else {
      it.prev();
      at--;
    }
    if (shown(it) !== shownEntry(model[at]))
      return `step ${step}: ${shown(it)}, not ${shownEntry(model[at])}`;
  }
  return undefined;
}

describe('merge', () => {
  test('walks like one sorted list from any mix of moves, for 0 to 9 sources', () => {
    const random = new Random(11);
    for (let sources = 0; sources <= 9; sources++) {
      for (let round = 0; round < 12; round++) {
        const dealt = randomSources(random, sources, 1 + random.below(60), 1 + random.below(20));
        const it = new MergingIterator(dealt.map((entries) => new ArrayIterator(entries)));
        expect(walk(it, merged(dealt), random, 120)).toBeUndefined();
      }
    }
  });

  test('turns at every entry, both ways, without repeating or losing one', () => {
    const random = new Random(12);
    for (let sources = 1; sources <= 6; sources++) {
      const dealt = randomSources(random, sources, 40, 8);
      const model = merged(dealt);
      for (let turn = 0; turn < model.length; turn++) {
        const it = new MergingIterator(dealt.map((entries) => new ArrayIterator(entries)));
        it.first();
        for (let i = 0; i < turn; i++) it.next();
        expect(shown(it)).toBe(shownEntry(model[turn]));
        it.prev();
        expect(shown(it)).toBe(shownEntry(model[turn - 1]));
        it.last();
        for (let i = model.length - 1; i > turn; i--) it.prev();
        it.next();
        expect(shown(it)).toBe(shownEntry(model[turn + 1]));
      }
    }
  });

  test('shows the versions of a key newest first, from whichever source they come', () => {
    const it = mergeIterators([
      new ArrayIterator([entryOf('a', 3), entryOf('b', 9)]),
      new ArrayIterator([entryOf('a', 7), entryOf('a', 1)]),
      new ArrayIterator([entryOf('a', 5)]),
    ]);
    const seen: string[] = [];
    for (it.first(); it.valid; it.next()) seen.push(shown(it));
    expect(seen).toEqual(['a@7 1 a@7', 'a@5 1 a@5', 'a@3 1 a@3', 'a@1 1 a@1', 'b@9 1 b@9']);
  });

  test('of a single source is that source', () => {
    const only = new ArrayIterator([entryOf('a', 1)]);
    expect(mergeIterators([only])).toBe(only);
  });

  test('of nothing is never valid', () => {
    const it = mergeIterators([]);
    it.first();
    expect(it.valid).toBe(false);
    it.last();
    expect(it.valid).toBe(false);
    it.seekBefore(bytesOf('x'), 0, 1);
    expect(it.valid).toBe(false);
  });
});
