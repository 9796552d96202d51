/** Conformance of a memtable across threads: a worker reads one that is written no more, in place. */
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { SegmentPool } from '../arena/segment-pool.ts';
import { KIND_PUT, KIND_RANGE_DELETE } from '../base/kinds.ts';
import { addTo } from './memtable.suite.ts';
import type { Memtable } from './memtable.ts';

const source = `
  const { workerData, parentPort } = await import('node:worker_threads');
  const { attachMemtable } = await import(workerData.url);
  const memtable = attachMemtable(workerData.handle);
  const it = memtable.iterator();
  let forward = 0;
  for (it.first(); it.valid; it.next()) forward += it.sequence;
  let back = 0;
  for (it.last(); it.valid; it.prev()) back += it.sequence;
  const key = new TextEncoder().encode('k4');
  const covering = memtable.rangeTombstones().coveringSequence(key, 0, 2, 3000);
  parentPort.postMessage([memtable.entries, forward, back, covering]);`;

export function memtableWorkerSuite(name: string, make: (pool: SegmentPool) => Memtable): void {
  test(`a worker thread reads ${name} and its range tombstones in place`, async () => {
    const text = new TextEncoder();
    const memtable = make(new SegmentPool(4 << 20));
    for (let i = 0; i < 1000; i++)
      addTo(memtable, i + 1, KIND_PUT, text.encode(`k${(i * 7919) % 1000}`), text.encode('v'));
    addTo(memtable, 2000, KIND_RANGE_DELETE, text.encode('a'), text.encode('k5'));
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
      workerData: { url: new URL('./memtable.ts', import.meta.url).href, handle: memtable.handle() },
      execArgv: ['--no-warnings'],
    });
    const answer = await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    await worker.terminate();
    expect(answer).toEqual([1001, 500_500, 500_500, 2000]);
  });
}
