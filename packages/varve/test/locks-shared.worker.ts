/** Does in an attached thread what it is told, a message each, and answers with what came of it. */
import { parentPort, workerData } from 'node:worker_threads';
import { attach, type Transaction, utf8, VarveError } from 'varve';
import { countUp } from './count-up.ts';
import type { LockCalls } from './locking-thread.ts';

const db = await attach(workerData);
const data = db.keyspace('texts', { key: utf8, value: utf8 });
const transactions = new Map<string, Transaction>();
const tx = (name: string): Transaction => transactions.get(name)!;

const calls: LockCalls = {
  begin: (name, lockTimeoutMs) => {
    transactions.set(name, db.begin({ lockTimeoutMs }));
    return tx(name).id;
  },
  lock: (name, key) => tx(name).getForUpdate(data, key),
  lockRange: (name, gte, lt) => tx(name).lockRange(data, { gte, lt }),
  lockMany: async (name, count) => {
    for (let i = 0; i < count; i++) await tx(name).getForUpdate(data, `many-${i}`);
  },
  put: (name, key, value) => tx(name).put(data, key, value),
  commit: (name) => tx(name).commit(),
  rollback: (name) => tx(name).rollback(),
  plainPut: (key, value) => data.put(key, value),
  putWithin: (key, value, deadlineMs) => data.put(key, value, { durability: 'memory', deadlineMs }),
  swap: (one, two) =>
    db.transaction(async (transaction) => {
      const x = await transaction.getForUpdate(data, one);
      const y = await transaction.getForUpdate(data, two);
      transaction.put(data, one, y!);
      transaction.put(data, two, x!);
    }),
  count: (key, times) => countUp(db, data, key, times),
  locks: () => db.stats().transactions,
  lockThenOpen: async (name, key, gate) => {
    await tx(name).getForUpdate(data, key);
    Atomics.store(new Int32Array(gate), 0, 1);
  },
  prepared: () => db.preparedTransactions().map(({ id }) => id),
  decide: (id, isCommit) => (isCommit ? db.commitPrepared(id) : db.rollbackPrepared(id)),
  commitThenOpen: (id, gate) => {
    try {
      return db.commitPrepared(id);
    } finally {
      Atomics.store(new Int32Array(gate), 0, 1);
    }
  },
  close: () => db.close(),
  exit: () => process.exit(0),
};

parentPort!.on('message', ({ id, name, input }: { id: number; name: keyof LockCalls; input: never[] }) => {
  const answer = async (): Promise<unknown> => (calls[name] as (...input: never[]) => unknown)(...input);
  void answer().then(
    (output) => parentPort!.postMessage({ id, output }),
    (error: unknown) => {
      const { code, kind, message, context } = error as VarveError;
      parentPort!.postMessage({ id, error: { code, kind, message, context } });
    },
  );
  // What is left of the database keeps the thread alive, or does not.
  if (name === 'close') parentPort!.unref();
});
parentPort!.postMessage('ready');
