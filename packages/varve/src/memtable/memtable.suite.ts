/**
 * Conformance of a memtable: what every implementation of memtable/memtable.ts must do, compared with a sorted list.
 */
import { describe, expect, test } from 'vitest';
import { SegmentPool } from '../arena/segment-pool.ts';
import { compareBytes, compareRanges } from '../base/bytes.ts';
import { PointResult, SEQUENCE_MAX } from '../base/entry.ts';
import type { EntryIterator } from '../base/entry.ts';
import { KIND_DELETE, KIND_PUT, KIND_RANGE_DELETE } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import { Model } from './memtable-model.suite.ts';
import type { ModelEntry } from './memtable-model.suite.ts';
import type { Memtable } from './memtable.ts';

const text = new TextEncoder();
const decoder = new TextDecoder();

/** Adds with the bytes in the middle of larger arrays that are overwritten afterwards. */
export function addTo(
  memtable: Memtable,
  sequence: number,
  kind: number,
  key: Uint8Array,
  value: Uint8Array = new Uint8Array(0),
): void {
  const keyRoom = new Uint8Array(key.length + 3);
  keyRoom.set(key, 1);
  const valueRoom = new Uint8Array(value.length + 5);
  valueRoom.set(value, 2);
  memtable.add(sequence, kind, keyRoom, 1, 1 + key.length, valueRoom, 2, 2 + value.length);
  keyRoom.fill(0xee);
  valueRoom.fill(0xee);
}

/** What the memtable has for a key, as text. */
export function found(memtable: Memtable, key: Uint8Array, sequence: number = SEQUENCE_MAX): string {
  const out = new PointResult();
  const room = new Uint8Array(key.length + 2);
  room.set(key, 1);
  if (!memtable.get(room, 1, 1 + key.length, sequence, out)) return 'nothing';
  return `${out.sequence} ${out.kind} ${decoder.decode(out.value.slice(out.valueStart, out.valueEnd))}`;
}

export function shown(at: EntryIterator): string {
  if (!at.valid) return 'end';
  const key = at.key.slice(at.keyStart, at.keyEnd);
  return `${key} ${at.sequence} ${at.kind} ${at.value.slice(at.valueStart, at.valueEnd)}`;
}

export function shownEntry(entry: ModelEntry | undefined): string {
  return entry === undefined ? 'end' : `${entry.key} ${entry.sequence} ${entry.kind} ${entry.value}`;
}

/** Keys that share much, also more than 127 bytes; runs of 0x00 and 0xff; prefixes of one another; the empty key. */
export function randomKey(random: Random): Uint8Array {
  const key = new Uint8Array(random.pick([0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 17, 126, 128, 133]));
  key.fill(random.pick([0, 0x61, 0xff]));
  for (let i = 0; i < 2 && key.length > 0; i++)
    key[random.below(key.length)] = random.pick([0, 1, 0x7f, 0x80, 0xff]);
  return key;
}

/** Fills both with the same random batches. */
export function fillBoth(
  memtable: Memtable,
  model: Model,
  random: Random,
  batches: number,
  firstSequence: number,
): void {
  for (let batch = 0; batch < batches; batch++) {
    for (let op = random.below(6); op >= 0; op--) {
      const kind = random.pick([KIND_PUT, KIND_PUT, KIND_PUT, KIND_DELETE, KIND_RANGE_DELETE]);
      const key = randomKey(random);
      const value = kind === KIND_DELETE ? new Uint8Array(0) : randomKey(random);
      addTo(memtable, firstSequence + batch, kind, key, value);
      model.add(firstSequence + batch, kind, key, value);
    }
  }
}

