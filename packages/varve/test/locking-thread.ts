/** An attached thread that takes locks when a test says so (locks-shared.worker.ts). */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Database, type ErrorKind, type TransactionStats, VarveError } from 'varve';
import { onTestFinished } from 'vitest';

export interface LockCalls {
  begin(name: string, lockTimeoutMs: number): number;
  lock(name: string, key: string): Promise<string | undefined>;
  lockRange(name: string, gte: string, lt: string): Promise<void>;
  lockMany(name: string, count: number): Promise<void>;
  put(name: string, key: string, value: string): void;
  commit(name: string): number;
  rollback(name: string): void;
  plainPut(key: string, value: string): number;
  putWithin(key: string, value: string, deadlineMs: number): Promise<number>;
  swap(one: string, two: string): Promise<void>;
  count(key: string, times: number): Promise<void>;
  locks(): TransactionStats;
  /** Stores 1 to the first word of `gate` when it has the lock. */
  lockThenOpen(name: string, key: string, gate: SharedArrayBuffer): Promise<void>;
  prepared(): string[];
  decide(id: string, isCommit: boolean): number;
  /** Stores 1 to the first word of `gate` when it is through, whatever came of it. */
  commitThenOpen(id: string, gate: SharedArrayBuffer): number;
  close(): Promise<void>;
  exit(): void;
}

interface Answer {
  readonly id: number;
  readonly output?: unknown;
  readonly error?: { code: string; kind: ErrorKind; message: string; context: Record<string, unknown> };
}

export class LockingThread {
  readonly worker: Worker;
  /** Listened to from the start: a thread that says it is done may be gone before the answer is looked at. */
  readonly ended: Promise<unknown>;
  readonly #waiting = new Map<number, { resolve(output: unknown): void; reject(error: unknown): void }>();
  #id = 0;

  private constructor(handle: unknown) {
    this.worker = new Worker(new URL('locks-shared.worker.ts', import.meta.url), {
      workerData: handle,
      execArgv: ['--conditions=varve-source'],
    });
    this.ended = once(this.worker, 'exit');
    this.worker.on('message', (message: Answer | 'ready') => {
      if (message === 'ready') return;
      const { id, output, error } = message;
      const { resolve, reject } = this.#waiting.get(id)!;
      this.#waiting.delete(id);
      if (error === undefined) resolve(output);
      else reject(new VarveError(error.kind, error.code, error.message, error.context));
    });
  }

  static async of(db: Database): Promise<LockingThread> {
    const thread = new LockingThread(db.share());
    onTestFinished(async () => void (await thread.worker.terminate()));
    await once(thread.worker, 'message');
    return thread;
  }

  get id(): number {
    return this.worker.threadId;
  }

  call<Name extends keyof LockCalls>(
    name: Name,
    ...input: Parameters<LockCalls[Name]>
  ): Promise<Awaited<ReturnType<LockCalls[Name]>>> {
    const id = this.#id++;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    // Of a thread that is ended nobody hears.
    answer.catch(() => undefined);
    this.worker.postMessage({ id, name, input });
    return answer as Promise<Awaited<ReturnType<LockCalls[Name]>>>;
  }
}

/** Resolves once so many requests wait for a lock, over all threads. */
export async function untilWaiting(db: Database, count: number): Promise<void> {
  while (db.stats().transactions.waiting !== count) await new Promise((resolve) => setImmediate(resolve));
}
