import { describe, expect, test } from 'vitest';
import { compareBytes } from '../base/bytes.ts';
import { EXPIRY_BYTES, expiryOf, withTtl } from '../base/expiry.ts';
import { KIND_DELETE, KIND_PUT, KIND_PUT_EXPIRY } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import { ArrayIterator, bytesOf, entryOf, type TestEntry } from './array-iterator.suite.ts';
import { mergeIterators } from './merging.ts';
import { VisibleIterator, type VisibleOptions } from './visible.ts';

interface Tombstone {
  start: Uint8Array;
  end: Uint8Array;
  sequence: number;
}

/** Entries expire between 1 and this. */
const TIMES = 20;

const keyOf = (i: number): string => String(i).padStart(2, '0');
const decoder = new TextDecoder();

/** The visible state at a sequence as a sorted map, the slow and plain way. */
function visibleState(
  entries: readonly TestEntry[],
  tombstones: readonly Tombstone[],
  options: VisibleOptions,
): string[] {
  const newest = new Map<string, TestEntry>();
  for (const entry of entries) {
    if (entry.sequence > options.snapshot) continue;
    const name = decoder.decode(entry.key);
    const known = newest.get(name);
    if (known === undefined || known.sequence < entry.sequence) newest.set(name, entry);
  }
  return [...newest.values()]
    .filter(
      (e) =>
        e.kind === KIND_PUT || (e.kind === KIND_PUT_EXPIRY && expiryOf(e.value, 0) > (options.time ?? 0)),
    )
    .filter((e) => options.lower === undefined || compareBytes(e.key, options.lower) >= 0)
    .filter((e) => options.upper === undefined || compareBytes(e.key, options.upper) < 0)
    .filter(
      (e) =>
        !tombstones.some(
          (t) =>
            t.sequence <= options.snapshot &&
            t.sequence > e.sequence &&
            compareBytes(t.start, e.key) <= 0 &&
            compareBytes(e.key, t.end) < 0,
        ),
    )
    .toSorted((a, b) => compareBytes(a.key, b.key))
    .map((e) => {
      const from = e.kind === KIND_PUT_EXPIRY ? EXPIRY_BYTES : 0;
      return `${decoder.decode(e.key)}=${decoder.decode(e.value.subarray(from))}`;
    });
}

function shownPair(it: VisibleIterator): string | undefined {
  if (!it.valid) return undefined;
  const key = decoder.decode(it.key.slice(it.keyStart, it.keyEnd));
  const value = decoder.decode(it.value.slice(it.valueStart, it.valueEnd));
  expect(value.endsWith(`@${it.sequence}`)).toBe(true);
  return `${key}=${value}`;
}

interface World {
  sources: TestEntry[][];
  tombstones: Tombstone[];
}

function randomWorld(random: Random, versionsMax: number): World {
  const sources: TestEntry[][] = Array.from({ length: 1 + random.below(6) }, () => []);
  for (let k = 0; k < 40; k++) {
    const versions = random.below(3) === 0 ? 0 : 1 + random.below(versionsMax);
    const sequences = new Set<number>();
    for (let v = 0; v < versions; v++) sequences.add(1 + random.below(60));
    for (const sequence of sequences) {
      const kind = random.pick([KIND_DELETE, KIND_PUT, KIND_PUT_EXPIRY]);
      const entry = entryOf(keyOf(k), sequence, kind);
      const value = kind === KIND_PUT_EXPIRY ? withTtl(entry.value, 1 + random.below(TIMES)) : entry.value;
      random.pick(sources).push({ ...entry, value });
    }
  }
  const tombstones: Tombstone[] = [];
  for (let i = random.below(6); i > 0; i--) {
    const start = random.below(40);
    tombstones.push({
      start: bytesOf(keyOf(start)),
      end: bytesOf(keyOf(start + 1 + random.below(12))),
      sequence: 1 + random.below(60),
    });
  }
  return { sources, tombstones };
}

function iteratorOf(world: World, options: VisibleOptions): VisibleIterator {
  return new VisibleIterator(mergeIterators(world.sources.map((s) => new ArrayIterator(s))), {
    ...options,
    tombstones: world.tombstones.length === 0 ? undefined : fragmentsOf(world.tombstones),
  });
}

function fragmentsOf(tombstones: readonly Tombstone[]): FragmentedTombstones {
  return FragmentedTombstones.build(tombstones);
}

