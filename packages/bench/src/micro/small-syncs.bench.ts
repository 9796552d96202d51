/**
 * A thread that appends 4 KiB to a file of its own and syncs it, again and again, as a log beside a flush does; tells how
 * long each sync took. Started by study-write-units with the path; ends when it is told to.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { setImmediate as turn } from 'node:timers/promises';

const RECORD_BYTES = 4096;

const descriptor = openSync(String(workerData), 'w');
const record = new Uint8Array(RECORD_BYTES).fill(1);
let syncsMs: number[] = [];
let stopped = false;
parentPort!.on('message', (message) => {
  if (message === 'stop') stopped = true;
  else {
    parentPort!.postMessage(syncsMs);
    syncsMs = [];
  }
});
for (let at = 0; !stopped; at += RECORD_BYTES) {
  writeSync(descriptor, record, 0, RECORD_BYTES, at);
  const start = performance.now();
  fdatasyncSync(descriptor);
  syncsMs.push(performance.now() - start);
  await turn();
}
closeSync(descriptor);
parentPort!.close();
