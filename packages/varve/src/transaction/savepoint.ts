/** A savepoint: a mark in the writes of its transaction. Gone once its transaction went back to one before it. */
import type { Savepoint } from '../engine/transaction-types.ts';
import type { WriteMark } from './write-set.ts';

export class SavepointMark implements Savepoint {
  readonly mark: WriteMark;
  /** The transaction that it is of. */
  readonly of: unknown;
  isGone = false;

  constructor(of: unknown, mark: WriteMark) {
    this.of = of;
    this.mark = mark;
  }

  get operations(): number {
    return this.mark.operations;
  }
}
