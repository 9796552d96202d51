/** Savepoints: marks in the writes of their transaction. One is gone once its transaction went back to one before it. */
import { invalid } from '../base/errors.ts';
import type { Savepoint } from '../engine/transaction-types.ts';
import type { WriteMark } from './write-set.ts';

class SavepointMark implements Savepoint {
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

/** Those of one transaction. */
export class Savepoints {
  readonly #of: { readonly id: number };
  readonly #marks: SavepointMark[] = [];

  constructor(of: { readonly id: number }) {
    this.#of = of;
  }

  make(mark: WriteMark): Savepoint {
    const savepoint = new SavepointMark(this.#of, mark);
    this.#marks.push(savepoint);
    return savepoint;
  }

  /** Where to go back to; savepoints behind it are gone. @throws invalid `SAVEPOINT_INVALID` */
  backTo(savepoint: Savepoint): WriteMark {
    if (!(savepoint instanceof SavepointMark) || savepoint.of !== this.#of || savepoint.isGone) {
      throw invalid('SAVEPOINT_INVALID', 'the savepoint is not one of this transaction, or is gone', {
        transaction: this.#of.id,
      });
    }
    while (this.#marks.at(-1) !== savepoint) this.#marks.pop()!.isGone = true;
    return savepoint.mark;
  }
}