export function expectSame(
  memtable: Memtable,
  model: Model,
  random: Random,
  sequences: number,
  countedTwice = 0,
): void {
  const entries = model.sorted();
  const indexOf = (key: Uint8Array, sequence: number): number => {
    const at = entries.findIndex((e) => (compareBytes(e.key, key) || sequence - e.sequence) >= 0);
    return at < 0 ? entries.length : at;
  };
  const out = new PointResult();
  const it = memtable.iterator();
  for (let i = 0; i < 60; i++) {
    const key = randomKey(random);
    const sequence = random.oneIn(3) ? SEQUENCE_MAX : random.below(sequences + 2);
    const expected = entries[indexOf(key, sequence)];
    const isSame = expected !== undefined && compareBytes(expected.key, key) === 0;
    expect(memtable.get(key, 0, key.length, sequence, out)).toBe(isSame);
    if (isSame) {
      expect([out.sequence, out.kind]).toEqual([expected.sequence, expected.kind]);
      expect(out.value.slice(out.valueStart, out.valueEnd)).toEqual(expected.value);
    }
    let at = 0;
    const move = random.below(4);
    if (move === 0) it.first();
    if (move === 1) it.last();
    if (move === 1) at = entries.length - 1;
    if (move === 2) it.seek(key, 0, key.length, sequence);
    if (move === 2) at = indexOf(key, sequence);
    if (move === 3) it.seekBefore(key, 0, key.length);
    if (move === 3) at = indexOf(key, Number.POSITIVE_INFINITY) - 1;
    expect(shown(it)).toBe(shownEntry(entries[at]));
    for (let steps = random.below(8); steps > 0 && it.valid; steps--) {
      if (random.oneIn(2)) at++;
      else at--;
      if (at > entries.length) break;
      const before = shown(it);
      if (shownEntry(entries[at - 1]) === before && at > 0) it.next();
      else it.prev();
      expect(shown(it)).toBe(shownEntry(entries[at]));
    }
  }
  const fragments = memtable.rangeTombstones();
  expect(fragments === undefined).toBe(model.tombstones.length === 0);
  expect([...(fragments ?? FragmentedTombstones.none).fragments()]).toEqual([
    ...FragmentedTombstones.build(model.tombstones).fragments(),
  ]);
  const surplus = memtable.entries - entries.length - model.tombstones.length;
  expect(surplus).toBeGreaterThanOrEqual(0);
  expect(surplus).toBeLessThanOrEqual(countedTwice);
}

function shuffle(numbers: number[], random: Random): void {
  for (let i = numbers.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [numbers[i], numbers[j]] = [numbers[j]!, numbers[i]!];
  }
}

