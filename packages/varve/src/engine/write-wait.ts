/**
 * Awaited writes: wait for room, commit, wait for the durability class; with a deadline and an AbortSignal.
 *
 * Without pressure the commit happens inside the call, so an awaited write is visible at once, as a plain one is. Giving up
 * (deadline, abort) before the commit means nothing was written; after it the write stays and only the waiting ends, which
 * the error says in `context.applied`.
 */
import { asError, busy, invalid, VarveError } from '../base/errors.ts';
import { Patience } from '../runtime/patience.ts';
import { checkOptionMembers } from './option-members.ts';
import { untilUnlocked } from './until-unlocked.ts';
import type { Durability, PutOptions, WriteWait } from './keyspace-types.ts';
import type { Session } from './core.ts';

const classes: readonly Durability[] = ['memory', 'os', 'disk', 'replicated'];

const waitMembers = new Set(['durability', 'signal', 'deadlineMs']);

/**
 * Refuses what is no object, and unknown members by name: that of a put is known where `expires` is true, those of a wait where
 * `waits` is.
 */
export function checkMembers(options: object, waits: boolean, expires: boolean): void {
  if (typeof options !== 'object' || options === null) {
    throw invalid('OPTION_INVALID', `options of a write are an object; got ${String(options)}`, {
      got: typeof options,
    });
  }
  for (const name in options) {
    const isKnown = (expires && name === 'ttlMs') || (waits && waitMembers.has(name));
    if (isKnown || !Object.hasOwn(options, name)) continue;
    if (name === 'ttlMs') throw notExpiring();
    throw invalid('OPTION_INVALID', `a write has no option '${name}'`, { got: name });
  }
}

/** What has no time to live was given one. */
export function notExpiring(): VarveError {
  return invalid('OPTION_INVALID', 'only a put takes ttlMs: operands and deletes do not expire', {
    option: 'ttlMs',
    got: 'ttlMs',
  });
}

/** Do the options of a write ask to wait? Unknown members are refused by name. */
export function isWait(
  options: (PutOptions & Partial<WriteWait>) | undefined,
  expires: boolean,
): options is WriteWait {
  if (options === undefined) return false;
  checkMembers(options, true, expires);
  for (const name in options) if (name !== 'ttlMs' && Object.hasOwn(options, name)) return true;
  return false;
}

/**
 * Runs a write that was given options. A call that asks for a durability gives a promise, so whatever refuses it rejects:
 * such a call never throws.
 */
export function withOptions<T>(options: unknown, run: () => T | Promise<T>): T | Promise<T> {
  const givesPromise = typeof options === 'object' && options !== null && 'durability' in options;
  if (!givesPromise) return run();
  try {
    return run();
  } catch (error) {
    return Promise.reject(asError(error));
  }
}

/** Refuses a wait that can not be met: unknown class, `replicated`, a bad deadline. That of a put may stand beside a `ttlMs`. */
export function checkWait(wait: WriteWait, expires: boolean = false): void {
  checkMembers(wait, true, expires);
  const { durability, deadlineMs, signal } = wait;
  if (!classes.includes(durability)) {
    throw invalid(
      'DURABILITY_INVALID',
      `durability is one of ${classes.join(', ')}; got ${String(durability)}`,
      {
        got: durability,
      },
    );
  }
  if (durability === 'replicated') {
    throw invalid(
      'DURABILITY_INVALID',
      "durability 'replicated' needs a cluster; here 'disk' is the highest",
      {
        got: durability,
      },
    );
  }
  if (deadlineMs !== undefined && !(typeof deadlineMs === 'number' && deadlineMs >= 0)) {
    throw invalid(
      'OPTION_INVALID',
      `deadlineMs is milliseconds from now, 0 or more; got ${String(deadlineMs)}`,
      {
        got: deadlineMs,
      },
    );
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalid('OPTION_INVALID', 'signal must be an AbortSignal', { got: typeof signal });
  }
}

const durabilityMembers = new Set(['durability']);

/** Of a call that waits for a durability and can not be given up. @throws invalid `OPTION_INVALID`, `DURABILITY_INVALID` */
export function checkDurability(what: string, wait: { readonly durability: Durability }): void {
  checkOptionMembers(what, wait, durabilityMembers);
  checkWait(wait);
}

/** Can a write be committed in the call itself, with nobody who may give up on it? */
export function isUnhindered(core: Session, wait: WriteWait): boolean {
  return wait.signal === undefined && wait.deadlineMs === undefined && !core.pressure.isTight;
}

/** Runs `commit` when there is room and resolves with its sequence once that is as durable as asked. */
export async function writeAwaited(
  core: Session,
  bytes: number,
  wait: WriteWait,
  commit: () => number,
): Promise<number> {
  if (isUnhindered(core, wait)) return reach(core, wait.durability, commit());
  const limit = new WaitLimit(core, wait);
  try {
    limit.check();
    core.pipeline.checkWritable(bytes);
    core.runner.poll();
    const { pipeline, pressure } = core;
    const paced = (attempt: () => number): number | Promise<number> =>
      pressure.isTight ? pressure.paced(bytes, limit.promise, attempt) : attempt();
    const over = limit.promise;
    const sequence = await (limit.isDeadline
      ? untilUnlocked({ pipeline, attempt: commit, wait: (change) => Promise.race([change, over!]) }, paced)
      : paced(commit));
    limit.applied = true;
    const reached = reach(core, wait.durability, sequence);
    return await (limit.promise === undefined ? reached : Promise.race([reached, limit.promise]));
  } finally {
    limit.end();
  }
}

/** Runs a write that waits for no room and no lock, and where it is given for its durability. */
export function decide(
  core: Session,
  wait: { readonly durability: Durability } | undefined,
  write: () => number,
): number | Promise<number> {
  return withOptions(wait, () => {
    if (wait === undefined) return write();
    checkDurability('a decision', wait);
    return reach(core, wait.durability, write());
  });
}

/** Resolves with `sequence` once it is as durable as asked. */
export function reach(core: Session, durability: Durability, sequence: number): Promise<number> {
  if (durability === 'memory' || core.durability === undefined) return Promise.resolve(sequence);
  return core.durability.reach(durability as 'os' | 'disk', sequence, true);
}

/** The deadline and the signal of one write, and whether it is applied when they end the wait. */
class WaitLimit {
  applied = false;
  readonly isDeadline: boolean;
  readonly #patience: Patience | undefined;

  constructor(core: Session, { signal, deadlineMs, durability }: WriteWait) {
    this.isDeadline = deadlineMs !== undefined;
    if (signal === undefined && deadlineMs === undefined) return;
    this.#patience = new Patience(core.scheduler, deadlineMs, signal, {
      late: (ms) =>
        busy('DEADLINE', `not ${durability} within ${ms} ms`, { applied: this.applied, deadlineMs: ms }),
      aborted: (cause) => {
        const { applied } = this;
        return new VarveError('busy', 'ABORTED', 'the wait was aborted', { applied }, { cause });
      },
    });
  }

  /** Only ever rejects; undefined without a limit. */
  get promise(): Promise<never> | undefined {
    return this.#patience?.over;
  }

  /** Throws when it is over. */
  check(): void {
    this.#patience?.check();
  }

  end(): void {
    this.#patience?.end();
  }
}
