import { expect, test } from 'vitest';
import { compareBytes, sharedPrefix } from '../base/bytes.ts';
import { KIND_PUT } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { ArrayIterator, compareEntries, shown, shownEntry, type TestEntry } from './array-iterator.suite.ts';
import { OrderedMerge } from './ordered-merge.ts';

const text = new TextEncoder();

/** Keys that codes have trouble with: zeros at the end, long common prefixes, the highest bytes, the empty key. */
function awkwardKey(random: Random): Uint8Array {
  const letters = random.pick([
    [0, 1],
    [0xff, 0xfe],
    [0, 0xff],
    [97, 98, 99],
  ]);
  const prefix = new Uint8Array(random.pick([0, 0, 0, 1, 125, 126, 127, 128, 200])).fill(
    random.pick([0, 97, 0xff]),
  );
  const rest = Uint8Array.from({ length: random.below(5) }, () => random.pick(letters));
  const key = new Uint8Array(prefix.length + rest.length);
  key.set(prefix);
  key.set(rest, prefix.length);
  return key;
}

function randomSources(random: Random, count: number, entries: number): TestEntry[][] {
  const keys = Array.from({ length: 40 }, () => awkwardKey(random));
  const sources: TestEntry[][] = Array.from({ length: count }, () => []);
  for (let i = 0; i < entries && count > 0; i++) {
    const source = random.below(count);
    const key = random.pick(keys);
    const sequence = 1 + random.below(6);
    const value = text.encode(`${source}:${i}`);
    const isThere = sources[source]!.some((e) => e.sequence === sequence && compareBytes(e.key, key) === 0);
    if (!isThere) sources[source]!.push({ key, sequence, kind: KIND_PUT, value });
  }
  for (const source of sources) source.sort(compareEntries);
  return sources;
}

test('shows all entries of its sources in internal order, the source given first before the others', () => {
  const random = new Random(3);
  for (let round = 0; round < 400; round++) {
    const sources = randomSources(random, random.below(8), random.below(120));
    const expected = sources
      .flatMap((entries, source) => entries.map((entry) => ({ entry, source })))
      .sort((a, b) => compareEntries(a.entry, b.entry) || a.source - b.source)
      .map(({ entry }) => entry);
    const merge = new OrderedMerge(sources.map((entries) => new ArrayIterator(entries)));
    merge.first();
    let before: TestEntry | undefined;
    for (const entry of expected) {
      expect(shown(merge.entry!)).toBe(shownEntry(entry));
      const last = before?.key ?? new Uint8Array(0);
      expect(merge.shared).toBe(sharedPrefix(last, 0, last.length, entry.key, 0, entry.key.length));
      expect(merge.isSameKey).toBe(before !== undefined && compareBytes(last, entry.key) === 0);
      before = entry;
      merge.next();
    }
    expect(merge.entry).toBeUndefined();
  }
});

test('a merge of nothing, and of sources without entries, is at its end at once', () => {
  for (const count of [0, 1, 2, 5]) {
    const merge = new OrderedMerge(Array.from({ length: count }, () => new ArrayIterator([])));
    merge.first();
    expect(merge.entry).toBeUndefined();
  }
});
