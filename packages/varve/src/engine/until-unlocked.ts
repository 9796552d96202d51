/**
 * Writes that wait for what transactions have locked: tried, refused by a lock, tried again when something was let go.
 */
import { VarveError } from '../base/errors.ts';
import type { WriteGuard } from './commit-env.ts';

export interface LockedWrite<T> {
  /** Where the guard is, while anything is locked. */
  readonly pipeline: { readonly guard: WriteGuard | undefined };
  /** What a lock may refuse. */
  attempt(): T;
  /** Resolves when something was let go, or rejects when the write is given up. */
  wait(change: Promise<void>, refusal: VarveError): Promise<unknown>;
}

/**
 * Runs `write`, which calls what it is given at once or later, until no lock refuses that. The first time is within the call,
 * and what `write` gives is not awaited without need: what the caller writes next comes after the commit.
 *
 * What is let go is listened for at the refusal itself: when `write` tells of it, the lock may have been let go already, or
 * there was nothing locked when `write` began.
 */
export async function untilUnlocked<T, R>(
  { pipeline, attempt, wait }: LockedWrite<T>,
  write: (attempt: () => T) => R | Promise<R>,
): Promise<R> {
  let change: Promise<void> | undefined;
  const listening = (): T => {
    try {
      return attempt();
    } catch (error) {
      if (isLocked(error)) change = pipeline.guard?.change();
      throw error;
    }
  };
  for (;;) {
    change = undefined;
    try {
      const made = write(listening);
      return made instanceof Promise ? await made : made;
    } catch (error) {
      if (change === undefined || !isLocked(error)) throw error;
      await wait(change, error);
    }
  }
}

function isLocked(error: unknown): error is VarveError {
  return error instanceof VarveError && error.code === 'KEY_LOCKED';
}
