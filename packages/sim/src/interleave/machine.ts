/**
 * Runs a thread of a model step by step, by replay: to take its next step, its function is run again from the start, the
 * steps that it took before are answered from its history, and behind the new one a private Pause unwinds it.
 *
 * A step is an access to shared memory. Code that unwinds (its `finally` blocks) touches nothing: every further step is the
 * Pause again. So a thread has to be a function of the answers that it gets: it makes its own objects, takes time and chance
 * from nowhere, and leaves nothing behind. A replay that asks something else than the first run is reported.
 *
 * Steps that no other thread can notice (ModelMemory.isShared) are taken together with the step before them.
 */
import { type Answer, isWait, type Step, type StepKind, type ThreadState, type TraceLine } from './steps.ts';
import { mix, type ModelMemory } from './model-memory.ts';

/** A thread that takes this many steps unnoticed may wait for somebody who has yet to show up. */
const UNNOTICED_MAX = 1000;
/** So often a thread may go on touching memory while it is being stopped. */
const UNWIND_MAX = 10_000;

/** One for all: making an error costs more than the steps that it ends. */
const PAUSE = new Error('a step of a model is taken: nothing to be caught');

type Mode = 'free' | 'check' | 'thread' | 'unwind';

/** The answer to the first new step, where that is not an access but the end of a wait. */
type Woken = 'ok' | 'timed-out' | undefined;

export interface RunOrder {
  /** New steps to take at least one by one: 1, or 0 to go only as far as nobody notices. */
  readonly visible: number;
  /** Who might notice: threads as bits, and checks. */
  readonly others: number;
  /** Instead: exactly this many new steps. */
  readonly exact?: number;
  readonly woken?: Woken;
  readonly trace?: TraceLine[];
}

const noBits = new Float64Array(1);
const noBitWords = new Int32Array(noBits.buffer);

export class Machine {
  readonly memory: ModelMemory;
  #mode: Mode = 'free';
  #thread = 0;
  #answers: Answer[] = [];
  #marks: number[] = [];
  #cursor = 0;
  #budget = 0;
  #exact = -1;
  #taken = 0;
  #unwound = 0;
  /** What is wrong with the thread as a model; the thread itself may not catch it. */
  #defect: string | undefined;
  #next: Step | undefined;
  #isWaiting = false;
  #isPreparing = false;
  #woken: Woken;
  #trace: TraceLine[] | undefined;
  #others = 0;
  /** As whom a check reads. */
  #checker = 0;
  #notified: [word: number, count: number][] = [];
  /** Asks whether a thread of the model is dead, in a step. */
  isDead: (thread: number) => boolean = () => false;
  /** How many threads wait on a word, as the explorer knows it. */
  waiters: (word: number) => number = () => 0;

  constructor(memory: ModelMemory) {
    this.memory = memory;
  }

  /** The thread that runs. */
  get thread(): number {
    return this.#thread;
  }

  get mode(): Mode {
    return this.#mode;
  }

  /** Notifications of the last run, for the explorer to wake whom they reach. */
  get notified(): readonly [word: number, count: number][] {
    return this.#notified;
  }

  /** Runs a check over the memory as it is; what it changes is taken back. It reads as `checker`, a bit. */
  check<R>(checker: number, check: () => R): R {
    const mark = this.memory.mark();
    this.#mode = 'check';
    this.#checker = checker;
    try {
      return check();
    } finally {
      this.#mode = 'free';
      this.memory.undo(mark);
    }
  }

  /** Steps of the last run. */
  get taken(): number {
    return this.#taken;
  }

  /** What of a step must be the same in a replay. */
  static markOf({ kind, words }: Step): number {
    return mix(words[0]!, kindNumbers[kind], words.length);
  }

  /** Hash of a history, on from the hash of its first `from` answers. */
  static hashOf(
    answers: readonly Answer[],
    from = 0,
    state: { readonly hashLow: number; readonly hashHigh: number } = { hashLow: 0, hashHigh: 0 },
  ): { hashLow: number; hashHigh: number } {
    let { hashLow, hashHigh } = state;
    for (let i = from; i < answers.length; i++) {
      hashLow = hashOf(answers[i], hashLow, 0x2545f491);
      hashHigh = hashOf(answers[i], hashHigh, 0x6c078965);
    }
    return { hashLow, hashHigh };
  }

