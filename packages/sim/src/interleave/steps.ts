/**
 * What the interleaving checker speaks of: steps of threads, where a thread stands, and lines of a printed schedule.
 */

/** `read` and `write` are plain accesses, the others those of Atomics; `die` is the end of a thread at any place. */
export type StepKind =
  | 'read'
  | 'write'
  | 'load'
  | 'store'
  | 'add'
  | 'sub'
  | 'and'
  | 'or'
  | 'xor'
  | 'exchange'
  | 'compareExchange'
  | 'wait'
  | 'waitAtMost'
  | 'notify'
  | 'die';

export type Answer = number | bigint | string | undefined;

export interface Step {
  readonly kind: StepKind;
  /** The words of 32 bits that it touches. */
  readonly words: readonly number[];
  /** May it change them, or who waits on them? */
  readonly isWrite: boolean;
}

/** Where a thread stands. Never changed: the search keeps them to come back to. */
export interface ThreadState {
  readonly status: 'ready' | 'waiting' | 'done' | 'failed' | 'dead';
  /** The answers that it got so far: with the memory, all that its future depends on. */
  readonly answers: readonly Answer[];
  /** What it asked, to notice a thread that is not the same in a replay. */
  readonly marks: readonly number[];
  /** What it is about to do. */
  readonly next?: Step | undefined;
  readonly hashLow: number;
  readonly hashHigh: number;
  /** Nothing in memory has changed since this answer. */
  readonly quietFrom: number;
  /** It goes round in a loop until somebody changes something. */
  readonly isYielding: boolean;
  readonly result?: unknown;
  readonly error?: unknown;
}

/** A step that was taken, with the first of its words before and after. */
export interface TraceLine {
  readonly thread: number;
  readonly step: Step;
  readonly before: number;
  readonly after: number;
  readonly answer: Answer;
}

/** Do two steps of different threads give another result in another order? */
export function conflicts(a: Step | undefined, b: Step | undefined): boolean {
  if (a === undefined || b === undefined || (!a.isWrite && !b.isWrite)) return false;
  return a.words.some((word) => b.words.includes(word));
}

/** Does it wait until it is notified (`wait`), or perhaps not so long (`waitAtMost`)? */
export function isWait(step: Step): boolean {
  return step.kind === 'wait' || step.kind === 'waitAtMost';
}
