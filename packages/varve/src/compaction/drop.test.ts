import { describe, expect, test } from 'vitest';
import { EXPIRY_BYTES, stampExpiry } from '../base/expiry.ts';
import { KIND_DELETE, KIND_PUT, KIND_PUT_EXPIRY, KIND_RANGE_DELETE } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { kindFor, mayDrop, NO_NEWER, Readers, staysByCount } from './drop.ts';

/** Keys are small numbers; a range tombstone covers [start, end). */
interface Version {
  key: number;
  sequence: number;
  kind: number;
  /** Of KIND_PUT_EXPIRY. */
  expiry?: number;
}
interface Tombstone {
  start: number;
  end: number;
  sequence: number;
}
interface Tree {
  versions: Version[];
  tombstones: Tombstone[];
}

interface Reader {
  sequence: number;
  time: number;
}

const KEYS = 6;
/** Entries expire between 1 and this. */
const TIMES = 12;

/** Sequence of the put that a reader finds, 0 when it finds nothing: the slow and plain way. */
function visible(trees: readonly Tree[], key: number, reader: Reader): number {
  let newest: Version | undefined;
  let covering = 0;
  for (const tree of trees) {
    for (const v of tree.versions) {
      if (v.key === key && v.sequence <= reader.sequence && v.sequence > (newest?.sequence ?? -1)) newest = v;
    }
    for (const t of tree.tombstones) {
      if (t.start <= key && key < t.end && t.sequence <= reader.sequence) {
        covering = Math.max(covering, t.sequence);
      }
    }
  }
  if (newest === undefined || newest.kind === KIND_DELETE || covering > newest.sequence) return 0;
  return newest.kind === KIND_PUT_EXPIRY && newest.expiry! <= reader.time ? 0 : newest.sequence;
}

function storedValue(expiry = 0): Uint8Array {
  const value = new Uint8Array(EXPIRY_BYTES);
  stampExpiry(value, 0, expiry, 0);
  return value;
}

/** The inputs without what the rule drops; tombstones are cut into one fragment per key. */
function applyRule(inputs: Tree, readers: Readers, nothingBelow: (key: number) => boolean, kept = 0): Tree {
  const outputs: Tree = { versions: [], tombstones: [] };
  for (let key = 0; key < KEYS; key++) {
    const over = inputs.tombstones.filter((t) => t.start <= key && key < t.end).map((t) => t.sequence);
    let newer = NO_NEWER;
    for (const sequence of over.toSorted((a, b) => b - a)) {
      if (!mayDrop(readers, KIND_RANGE_DELETE, sequence, newer, 0, nothingBelow(key)))
        outputs.tombstones.push({ start: key, end: key + 1, sequence });
      newer = sequence;
    }
    newer = NO_NEWER;
    let counted = kept;
    const versions = inputs.versions.filter((v) => v.key === key);
    for (const v of versions.toSorted((a, b) => b.sequence - a.sequence)) {
      const reader = readers.lowestFrom(v.sequence);
      const covering = Math.max(0, ...over.filter((sequence) => sequence <= reader));
      const kind = kindFor(readers, v.kind, storedValue(v.expiry), 0);
      const isCounted =
        counted > 0 && staysByCount(kind, v.sequence, newer, Math.max(0, ...over), nothingBelow(key));
      counted = isCounted && kind !== KIND_DELETE ? counted - 1 : 0;
      if (isCounted || !mayDrop(readers, kind, v.sequence, newer, covering, nothingBelow(key))) {
        outputs.versions.push({ ...v, kind });
      }
      newer = v.sequence;
    }
  }
  return outputs;
}

function randomTree(random: Random, low: number, high: number, versions: number): Tree {
  const tree: Tree = { versions: [], tombstones: [] };
  const span = high - low + 1;
  for (let i = random.below(versions); i > 0; i--) {
    const v = {
      key: random.below(KEYS),
      sequence: low + random.below(span),
      kind: random.pick([KIND_DELETE, KIND_PUT, KIND_PUT_EXPIRY]),
      expiry: 1 + random.below(TIMES),
    };
    if (!tree.versions.some((o) => o.key === v.key && o.sequence === v.sequence)) tree.versions.push(v);
  }
  for (let i = random.below(4); i > 0; i--) {
    const start = random.below(KEYS);
    tree.tombstones.push({
      start,
      end: start + 1 + random.below(KEYS - start),
      sequence: low + random.below(span),
    });
  }
  return tree;
}

const oldestOf = (tree: Tree): number =>
  Math.min(NO_NEWER, ...tree.versions.map((v) => v.sequence), ...tree.tombstones.map((t) => t.sequence));

