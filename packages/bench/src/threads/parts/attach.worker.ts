/** Times `attach`, again and again: for attach.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { attach, type ShareHandle } from 'varve';
import { KeyBuffer } from '../../keys.ts';
import type { AttachTimes } from './attach.ts';

const KEY_SIZE = 16;

async function time(handle: ShareHandle): Promise<AttachTimes> {
  const attachMs: number[] = [];
  const readyMs: number[] = [];
  const { bytes } = new KeyBuffer(KEY_SIZE);
  for (let i = 0; i < (workerData as number); i++) {
    const start = performance.now();
    const db = await attach(handle);
    attachMs.push(performance.now() - start);
    if (db.keyspace('bench').get(bytes) === undefined) throw new Error('the first key is not there');
    readyMs.push(performance.now() - start);
    await db.close();
  }
  return { attachMs, readyMs };
}

parentPort!.once('message', (handle: ShareHandle) => {
  void time(handle).then((times) => parentPort!.postMessage(times));
});
parentPort!.postMessage('loaded');
