/** What a reservation makes ready in a B+tree is enough for every split: no add goes to the arena for a node. */
import { afterEach, expect, test, vi } from 'vitest';
import { SegmentPool } from '../arena/segment-pool.ts';
import { KIND_PUT } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { BTree } from './btree.ts';
import { addTo } from './memtable.suite.ts';
import { NodeMemory } from './node-memory.ts';

afterEach(() => vi.restoreAllMocks());

const padded = (n: number): string => String(n).padStart(12, '0');

/** Orders that leave leaves full, in the middle and at the ends, and then add to these. */
const orders: Readonly<Record<string, (random: Random, i: number) => string>> = {
  random: (random) => padded(random.below(1e9)),
  ascending: (_, i) => padded(i),
  descending: (_, i) => padded(1e9 - i),
  'two ends in turn': (_, i) => padded((i >> 6) % 2 === 0 ? i : 1e9 - i),
  'ascending with strays': (random, i) => (i % 3 === 2 ? `${padded(random.below(i * 10))}x` : padded(i * 10)),
  'bursts at random places': (_, i) => padded(Math.floor(i / 60) * 7919 * 1000) + padded(i),
  'ascending, then one into each full leaf': (_, i) =>
    i < 10_000 ? padded(i * 1000) : padded(((i * 59) % 10_000) * 1000 + 1 + Math.floor(i / 170)),
};

test.for(Object.keys(orders))('keys that come %s', (order) => {
  let short = 0;
  const { prepare } = NodeMemory.prototype;
  vi.spyOn(NodeMemory.prototype, 'prepare').mockImplementation(function (this: NodeMemory, nodes: number) {
    if (nodes > this.ready) short++;
    prepare.call(this, nodes);
  });
  for (const batch of [1, 3, 700]) {
    const random = new Random(3);
    const tree = new BTree(new SegmentPool(16 << 20));
    for (let i = 0; i < 15_000; ) {
      const operations = 1 + random.below(batch);
      expect(tree.reserve(operations * 32, operations)).toBe(true);
      for (let j = 0; j < operations; j++, i++) {
        addTo(tree, i + 1, KIND_PUT, Buffer.from(orders[order]!(random, i)));
      }
    }
    expect([batch, short]).toEqual([batch, 0]);
  }
});