  /** From here on a thread's steps are in an order that is chosen. */
  endPreparation(): void {
    if (this.#mode !== 'thread') return;
    if (this.#isPreparing) this.#taken = 0;
    this.#isPreparing = false;
  }

  /** Takes a thread on from where its history ends. */
  run(thread: number, state: ThreadState, body: () => unknown, order: RunOrder): ThreadState {
    this.#thread = thread;
    this.#answers = [...state.answers];
    this.#marks = [...state.marks];
    this.#cursor = 0;
    this.#budget = order.visible;
    this.#exact = order.exact ?? -1;
    this.#others = order.others;
    this.#woken = order.woken;
    this.#taken = 0;
    this.#unwound = 0;
    this.#defect = undefined;
    this.#next = undefined;
    this.#isWaiting = false;
    this.#trace = order.trace;
    this.#notified = [];
    this.#isPreparing = state.answers.length === 0;
    this.#mode = 'thread';
    const before = state.answers.length;
    let ending: Pick<ThreadState, 'status' | 'result' | 'error'> = { status: 'ready' };
    try {
      const result = body();
      if (this.#next === undefined) ending = { status: 'done', result };
    } catch (error) {
      if (this.#next === undefined) ending = { status: 'failed', error };
    } finally {
      this.#mode = 'free';
    }
    if (this.#isWaiting) ending = { status: 'waiting' };
    if (this.#cursor < before) this.#defect ??= 'it is not the same in a replay: it ended early';
    if (this.#defect !== undefined) throw new Error(`thread ${thread} cannot be checked: ${this.#defect}`);
    return {
      ...ending,
      answers: this.#answers,
      marks: this.#marks,
      next: this.#next,
      ...Machine.hashOf(this.#answers, before, state),
      quietFrom: state.quietFrom,
      isYielding: false,
    };
  }

  /** One access. `perform` does it on the memory. */
  touch(kind: StepKind, words: readonly number[], isWrite: boolean, perform: () => Answer): Answer {
    switch (this.#mode) {
      case 'free':
        return this.#perform(words, isWrite, perform);
      case 'check':
        this.memory.note(words, false, this.#checker);
        return this.#perform(words, isWrite, perform);
      case 'unwind':
        return this.#stop();
      case 'thread':
        break;
    }
    const step: Step = { kind, words, isWrite };
    const mark = Machine.markOf(step);
    if (this.#cursor < this.#answers.length) return this.#replay(mark);
    if (this.#woken === undefined && !this.#mayTake(step)) {
      this.#next = step;
      return this.#stop();
    }
    this.#taken++;
    if (!this.#isPreparing) this.memory.note(words, isWrite, 1 << this.#thread);
    let answer: Answer;
    const before = this.memory.read(words[0]!);
    if (this.#woken !== undefined) {
      answer = this.#woken;
      this.#woken = undefined;
    } else answer = this.#perform(words, isWrite, perform);
    if (answer === WAITS) {
      this.#isWaiting = true;
      this.#next = step;
      this.#trace?.push({ thread: this.#thread, step, before, after: before, answer: 'waits' });
      return this.#stop();
    }
    if (!this.#isPreparing)
      this.#trace?.push({ thread: this.#thread, step, before, after: this.memory.read(words[0]!), answer });
    this.#answers.push(answer);
    this.#marks.push(mark);
    this.#cursor++;
    return answer;
  }

  /** A notification is noted for the explorer; its answer is how many it wakes. */
  notify(word: number, count: number): number {
    const waiting = Math.min(count, this.waiters(word));
    if (waiting > 0) this.#notified.push([word, waiting]);
    return waiting;
  }

  #mayTake(step: Step): boolean {
    if (this.#isPreparing) return true;
    if (this.#exact >= 0) return this.#taken < this.#exact;
    // What was chosen: it alone is taken, though it may be nobody's business by now.
    if (this.#budget > 0) return this.#budget-- > 0;
    const isShared = isWait(step) || this.memory.isShared(step.words, step.isWrite, this.#others);
    if (!isShared && this.#taken < UNNOTICED_MAX) {
      this.memory.assume(step.words, step.isWrite, this.#others);
      return true;
    }
    return false;
  }

  #replay(mark: number): Answer {
    const at = this.#cursor++;
    if (this.#marks[at] !== mark) {
      return this.#refuse('it is not the same in a replay: it depends on more than memory');
    }
    return this.#answers[at];
  }

  #perform(words: readonly number[], isWrite: boolean, perform: () => Answer): Answer {
    return isWrite ? this.memory.change(words, perform) : perform();
  }

  #refuse(why: string): never {
    this.#defect ??= why;
    return this.#stop();
  }

  #stop(): never {
    this.#mode = 'unwind';
    if (++this.#unwound > UNWIND_MAX) this.#defect ??= 'it catches everything and goes on';
    throw PAUSE;
  }
}

/** The answer of a wait that begins. */
export const WAITS = 'waits';

const kindNumbers: Record<StepKind, number> = {
  read: 1,
  write: 2,
  load: 3,
  store: 4,
  add: 5,
  sub: 6,
  and: 7,
  or: 8,
  xor: 9,
  exchange: 10,
  compareExchange: 11,
  wait: 12,
  waitAtMost: 12,
  notify: 13,
  die: 14,
};

function hashOf(answer: Answer, hash: number, seed: number): number {
  if (typeof answer === 'string') return mix(hash, answer.charCodeAt(0), seed + 1);
  noBits[0] = Number(answer);
  return mix(mix(hash, noBitWords[0]!, seed), noBitWords[1]!, seed);
}
