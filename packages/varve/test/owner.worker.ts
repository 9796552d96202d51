/** Opens a database in a thread of its own and sends the share handle; closes it when it is told to. */
import { parentPort, workerData } from 'node:worker_threads';
import { type DatabaseOptions, open } from 'varve';
import { movedClock } from './moved-clock.ts';

const { path, options, offset } = workerData as {
  path: string;
  options: DatabaseOptions;
  offset: SharedArrayBuffer | undefined;
};
const db = await open(path, offset === undefined ? options : { ...options, clock: movedClock(offset) });
parentPort!.postMessage(db.share());
parentPort!.once('message', () => {
  void db.close().then(() => parentPort!.close());
});
