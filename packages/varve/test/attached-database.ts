/** A database that another thread has opened, and the same attached in this one. */
import { Worker } from 'node:worker_threads';
import { attach, type Database, type DatabaseOptions } from 'varve';

export interface OwnerThread {
  readonly handle: unknown;
  /** Closes the database and ends the thread. */
  close(): Promise<void>;
  /** Ends the thread wherever it is. */
  terminate(): Promise<void>;
}

/** `offset`: what its clock adds to the system's. */
export async function ownerThread(
  path: string,
  options: DatabaseOptions,
  offset?: SharedArrayBuffer,
): Promise<OwnerThread> {
  const worker = new Worker(new URL('owner.worker.ts', import.meta.url), {
    workerData: { path, options, offset },
    execArgv: ['--conditions=varve-source'],
  });
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const handle = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  return {
    handle,
    close: () => {
      worker.postMessage('close');
      return ended;
    },
    terminate: async () => void (await worker.terminate()),
  };
}

/** Closing it ends the owner's thread too. */
export async function openAttached(
  path: string,
  options: DatabaseOptions,
  offset?: SharedArrayBuffer,
): Promise<Database> {
  const owner = await ownerThread(path, options, offset);
  const db = await attach(owner.handle);
  const close = db.close.bind(db);
  db.close = async (): Promise<void> => {
    await close();
    await owner.close();
  };
  return db;
}