function randomOptions(random: Random): VisibleOptions {
  const lower = random.below(44);
  return {
    snapshot: random.below(65),
    time: random.oneIn(4) ? undefined : random.below(TIMES + 1),
    lower: random.oneIn(2) ? bytesOf(keyOf(lower)) : undefined,
    upper: random.oneIn(2) ? bytesOf(keyOf(lower + random.below(20) - 1)) : undefined,
  };
}

describe('visible', () => {
  test('walks like a sorted map of the state at the snapshot, from any mix of moves', () => {
    const random = new Random(31);
    for (let round = 0; round < 150; round++) {
      const world = randomWorld(random, round % 3 === 0 ? 50 : 4);
      const options = randomOptions(random);
      const model = visibleState(world.sources.flat(), world.tombstones, options);
      const it = iteratorOf(world, options);
      let at = -1;
      for (let step = 0; step < 60; step++) {
        const target = keyOf(random.below(44));
        const move = random.below(at >= 0 && at < model.length ? 12 : 4);
        if (move === 0) {
          it.first();
          at = 0;
        } else if (move === 1) {
          it.last();
          at = model.length - 1;
        } else if (move === 2) {
          it.seek(bytesOf(target));
          at = model.findIndex((pair) => pair.slice(0, 2) >= target);
          if (at < 0) at = model.length;
        } else if (move === 3) {
          it.seekBefore(bytesOf(target));
          at = model.findLastIndex((pair) => pair.slice(0, 2) < target);
        } else if (move <= 7) {
          it.next();
          at++;
        } else {
          it.prev();
          at--;
        }
        expect(shownPair(it)).toBe(model[at]);
      }
    }
  });

  test('turns at every entry, both ways', () => {
    const random = new Random(32);
    for (let round = 0; round < 20; round++) {
      const world = randomWorld(random, 5);
      const options = randomOptions(random);
      const model = visibleState(world.sources.flat(), world.tombstones, options);
      for (let turn = 0; turn < model.length; turn++) {
        const it = iteratorOf(world, options);
        it.first();
        for (let i = 0; i < turn; i++) it.next();
        it.prev();
        expect(shownPair(it)).toBe(model[turn - 1]);
        it.last();
        for (let i = model.length - 1; i > turn; i--) it.prev();
        expect(shownPair(it)).toBe(model[turn]);
        it.next();
        expect(shownPair(it)).toBe(model[turn + 1]);
      }
    }
  });

  test('a put of the same sequence as a range tombstone came after it in the batch, so it shows', () => {
    const world = {
      sources: [[entryOf('05', 7), entryOf('06', 6)]],
      tombstones: [{ start: bytesOf('00'), end: bytesOf('10'), sequence: 7 }],
    };
    const it = iteratorOf(world, { snapshot: 9 });
    it.first();
    expect(shownPair(it)).toBe('05=05@7');
    it.next();
    expect(it.valid).toBe(false);
  });

  test('crossed bounds show nothing', () => {
    const it = iteratorOf(
      { sources: [[entryOf('05', 7)]], tombstones: [] },
      { snapshot: 9, lower: bytesOf('09'), upper: bytesOf('01') },
    );
    it.first();
    expect(it.valid).toBe(false);
    it.last();
    expect(it.valid).toBe(false);
    it.seek(bytesOf('05'));
    expect(it.valid).toBe(false);
    it.seekBefore(bytesOf('06'));
    expect(it.valid).toBe(false);
  });

  test('a key with 10,000 versions costs a few moves of the source, not one for each', () => {
    const versions = Array.from({ length: 10_000 }, (_, i) => entryOf('b', i + 1));
    const source = new CountingIterator([entryOf('a', 5), ...versions, entryOf('c', 5)]);
    const it = new VisibleIterator(source, { snapshot: 5_000 });
    const seen: (string | undefined)[] = [];
    for (it.first(); it.valid; it.next()) seen.push(shownPair(it));
    for (it.last(); it.valid; it.prev()) seen.push(shownPair(it));
    expect(seen).toEqual(['a=a@5', 'b=b@5000', 'c=c@5', 'c=c@5', 'b=b@5000', 'a=a@5']);
    expect(source.moves).toBeLessThan(100);
  });
});

class CountingIterator extends ArrayIterator {
  moves = 0;
  override next(): void {
    this.moves++;
    super.next();
  }
  override prev(): void {
    this.moves++;
    super.prev();
  }
}
