/** What point reads ask of the range deletes of a memtable is right however they alternate, and does not cost all of them each time. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { SegmentPool } from '../arena/segment-pool.ts';
import { KIND_RANGE_DELETE } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { FragmentedTombstones, type RangeTombstone } from '../base/range-tombstones.ts';
import { addTo } from './memtable.suite.ts';
import { makeMemtable, type Memtable } from './memtable.ts';

const keyOf = (i: number): Uint8Array => new TextEncoder().encode(String(i).padStart(6, '0'));

function deletes(memtable: Memtable, sequence: number, from: number, to: number): RangeTombstone {
  addTo(memtable, sequence, KIND_RANGE_DELETE, keyOf(from), keyOf(to));
  return { start: keyOf(from), end: keyOf(to), sequence };
}

const coverOf = (memtable: Memtable, i: number, sequence: number): number =>
  memtable.coveringSequence(keyOf(i), 0, 6, sequence);

test.each(['btree', 'skiplist'] as const)(
  'a %s answers point reads between range deletes as one set of all would',
  (structure) => {
    const random = new Random(3);
    const memtable = makeMemtable(structure, new SegmentPool(1 << 22));
    expect(coverOf(memtable, 5, 9)).toBe(0);
    const all: RangeTombstone[] = [];
    for (let sequence = 1; sequence <= 600; sequence++) {
      const from = random.below(1000);
      all.push(deletes(memtable, sequence, from, from + 1 + random.below(sequence % 7 === 0 ? 300 : 9)));
      if (random.oneIn(40)) expect(memtable.rangeTombstones()!.count).toBeGreaterThan(0);
      if (random.oneIn(4)) continue;
      const model = FragmentedTombstones.build(all);
      // Sometimes so many that the sets are joined.
      for (let reads = random.oneIn(20) ? 200 : 2; reads > 0; reads--) {
        const [key, at] = [random.below(1300), 1 + random.below(sequence)];
        expect(coverOf(memtable, key, at)).toBe(model.coveringSequence(keyOf(key), 0, 6, at));
      }
    }
    expect([...memtable.rangeTombstones()!.fragments()]).toEqual([
      ...FragmentedTombstones.build(all).fragments(),
    ]);
  },
);

test('a range delete and a point read in turn copy each tombstone a few times', () => {
  const merge = vi.spyOn(FragmentedTombstones, 'merge');
  onTestFinished(() => merge.mockRestore());
  const memtable = makeMemtable('btree', new SegmentPool(1 << 22));
  const count = 4096;
  for (let i = 0; i < count; i++) {
    deletes(memtable, i + 1, 10 * i, 10 * i + 5);
    expect(coverOf(memtable, 10 * i, count)).toBe(i + 1);
  }
  const copied = merge.mock.calls.flatMap(([sets]) => sets).reduce((sum, set) => sum + set.count, 0);
  expect(copied).toBeLessThan(count * 2 * Math.log2(count));
});
