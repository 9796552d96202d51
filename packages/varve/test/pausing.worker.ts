/** A thread that attaches a database, pauses its compactions and says so; closes the database when it is told to. */
import { parentPort, workerData } from 'node:worker_threads';
import { attach } from 'varve';

const db = await attach(workerData);
db.pauseCompaction();
db.pauseCompaction();
parentPort!.once('message', () => {
  void db.close().then(() => parentPort!.close());
});
parentPort!.postMessage('paused');
