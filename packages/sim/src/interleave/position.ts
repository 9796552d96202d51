/**
 * A position of the search: where all threads stand, beside the memory. Applying a move gives the next one.
 *
 * A move is a step of one thread together with what nobody notices behind it, the end of a wait by its timeout, or a death.
 * A thread that repeats the same steps with the same answers while nothing changes goes round in a loop: its history is cut
 * back to one round, and it lets the others go first (`isYielding`). Once all that are left do so, one of them goes round
 * as often as it takes (`solo`); when nothing comes of that, nothing ever will.
 */
import type { Instance, ModelThread, Self } from './instance.ts';
import { Machine, type RunOrder } from './machine.ts';
import { FINISH_BIT, INVARIANT_BIT, type ModelMemory, mix } from './model-memory.ts';
import { isWait, type Step, type ThreadState, type TraceLine } from './steps.ts';

export type MoveKind = 'step' | 'timeout' | 'die' | 'solo';

export interface Move {
  readonly thread: number;
  readonly kind: MoveKind;
}

/** A part of a schedule: a thread takes `count` steps, or its wait ends, or it dies. */
export interface Turn {
  readonly thread: number;
  readonly kind: 'step' | 'timeout' | 'die';
  readonly count: number;
}

export interface Position {
  readonly threads: readonly ThreadState[];
  /** Who waits, the longest first. */
  readonly queue: readonly number[];
  readonly deaths: number;
}

/** Moves and steps that a thread goes alone before it counts as caught in its loop. */
const SOLO_MAX = 300;
const SOLO_STEPS_MAX = 3000;
const DEFAULT_ROUNDS = 3;

/** A thread that never ends although nobody else moves. */
export class Livelock extends Error {}

export class Positions {
  readonly #instance: Instance;
  readonly #machine: Machine;
  readonly #memory: ModelMemory;
  readonly #bodies: readonly (() => unknown)[];
  readonly #deadWord: number;
  readonly #rounds: number;
  /** Turns of the last move. */
  turns: Turn[] = [];
  /** Where the lines of a printed schedule go. */
  trace: TraceLine[] | undefined;

  constructor(instance: Instance, machine: Machine, shared: unknown, dead: SharedArrayBuffer) {
    this.#instance = instance;
    this.#machine = machine;
    this.#memory = machine.memory;
    this.#rounds = instance.rounds ?? DEFAULT_ROUNDS;
    this.#deadWord = machine.memory.firstWord(dead);
    const deadWords = new Int32Array(dead);
    machine.isDead = (thread) => Atomics.load(deadWords, thread) !== 0;
    this.#bodies = instance.threads.map((each, index) => bodyOf(each, index, machine, shared, dead));
  }

  /** Before everything: the threads are prepared, and the memory is what it is then. */
  prepare(): Position {
    const threads = this.#instance.threads.map(() => fresh);
    const prepared = threads.map((state, thread) =>
      this.#run(thread, state, { visible: 0, exact: 0, others: 0 }),
    );
    this.#memory.settle();
    return { threads: prepared, queue: [], deaths: 0 };
  }

  /** Takes each thread to its first step that somebody notices. */
  start(position: Position): Position {
    this.turns = [];
    const threads = position.threads.map((state, thread) => {
      const next = this.#run(thread, state, { visible: 0, others: this.othersOf(position, thread) });
      this.#addTurn(thread, 'step', this.#machine.taken);
      return next;
    });
    return { ...position, threads };
  }

  apply(position: Position, move: Move): Position {
    this.turns = [];
    const { thread, kind } = move;
    if (kind === 'solo') return this.#solo(position, thread);
    return this.#go(position, thread, kind);
  }

  /** The same by a recorded turn, for exactly as many steps. */
  follow(position: Position, turn: Turn): Position {
    return this.#go(position, turn.thread, turn.kind, turn.count);
  }

  /** Who might notice what a thread does from now on: the threads that can still do something, and checks. */
  othersOf(position: Position, thread: number): number {
    const { threads, deathsMax = 1, invariant } = this.#instance;
    const mayDie = position.deaths < deathsMax;
    let others = invariant === undefined ? 0 : INVARIANT_BIT;
    if (mayDie && threads[thread]!.mayDie === true) others |= FINISH_BIT;
    position.threads.forEach(({ status }, i) => {
      const isActive = status === 'ready' || status === 'waiting';
      if (i !== thread && (isActive || (status === 'done' && mayDie && threads[i]!.mayDie === true)))
        others |= 1 << i;
    });
    return others;
  }

