/**
 * What compactions make of failures: a full disk is waited out, a lost thread is tried again a few times, a rejected picker
 * is replaced, everything else stops the keyspace from compacting until the next open. Writes and reads go on in any case.
 */
import { internal, VarveError } from '../../base/errors.ts';
import { isDiskFull } from '../durability.ts';
import type { Tree } from '../tree.ts';

/** A job whose threads were lost so many times in a row is at fault itself. */
export const LOST_MAX = 3;

export type Answer = 'wait' | 'again' | 'stop';

export class Failures {
  readonly #stopped = new WeakMap<Tree, unknown>();
  /** Threads that were lost in a row. */
  readonly #lost = new WeakMap<Tree, number>();

  /** Why a keyspace does not compact any more, if it does not. */
  of(tree: Tree): unknown {
    return this.#stopped.get(tree);
  }

  succeeded(tree: Tree): void {
    this.#lost.delete(tree);
  }

  /** What is to be done about a compaction of the tree that ended with `error`. */
  failed(tree: Tree, error: unknown): Answer {
    if (isDiskFull(error)) return 'wait';
    if (isLost(error)) {
      const lost = (this.#lost.get(tree) ?? 0) + 1;
      this.#lost.set(tree, lost);
      if (lost < LOST_MAX) return 'again';
    }
    this.#stopped.set(tree, error);
    return 'stop';
  }
}

/** The thread that ran the job died. */
export function isLost(error: unknown): boolean {
  return error instanceof VarveError && error.code === 'WORKER_LOST';
}

/** Somebody called it off. */
export function isCancelled(error: unknown): boolean {
  return error instanceof VarveError && error.code === 'CANCELLED';
}

/** The error of a compaction that was asked for and can not be made: of the kind and code of what stopped it. */
export function compactionRefused(tree: Tree, cause: unknown): Error {
  const why = `keyspace '${tree.name}' does not compact`;
  if (!(cause instanceof VarveError)) return internal(`${why}: ${String(cause)}`, { keyspace: tree.name });
  const context = { keyspace: tree.name, ...cause.context };
  return new VarveError(cause.kind, cause.code, `${why}: ${cause.message}`, context, { cause });
}
