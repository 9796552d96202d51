/** Opens a database in a thread of its own and sends the share handle; closes it when it is told to. */
import { parentPort, workerData } from 'node:worker_threads';
import { type DatabaseOptions, open } from 'varve';

const { path, options } = workerData as { path: string; options: DatabaseOptions };
const db = await open(path, options);
parentPort!.postMessage(db.share());
parentPort!.once('message', () => {
  void db.close().then(() => parentPort!.close());
});