/** Runs the suite over memtables that live in the pool they are made with; `attach` is the way through a handle. */
export function memtableSuite(
  name: string,
  make: (pool: SegmentPool) => Memtable,
  attach: (handle: ReturnType<Memtable['handle']>) => Memtable,
): void {
  const bytes = (of: string): Uint8Array => text.encode(of);

  describe(`memtable: ${name}`, () => {
    test('holds nothing and no memory at first', () => {
      const pool = new SegmentPool(1 << 20);
      const memtable = make(pool);
      const it = memtable.iterator();
      it.first();
      expect(shown(it)).toBe('end');
      it.last();
      expect(shown(it)).toBe('end');
      it.seek(bytes('a'), 0, 1, 5);
      expect(shown(it)).toBe('end');
      it.seekBefore(bytes('a'), 0, 1);
      expect(shown(it)).toBe('end');
      expect(found(memtable, bytes('a'))).toBe('nothing');
      expect(memtable.rangeTombstones()).toBeUndefined();
      expect([memtable.entries, memtable.bytes, memtable.firstSequence, memtable.lastSequence]).toEqual([
        0, 0, 0, 0,
      ]);
      expect(pool.bytesUsed).toBe(0);
    });

    test('gives the newest version at or below a sequence, deletes included', () => {
      const memtable = make(new SegmentPool(1 << 20));
      addTo(memtable, 3, KIND_PUT, bytes('k'), bytes('three'));
      addTo(memtable, 5, KIND_DELETE, bytes('k'));
      addTo(memtable, 2 ** 40, KIND_PUT, bytes('k'), bytes('later'));
      expect(found(memtable, bytes('k'), 2)).toBe('nothing');
      expect(found(memtable, bytes('k'), 3)).toBe('3 1 three');
      expect(found(memtable, bytes('k'), 4)).toBe('3 1 three');
      expect(found(memtable, bytes('k'), 2 ** 40 - 1)).toBe('5 0 ');
      expect(found(memtable, bytes('k'))).toBe(`${2 ** 40} 1 later`);
      expect(found(memtable, bytes('k\0'))).toBe('nothing');
      expect([memtable.firstSequence, memtable.lastSequence]).toEqual([3, 2 ** 40]);
    });

    test('keeps the last operation on a key within a batch', () => {
      const memtable = make(new SegmentPool(1 << 20));
      addTo(memtable, 7, KIND_PUT, bytes('k'), bytes('first'));
      addTo(memtable, 7, KIND_DELETE, bytes('k'));
      addTo(memtable, 7, KIND_PUT, bytes('k'), bytes('a longer one'));
      expect(found(memtable, bytes('k'))).toBe('7 1 a longer one');
      expect(memtable.entries).toBe(1);
    });

    test('turns the earlier operations of its own batch into deletes by a range delete, and no others', () => {
      const memtable = make(new SegmentPool(1 << 20));
      addTo(memtable, 1, KIND_PUT, bytes('b'), bytes('old'));
      addTo(memtable, 2, KIND_PUT, bytes('a'), bytes('below'));
      addTo(memtable, 2, KIND_PUT, bytes('c'), bytes('inside'));
      addTo(memtable, 2, KIND_PUT, bytes('e'), bytes('at the end'));
      addTo(memtable, 2, KIND_RANGE_DELETE, bytes('b'), bytes('e'));
      addTo(memtable, 2, KIND_PUT, bytes('d'), bytes('after'));
      expect(found(memtable, bytes('a'))).toBe('2 1 below');
      expect(found(memtable, bytes('b'))).toBe('1 1 old');
      expect(found(memtable, bytes('c'))).toBe('2 0 ');
      expect(found(memtable, bytes('d'))).toBe('2 1 after');
      expect(found(memtable, bytes('e'))).toBe('2 1 at the end');
      expect(memtable.rangeTombstones()!.coveringSequence(bytes('b'), 0, 1, 9)).toBe(2);
      expect(memtable.rangeTombstones()!.coveringSequence(bytes('e'), 0, 1, 9)).toBe(0);
      expect(memtable.coveringSequence(bytes('b'), 0, 1, 9)).toBe(2);
      expect(memtable.coveringSequence(bytes('b'), 0, 1, 1)).toBe(0);
      expect(memtable.coveringSequence(bytes('e'), 0, 1, 9)).toBe(0);
      expect(memtable.entries).toBe(6);
    });

    test('holds what a range delete alone brings, and nothing of an empty range', () => {
      const memtable = make(new SegmentPool(1 << 20));
      addTo(memtable, 1, KIND_RANGE_DELETE, bytes('b'), bytes('b'));
      expect([memtable.entries, memtable.rangeTombstones()]).toEqual([0, undefined]);
      addTo(memtable, 2, KIND_RANGE_DELETE, bytes('b'), bytes('c'));
      expect(memtable.entries).toBe(1);
      const earlier = memtable.rangeTombstones();
      expect(memtable.rangeTombstones()).toBe(earlier);
      addTo(memtable, 3, KIND_RANGE_DELETE, bytes('a'), bytes('z'));
      expect(memtable.rangeTombstones()!.coveringSequence(bytes('b'), 0, 1, 2)).toBe(2);
      expect(memtable.rangeTombstones()!.coveringSequence(bytes('y'), 0, 1, 9)).toBe(3);
    });

    test('agrees with a sorted list under random batches, also through its handle', () => {
      const random = new Random(11);
      for (let round = 0; round < 30; round++) {
        const memtable = make(new SegmentPool(1 << 20));
        const model = new Model();
        const sequence = random.oneIn(2) ? 1 : 2 ** 45;
        for (let part = 0; part < 3; part++) {
          fillBoth(memtable, model, random, 10, sequence + part * 10);
          expectSame(memtable, model, random, sequence + 30);
        }
        const other = attach(structuredClone(memtable.handle()));
        expectSame(other, model, random, sequence + 30);
        expect([other.bytes, other.firstSequence, other.lastSequence]).toEqual([
          memtable.bytes,
          memtable.firstSequence,
          memtable.lastSequence,
        ]);
      }
    });

    test.for(['ascending', 'descending', 'random', 'two streams'])(
      'orders many keys that come %s',
      (order) => {
        const count = 20_000;
        const random = new Random(5);
        const memtable = make(new SegmentPool(8 << 20));
        const numbers = Array.from({ length: count }, (_, i) => i);
        if (order === 'descending') numbers.reverse();
        if (order === 'random') shuffle(numbers, random);
        if (order === 'two streams') numbers.sort((a, b) => (a % (count / 2)) - (b % (count / 2)));
        const keyOf = (i: number): Uint8Array => bytes(`user:${String(i).padStart(12, '0')}`);
        numbers.forEach((number, i) =>
          addTo(memtable, i + 1, KIND_PUT, keyOf(number), bytes(String(number))),
        );
        const it = memtable.iterator();
        let next = 0;
        for (it.first(); it.valid; it.next()) {
          if (decoder.decode(it.value.slice(it.valueStart, it.valueEnd)) !== String(next)) break;
          next++;
        }
        expect(next).toBe(count);
        for (it.last(); it.valid; it.prev()) {
          next--;
          if (decoder.decode(it.value.slice(it.valueStart, it.valueEnd)) !== String(next)) break;
        }
        expect([next, it.valid]).toEqual([0, false]);
        for (let i = 0; i < count; i += 97) expect(found(memtable, keyOf(i)).endsWith(` 1 ${i}`)).toBe(true);
      },
    );

    test('shows an iterator what is added ahead of it', () => {
      const memtable = make(new SegmentPool(1 << 20));
      for (const key of ['b', 'd']) addTo(memtable, 1, KIND_PUT, bytes(key));
      const it = memtable.iterator();
      it.first();
      for (const key of ['a', 'c', 'e']) addTo(memtable, 2, KIND_PUT, bytes(key));
      let seen = '';
      for (; it.valid; it.next()) seen += decoder.decode(it.key.slice(it.keyStart, it.keyEnd));
      for (it.last(); it.valid; it.prev()) seen += decoder.decode(it.key.slice(it.keyStart, it.keyEnd));
      expect(seen).toBe('bcdeedcba');
    });

    test('never fails within what was reserved, and counts its memory exactly', () => {
      const random = new Random(21);
      const pool = new SegmentPool(4 << 20);
      const memtable = make(pool);
      let sequence = 0;
      for (let refused = 0; refused < 20; ) {
        const sizes = Array.from({ length: 1 + random.below(40) }, () =>
          random.oneIn(20) ? random.below(200_000) : random.below(300),
        );
        const total = sizes.reduce((sum, size) => sum + size, 0);
        const before = memtable.bytes;
        if (!memtable.reserve(total, sizes.length)) {
          expect(memtable.bytes).toBe(before);
          refused++;
          continue;
        }
        sequence++;
        for (const size of sizes) {
          const key = new Uint8Array(random.below(Math.min(size, 60_000) + 1));
          for (let i = 0; i < Math.min(4, key.length); i++) key[i] = random.below(256);
          addTo(
            memtable,
            sequence,
            random.oneIn(10) ? KIND_RANGE_DELETE : KIND_PUT,
            key,
            new Uint8Array(size - key.length),
          );
        }
        expect(memtable.bytes).toBe(pool.bytesUsed);
      }
      expect(memtable.bytes).toBeGreaterThan(3 << 20);
      memtable.release();
      expect([memtable.bytes, pool.bytesUsed]).toEqual([0, 0]);
    });

    test('throws busy when nothing was reserved and the pool is full', () => {
      const memtable = make(new SegmentPool(1 << 20));
      expect(memtable.reserve(2 << 20, 1)).toBe(false);
      const big = new Uint8Array(2 << 20);
      expect(() => memtable.add(1, KIND_PUT, big, 0, 1, big, 0, big.length)).toThrow(
        expect.objectContaining({ kind: 'busy', code: 'MEMTABLE_MEMORY' }),
      );
      addTo(memtable, 1, KIND_PUT, bytes('a'), bytes('fits'));
      expect(found(memtable, bytes('a'))).toBe('1 1 fits');
    });

    test('takes a large value beside small ones and gives it back whole', () => {
      const pool = new SegmentPool(16 << 20);
      const memtable = make(pool);
      const big = new Uint8Array(5 << 20);
      for (let i = 0; i < big.length; i += 4096) big[i] = i >> 12;
      for (let i = 0; i < 10; i++) addTo(memtable, 1, KIND_PUT, bytes(`a${i}`), bytes('small'));
      memtable.add(1, KIND_PUT, bytes('big'), 0, 3, big, 0, big.length);
      for (let i = 0; i < 10; i++) addTo(memtable, 1, KIND_PUT, bytes(`c${i}`), bytes('small'));
      const out = new PointResult();
      expect(memtable.get(bytes('big'), 0, 3, 1, out)).toBe(true);
      expect(compareRanges(out.value, out.valueStart, out.valueEnd, big, 0, big.length)).toBe(0);
      expect(found(memtable, bytes('c9'))).toBe('1 1 small');
      expect(memtable.bytes).toBeLessThan(big.length + 400_000);
    });

    test('stays right when memory is short everywhere', () => {
      const random = new Random(31);
      const pool = new SegmentPool(8 * 1024, 512);
      const memtable = make(pool);
      const model = new Model();
      for (let sequence = 1; sequence < 200; sequence++) {
        const key = randomKey(random);
        if (!memtable.reserve(key.length, 1)) break;
        addTo(memtable, sequence, KIND_PUT, key);
        model.add(sequence, KIND_PUT, key, new Uint8Array(0));
      }
      expect(pool.bytesUsed).toBe(8 * 1024);
      expect(model.entries.length).toBeGreaterThan(20);
      expectSame(memtable, model, random, 200);
    });

    test('works where offsets no longer fit 31 bits', () => {
      const random = new Random(41);
      const pool = new SegmentPool(2.5 * 2 ** 30);
      pool.allocate(2 ** 31 - 32 * 1024);
      const memtable = make(pool);
      const model = new Model();
      fillBoth(memtable, model, random, 60, 1);
      addTo(memtable, 100, KIND_PUT, bytes('z'), new Uint8Array(100_000));
      model.add(100, KIND_PUT, bytes('z'), new Uint8Array(100_000));
      fillBoth(memtable, model, random, 60, 101);
      expectSame(memtable, model, random, 200);
      expectSame(attach(structuredClone(memtable.handle())), model, random, 200);
      expect(memtable.entries).toBeGreaterThan(200);
    });
  });
}