  /** What a move touches. */
  stepOf(position: Position, { thread, kind }: Move): Step | undefined {
    const { next } = position.threads[thread]!;
    if (kind !== 'die') return next;
    const waited = next !== undefined && isWait(next) ? next.words : [];
    return { kind: 'die', words: [this.#deadWord + thread, ...waited], isWrite: true };
  }

  /** One of 2^53 for the memory and where the threads stand. */
  key(position: Position, more = 0): number {
    let low = mix(this.#memory.hashLow, more, 1);
    let high = mix(this.#memory.hashHigh, more, 2);
    for (const { status, hashLow, hashHigh, isYielding } of position.threads) {
      const where = statusNumbers[status] + (isYielding ? 8 : 0);
      low = mix(low, mix(hashLow, where, 3), 5);
      high = mix(high, mix(hashHigh, where, 4), 6);
    }
    for (const thread of position.queue) {
      low = mix(low, thread, 7);
      high = mix(high, thread, 8);
    }
    return (high & 0x1fffff) * 4294967296 + (low >>> 0);
  }

  #solo(position: Position, thread: number): Position {
    let here = position;
    const { version } = this.#memory;
    let steps = 0;
    for (let i = 0; i < SOLO_MAX && steps < SOLO_STEPS_MAX; i++) {
      const { status, next } = here.threads[thread]!;
      const isOver = status !== 'ready' && (status !== 'waiting' || !this.canTimeOut(next));
      if (isOver || this.#memory.version !== version || here.queue.length < position.queue.length)
        return here;
      here = this.#go(here, thread, status === 'ready' ? 'step' : 'timeout', undefined, false);
      steps += this.#machine.taken;
    }
    throw new Livelock(`thread ${this.#instance.threads[thread]!.name} goes round forever`);
  }

  canTimeOut(next: Step | undefined): boolean {
    return next?.kind === 'waitAtMost' && this.#instance.timeouts !== false;
  }

  #go(
    position: Position,
    thread: number,
    kind: 'step' | 'timeout' | 'die',
    exact?: number,
    mayYield = true,
  ): Position {
    const threads = [...position.threads];
    let queue = [...position.queue];
    const { version } = this.#memory;
    const state = threads[thread]!;
    this.#machine.waiters = (word) => queue.filter((each) => threads[each]!.next!.words[0] === word).length;
    const bound = exact === undefined ? {} : { exact };
    let notified: readonly (readonly [number, number])[] = [];
    if (kind === 'die') {
      notified = this.#die(thread, state, threads);
    } else {
      const woken = kind === 'timeout' ? ('timed-out' as const) : undefined;
      threads[thread] = this.#run(thread, state, {
        visible: kind === 'step' ? 1 : 0,
        others: this.othersOf(position, thread),
        ...(kind === 'timeout' && exact !== undefined ? { exact: 1 } : bound),
        woken,
      });
      notified = this.#machine.notified;
      if (woken === undefined) this.#addTurn(thread, 'step', this.#machine.taken);
      else this.#addWoken(thread, 'timeout');
    }
    if (kind !== 'step') queue = queue.filter((each) => each !== thread);
    if (threads[thread]!.status === 'waiting') queue.push(thread);
    let isQuiet = this.#memory.version === version;
    for (const [word, count] of notified) {
      const woken = queue.filter((each) => threads[each]!.next!.words[0] === word).slice(0, count);
      queue = queue.filter((each) => !woken.includes(each));
      if (woken.length > 0) isQuiet = false;
      for (const each of woken) {
        threads[each] = this.#run(each, threads[each]!, {
          visible: 0,
          others: this.othersOf(position, each),
          ...(exact === undefined ? {} : { exact: 1 }),
          woken: 'ok',
        });
        this.#addWoken(each, undefined);
      }
    }
    if (!isQuiet) stir(threads);
    else if (mayYield && exact === undefined) threads[thread] = cutLoop(threads[thread]!, this.#rounds);
    return { threads, queue, deaths: position.deaths + (kind === 'die' ? 1 : 0) };
  }

