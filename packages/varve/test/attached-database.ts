/** A database that another thread has opened, attached in this one; closing it ends that thread too. */
import { Worker } from 'node:worker_threads';
import { attach, type Database, type DatabaseOptions } from 'varve';

export async function openAttached(path: string, options: DatabaseOptions): Promise<Database> {
  const owner = new Worker(new URL('owner.worker.ts', import.meta.url), {
    workerData: { path, options },
    execArgv: ['--conditions=varve-source'],
  });
  const handle = await new Promise((resolve, reject) => {
    owner.once('message', resolve);
    owner.once('error', reject);
  });
  const db = await attach(handle);
  const close = db.close.bind(db);
  db.close = async (): Promise<void> => {
    await close();
    const ended = new Promise((resolve) => owner.once('exit', resolve));
    owner.postMessage('close');
    await ended;
  };
  return db;
}
