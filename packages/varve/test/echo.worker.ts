/** A thread that attaches a database, answers what the other one has put under `question`, and holds a snapshot when told to. */
import { parentPort, workerData } from 'node:worker_threads';
import { attach, utf8 } from 'varve';

const db = await attach(workerData);
const texts = db.keyspace('texts', { key: utf8, value: utf8 });
parentPort!.on('message', (message: number | 'hold' | 'end') => {
  if (message === 'hold') {
    parentPort!.postMessage(db.snapshot().sequence);
  } else if (message === 'end') {
    void db.close().then(() => parentPort!.close());
  } else if (texts.get('question') === String(message)) {
    parentPort!.postMessage(texts.put('answer', `answer to ${message}`));
  } else parentPort!.postMessage(-1);
});
