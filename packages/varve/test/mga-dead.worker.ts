/** An attached thread that takes dead rows out of the index `names` when it is told to, and says how many or with what it was refused. */
import { parentPort, workerData } from 'node:worker_threads';
import { attach, utf8, VarveError } from 'varve';
import { openInventory, openMgaIndex } from 'varve/mga';

const { handle, buffer } = workerData as { handle: unknown; buffer: SharedArrayBuffer };
const db = await attach(handle);
const inventory = await openInventory(db, { buffer });
const index = await openMgaIndex(db, 'names', { key: utf8, inventory });
parentPort!.on('message', async (tids: number[]) => {
  if (tids.length === 0) {
    parentPort!.close();
    await db.close();
    return;
  }
  try {
    parentPort!.postMessage(await index.removeDeadEntries(tids));
  } catch (error) {
    parentPort!.postMessage(error instanceof VarveError ? error.code : String(error));
  }
});
parentPort!.postMessage(index.get('a', inventory.begin()));
