/**
 * What the owner and a job thread say to each other, over one message port a thread. One job at a time: a request, then
 * its reply; `undefined` instead of a request ends the thread. The first reply of a thread has the id STARTED: from now on
 * it takes requests.
 */
import type { MessagePort } from 'node:worker_threads';
import type { TransferredError } from './error-transfer.ts';

/** No request has this id. */
export const STARTED = 0;

export interface WorkerData {
  readonly port: MessagePort;
  /** Raised by one after every posted reply. */
  readonly wake: Int32Array;
  /** Of the lane: priority.ts. */
  readonly niceness: number;
}

export interface WorkerRequest {
  readonly id: number;
  readonly name: string;
  readonly input: unknown;
  /** URLs of modules of the user's, imported before the job begins. */
  readonly modules: readonly string[] | undefined;
  /** Word 0 is 1 once the job is to stop. */
  readonly cancel: Int32Array;
}

export type WorkerReply =
  | { readonly id: number; readonly ok: true; readonly output: unknown }
  | { readonly id: number; readonly ok: false; readonly error: TransferredError };
