/** Writes, in an attached thread, a run of keys with turns in between; whatever it writes, its owner's feed is to show. */
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { attach, utf8 } from 'varve';

const { handle, index, count, stays } = workerData as {
  handle: unknown;
  index: number;
  count: number;
  /** Until it is told to go. */
  stays?: boolean;
};
const db = await attach(handle);
const data = db.keyspace('data', { key: utf8, value: utf8 });
let last = 0;
for (let i = 0; i < count; i++) {
  if (i % 3 === 0)
    last = db.write(
      db
        .batch()
        .put(data, `${index} ${i}`, 'batch')
        .delete(data, `${index} ${i - 1}`),
    );
  else last = data.put(`${index} ${i}`, 'x'.repeat((i * 37) % 3000));
  if (i % 7 === 0) await new Promise(setImmediate);
}
if (index === 0) db.syncNow('disk');
parentPort!.postMessage(last);
if (stays === true) await once(parentPort!, 'message');
await db.close();
