/** An attached thread that takes dead rows out of the index `names` when it is told to, and says how many or with what it was refused. */
import { parentPort, workerData } from 'node:worker_threads';
import { attach, utf8, VarveError } from 'varve';
import { openInventory, openMgaIndex } from 'varve/mga';

const { handle, buffer } = workerData as { handle: unknown; buffer: SharedArrayBuffer };
const db = await attach(handle);
const inventory = await openInventory(db, { buffer });
const index = await openMgaIndex(db, 'names', { key: utf8, inventory });
async function answer(tids: number[]): Promise<void> {
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
}
parentPort!.on('message', (tids: number[]) => void answer(tids));
parentPort!.postMessage(index.get('a', inventory.begin()));
