/** The B+tree passes the suites of memtables; its descriptor. */
import { expect, test } from 'vitest';
import { SegmentPool } from '../arena/segment-pool.ts';
import { KIND_PUT } from '../base/kinds.ts';
import { olderMemtable, rotatedAt, setOlderMemtable, setRotatedAt } from './descriptor.ts';
import { memtableWorkerSuite } from './memtable-worker.suite.ts';
import { addTo, memtableSuite } from './memtable.suite.ts';
import { attachMemtable, attachMemtableAt, makeMemtable } from './memtable.ts';

memtableSuite('a B+tree', (pool) => makeMemtable('btree', pool), attachMemtable);
memtableWorkerSuite('a B+tree', (pool) => makeMemtable('btree', pool));

const key = new TextEncoder().encode('a');

test('an attached B+tree refuses to be written', () => {
  const memtable = makeMemtable('btree', new SegmentPool(1 << 20));
  addTo(memtable, 1, KIND_PUT, key);
  const other = attachMemtable(structuredClone(memtable.handle()));
  expect(() => addTo(other, 2, KIND_PUT, key)).toThrow(/read only/);
});

test('a B+tree is described in a full pool, and again with what the engine stored kept', () => {
  const pool = new SegmentPool(16 * 1024);
  const memtable = makeMemtable('btree', pool);
  expect([memtable.describe(), memtable.descriptor]).toEqual([0, 0]);
  let added = 0;
  while (memtable.reserve(1, 1)) addTo(memtable, ++added, KIND_PUT, key);
  const descriptor = memtable.describe();
  expect([descriptor > 0, pool.allocate(1)]).toEqual([true, -1]);
  setOlderMemtable(pool, descriptor, 42);
  setRotatedAt(pool, descriptor, 2 ** 50 + 1);
  expect(memtable.describe()).toBe(descriptor);
  expect([olderMemtable(pool, descriptor), rotatedAt(pool, descriptor)]).toEqual([42, 2 ** 50 + 1]);
  expect(attachMemtableAt(pool, descriptor).entries).toBe(added);
  pool.sweep(memtable.runs());
  expect(pool.bytesUsed).toBe(memtable.bytes);
});
