/** Moves money between accounts in transactions, in an attached thread; counts every one under a key that all threads want. */
import { parentPort, workerData } from 'node:worker_threads';
import { attach, u64, utf8 } from 'varve';
import { transfers } from './transfers.ts';

const { handle, index, count } = workerData as { handle: unknown; index: number; count: number };
const db = await attach(handle);
const accounts = db.keyspace('accounts', { key: utf8, value: u64 });
await transfers(db, accounts, index, count);
parentPort!.postMessage(db.stats().transactions);
await db.close();
