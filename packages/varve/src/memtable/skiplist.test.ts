/** The skiplist passes the suite of memtables, and a worker thread reads it in place. */
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { SegmentPool } from '../arena/segment-pool.ts';
import { KIND_PUT, KIND_RANGE_DELETE } from '../base/kinds.ts';
import { attachMemtable } from './memtable.ts';
import { addTo, memtableSuite } from './memtable.suite.ts';
import { SkipList } from './skiplist.ts';

memtableSuite('a skiplist', (pool) => new SkipList(pool), attachMemtable);

test('a worker thread reads a list and its range tombstones in place', async () => {
  const text = new TextEncoder();
  const list = new SkipList(new SegmentPool(4 << 20));
  for (let i = 0; i < 1000; i++)
    addTo(list, i + 1, KIND_PUT, text.encode(`k${(i * 7919) % 1000}`), text.encode('v'));
  addTo(list, 2000, KIND_RANGE_DELETE, text.encode('a'), text.encode('k5'));
  const source = `
    const { workerData, parentPort } = await import('node:worker_threads');
    const { attachMemtable } = await import(workerData.url);
    const list = attachMemtable(workerData.handle);
    const it = list.iterator();
    let forward = 0;
    for (it.first(); it.valid; it.next()) forward += it.sequence;
    let back = 0;
    for (it.last(); it.valid; it.prev()) back += it.sequence;
    const key = new TextEncoder().encode('k4');
    parentPort.postMessage([list.entries, forward, back, list.rangeTombstones().coveringSequence(key, 0, 2, 3000)]);`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: { url: new URL('./memtable.ts', import.meta.url).href, handle: list.handle() },
    execArgv: ['--no-warnings'],
  });
  const answer = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await worker.terminate();
  expect(answer).toEqual([1001, 500_500, 500_500, 2000]);
});
