/**
 * Asks the owner for work that takes its time, from an attached thread: how far it is comes back while it runs, and an abort
 * ends the waiting at once and calls the work off (asked-compactions.ts).
 */
import { Deferred } from '../../runtime/deferred.ts';
import { checkAborted } from '../compactions/compact.ts';
import type { CompactionProgress, OnProgress } from '../compaction-types.ts';
import type { AskedWork } from './asked-compactions.ts';
import type { RequestClient } from './requests.ts';

type Options = AskedWork['options'] & { signal?: AbortSignal; onProgress?: OnProgress };

/** @throws VarveError `ABORTED` (busy) with `aborted` as its message */
export async function askWork<T>(
  client: RequestClient,
  name: string,
  { signal, onProgress, ...options }: Options,
  aborted: string,
): Promise<T> {
  checkAborted(signal, aborted);
  const ended = new Deferred<T>();
  let isOver = false;
  const input: AskedWork = { options, tells: onProgress !== undefined };
  const { promise, id } = client.begin<T>(name, input, (progress) => {
    if (isOver) return;
    attempt(() => onProgress!(progress as CompactionProgress));
  });
  /** What is thrown ends it. */
  const attempt = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      isOver = true;
      client.tell('abort', id);
      ended.reject(error);
    }
  };
  promise.then(ended.resolve, ended.reject);
  const abort = (): void => attempt(() => checkAborted(signal, aborted));
  signal?.addEventListener('abort', abort);
  try {
    return await ended.promise;
  } finally {
    isOver = true;
    signal?.removeEventListener('abort', abort);
  }
}
