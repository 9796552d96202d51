/** Puts and removes rows in an attached thread, each in a transaction, and tells which rows have to be there in the end. */
import { parentPort, workerData } from 'node:worker_threads';
import { attach } from 'varve';
import { work } from './mga-work.ts';

const { handle, buffer, index, count } = workerData as {
  handle: unknown;
  buffer: SharedArrayBuffer;
  index: number;
  count: number;
};
const db = await attach(handle);
parentPort!.postMessage(await work(db, buffer, index, count));
await db.close();
