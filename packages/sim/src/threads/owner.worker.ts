/**
 * A thread that opens the database and shares it, and does nothing else with it; terminated, or told to close it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type DatabaseOptions, open } from 'varve';
import { openKeyspaces } from './keyspaces.ts';

export interface OwnerInput {
  readonly path: string;
  readonly options: DatabaseOptions;
}

const { path, options } = workerData as OwnerInput;
const db = await open(path, options);
openKeyspaces(db);
const alive = setInterval(() => undefined, 1000);
parentPort!.on('message', () => {
  clearInterval(alive);
  db.close().then(
    () => process.exit(0),
    (error: unknown) => {
      throw error;
    },
  );
});
parentPort!.postMessage(db.share());