  #die(thread: number, state: ThreadState, threads: ThreadState[]): readonly (readonly [number, number])[] {
    const word = this.#deadWord + thread;
    const step: Step = { kind: 'die', words: [word], isWrite: true };
    this.#memory.note([word], true, 1 << thread);
    this.#memory.setWord(word, 1);
    threads[thread] = {
      ...state,
      status: 'dead',
      result: undefined,
      next: undefined,
      isYielding: false,
      hashLow: 0,
      hashHigh: 0,
    };
    this.#addTurn(thread, 'die', 1);
    this.trace?.push({ thread, step, before: 0, after: 1, answer: undefined });
    return [[word, Number.POSITIVE_INFINITY]];
  }

  #run(thread: number, state: ThreadState, order: RunOrder): ThreadState {
    const traced = this.trace === undefined ? order : { ...order, trace: this.trace };
    const next = this.#machine.run(thread, state, this.#bodies[thread]!, traced);
    if (next.status !== 'done') return next;
    // What a thread saw matters no more once it is done, only what it says.
    let [hashLow, hashHigh] = [0, 0];
    for (const char of textOf(next.result)) {
      hashLow = mix(hashLow, char.codePointAt(0)!, 9);
      hashHigh = mix(hashHigh, char.codePointAt(0)!, 10);
    }
    return { ...next, hashLow, hashHigh };
  }

  #addTurn(thread: number, kind: Turn['kind'], count: number): void {
    if (count > 0) this.turns.push({ thread, kind, count });
  }

  /** The end of a wait is one turn, what follows unnoticed another. */
  #addWoken(thread: number, kind: 'timeout' | undefined): void {
    if (kind !== undefined) this.turns.push({ thread, kind, count: 1 });
    this.#addTurn(thread, 'step', this.#machine.taken - 1);
  }
}

const fresh: ThreadState = {
  status: 'ready',
  answers: [],
  marks: [],
  hashLow: 0,
  hashHigh: 0,
  quietFrom: 0,
  isYielding: false,
};

const statusNumbers: Record<ThreadState['status'], number> = {
  ready: 1,
  waiting: 2,
  done: 3,
  failed: 4,
  dead: 5,
};

/** Something changed: nobody goes round for nothing. */
function stir(threads: ThreadState[]): void {
  threads.forEach((state, i) => {
    if (state.isYielding || state.quietFrom !== state.answers.length)
      threads[i] = { ...state, isYielding: false, quietFrom: state.answers.length };
  });
}

/** Cuts a thread back to one round when it went round a loop `rounds` times. */
function cutLoop(state: ThreadState, rounds: number): ThreadState {
  const { answers, marks, quietFrom, status, next } = state;
  if (status !== 'ready' || next === undefined) return state;
  const { length } = answers;
  for (let period = 1; period * rounds <= length - quietFrom; period++) {
    if (!isPeriodic(answers, marks, length - period * rounds, period)) continue;
    const kept = length - period * (rounds - 1);
    if (Machine.markOf(next) !== marks[kept - period]) continue;
    const { hashLow, hashHigh } = Machine.hashOf(answers.slice(0, kept));
    return {
      ...state,
      answers: answers.slice(0, kept),
      marks: marks.slice(0, kept),
      hashLow,
      hashHigh,
      isYielding: true,
    };
  }
  return state;
}

function isPeriodic(
  answers: readonly unknown[],
  marks: readonly number[],
  from: number,
  period: number,
): boolean {
  for (let i = from + period; i < answers.length; i++) {
    if (answers[i] !== answers[i - period] || marks[i] !== marks[i - period]) return false;
  }
  return true;
}

function bodyOf(
  { prepare, run }: ModelThread<unknown, never>,
  index: number,
  machine: Machine,
  shared: unknown,
  dead: SharedArrayBuffer,
): () => unknown {
  return () => {
    const words = new Int32Array(dead);
    const self: Self = {
      index,
      isDead: (thread) => Atomics.load(words, thread) !== 0,
      untilDead: (thread) => void Atomics.wait(words, thread, 0),
    };
    const local = prepare?.(shared, self);
    machine.endPreparation();
    return run(shared, self, local as never);
  };
}

function textOf(result: unknown): string {
  return (
    JSON.stringify(result, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)) ?? ''
  );
}