describe('the drop rule', () => {
  test('changes nothing for any registered snapshot, any state of the kept history, or the latest, at their times', () => {
    const random = new Random(41);
    let dropped = 0;
    let spent = 0;
    for (let round = 0; round < 20_000; round++) {
      // Below the inputs lies what is older, in a part of the keys.
      const belowKeys = new Set(Array.from({ length: KEYS }, (_, k) => k).filter(() => random.oneIn(2)));
      const older = randomTree(random, 1, 10, 12);
      const below: Tree = {
        versions: older.versions.filter((v) => belowKeys.has(v.key)),
        tombstones: older.tombstones.flatMap((t) =>
          [...belowKeys]
            .filter((k) => t.start <= k && k < t.end)
            .map((k) => ({ start: k, end: k + 1, sequence: t.sequence })),
        ),
      };
      const inputs = randomTree(random, 11, 24, 20);
      // Now is at or after the time of every reader so far, and whoever comes later is there now or later.
      const now = random.below(TIMES + 1);
      const registered = Array.from({ length: random.below(4) }, () => ({
        sequence: random.below(26),
        time: random.below(now + 1),
      })).toSorted((a, b) => a.sequence - b.sequence);
      const latest = 24 + random.below(3);
      const floor = random.pick([latest, latest, random.below(25), Number.MAX_SAFE_INTEGER]);
      const time = Math.min(now, ...registered.map((reader) => reader.time));
      const sequences = registered.map(({ sequence }) => sequence);
      const readers = new Readers(sequences, floor, oldestOf(inputs), time);
      const kept = random.pick([0, 0, 1, 2, 3]);
      const outputs = applyRule(inputs, readers, (key) => !belowKeys.has(key), kept);
      const everyReader: Reader[] = [...registered];
      const later = [...sequences, latest, latest + 5];
      for (let r = floor; r < latest; r++) later.push(r);
      for (const sequence of later) {
        everyReader.push({ sequence, time: now }, { sequence, time: now + random.below(TIMES) });
      }
      for (const reader of everyReader) {
        for (let key = 0; key < KEYS; key++) {
          const found = visible([outputs, below], key, reader);
          if (found !== visible([inputs, below], key, reader)) {
            expect({ round, key, reader, registered, floor, time, kept, inputs, below, found }).toBe(
              visible([inputs, below], key, reader),
            );
          }
        }
      }
      dropped += inputs.versions.length - outputs.versions.length;
      spent += inputs.versions.filter((v) => v.kind === KIND_PUT_EXPIRY && v.expiry! <= time).length;
    }
    expect(dropped).toBeGreaterThan(50_000);
    expect(spent).toBeGreaterThan(10_000);
  });

  test('without snapshots or history, with nothing below, leaves the latest puts and nothing else', () => {
    const random = new Random(42);
    for (let round = 0; round < 1_000; round++) {
      const inputs = randomTree(random, 11, 24, 20);
      const outputs = applyRule(inputs, new Readers([], 24, oldestOf(inputs), TIMES), () => true);
      const puts = Array.from({ length: KEYS }, (_, key) =>
        visible([inputs], key, { sequence: 24, time: TIMES }),
      ).filter((s) => s > 0);
      expect(outputs.versions.map((v) => v.sequence)).toEqual(puts);
      expect(outputs.tombstones).toEqual([]);
    }
  });

  test('keeps a delete while something older may be below, and while a snapshot below it may see the past', () => {
    expect(mayDrop(new Readers([], 100, 1, 0), KIND_DELETE, 50, NO_NEWER, 0, false)).toBe(false);
    expect(mayDrop(new Readers([49], 100, 1, 0), KIND_DELETE, 50, NO_NEWER, 0, true)).toBe(false);
    expect(mayDrop(new Readers([], 49, 1, 0), KIND_DELETE, 50, NO_NEWER, 0, true)).toBe(false);
    expect(mayDrop(new Readers([50], 100, 1, 0), KIND_DELETE, 50, NO_NEWER, 0, true)).toBe(true);
  });

  test('an old snapshot that sees nothing of the inputs does not hold their deletes', () => {
    expect(mayDrop(new Readers([10], 100, 11, 0), KIND_DELETE, 50, NO_NEWER, 0, true)).toBe(true);
    expect(mayDrop(new Readers([], 5, 11, 0), KIND_DELETE, 11, NO_NEWER, 0, true)).toBe(true);
  });

  test('keeps a replaced version exactly while a reader stands between it and its replacement', () => {
    expect(mayDrop(new Readers([], 100, 1, 0), KIND_PUT, 50, 60, 0, false)).toBe(true);
    expect(mayDrop(new Readers([60], 100, 1, 0), KIND_PUT, 50, 60, 0, false)).toBe(true);
    expect(mayDrop(new Readers([59], 100, 1, 0), KIND_PUT, 50, 60, 0, false)).toBe(false);
    expect(mayDrop(new Readers([50], 100, 1, 0), KIND_PUT, 50, 60, 0, false)).toBe(false);
    expect(mayDrop(new Readers([49], 100, 1, 0), KIND_PUT, 50, 60, 0, false)).toBe(true);
    expect(mayDrop(new Readers([], 59, 1, 0), KIND_PUT, 50, 60, 0, false)).toBe(false);
    expect(mayDrop(new Readers([], 60, 1, 0), KIND_PUT, 50, 60, 0, false)).toBe(true);
  });

  test('makes a delete of a put that expires exactly when its time has come for every reader', () => {
    const readers = new Readers([], 100, 1, 10);
    expect(kindFor(readers, KIND_PUT_EXPIRY, storedValue(10), 0)).toBe(KIND_DELETE);
    expect(kindFor(readers, KIND_PUT_EXPIRY, storedValue(11), 0)).toBe(KIND_PUT_EXPIRY);
    expect(kindFor(readers, KIND_PUT, storedValue(9), 0)).toBe(KIND_PUT);
    expect(mayDrop(readers, KIND_PUT_EXPIRY, 50, NO_NEWER, 0, true)).toBe(false);
    expect(mayDrop(readers, KIND_PUT_EXPIRY, 50, 60, 0, false)).toBe(true);
  });

  test('refuses to judge a kind that it has no rule for', () => {
    expect(() => mayDrop(new Readers([], 100, 1, 0), 6, 50, NO_NEWER, 0, true)).toThrow('kind');
  });

  test('refuses a floor that is no sequence and a register out of order', () => {
    expect(() => new Readers([], Number.POSITIVE_INFINITY, 1, 0)).toThrow('floor');
    expect(() => new Readers([5, 4], 9, 1, 0)).toThrow('ascending');
  });
});
