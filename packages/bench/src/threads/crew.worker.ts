/** One thread of a crew (crew.ts): opens the store that another thread has opened, then does what it is told. */
import { parentPort, workerData } from 'node:worker_threads';
import { openStore } from '../compare/peers/peer.ts';
import type { CrewData, Order } from './crew.ts';
import { perform } from './tasks.ts';

const { engine, settings, sizes } = workerData as CrewData;
const store = await openStore(engine, settings);
const port = parentPort!;

async function follow(order: Order | 'close'): Promise<void> {
  if (order === 'close') {
    await store.close();
    port.close();
    return;
  }
  port.postMessage(await perform(store, sizes, order.task, order.words, order.parties));
}

port.on('message', (order: Order | 'close') => {
  follow(order).catch((error: unknown) => {
    // Out of the promise, so that it ends this thread and with it the measurement.
    setImmediate(() => {
      throw error;
    });
  });
});
port.postMessage('open');
