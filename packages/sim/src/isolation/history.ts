/**
 * What transactions did, as far as the checker has to know: which versions they read, which they wrote, how they ended.
 *
 * A version has a name of its own, which is in its value: the transaction that wrote it and the how manieth write of that it
 * was. So a read says whose write it saw. A key that is not there is a version too: `ABSENT` before its first write, or the
 * name of the write that deleted it.
 */

/** Before anything was written. */
export const ABSENT = 'absent';

export interface ReadOperation {
  readonly kind: 'read';
  readonly key: string;
  /** The version that was seen. */
  readonly version: string;
}

export interface WriteOperation {
  readonly kind: 'write';
  readonly key: string;
  readonly version: string;
  /** Undone by a savepoint, or followed by another write of the key in the same transaction: nobody may ever see it. */
  isIntermediate: boolean;
}

export type Operation = ReadOperation | WriteOperation;

export interface TransactionRecord {
  readonly id: number;
  readonly operations: Operation[];
  /** Undefined: it was rolled back or refused. */
  committedAt: number | undefined;
}

export interface History {
  readonly seed: number;
  readonly transactions: readonly TransactionRecord[];
}
