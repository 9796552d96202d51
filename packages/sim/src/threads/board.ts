/**
 * What threads of the rig say of themselves in shared memory, so that it stands when they are gone: of each life how many
 * operations it has begun and how many were acknowledged, the sequences that it was told, what it may be in the middle of.
 *
 * A thread writes its own life's words only, and the common ones by atomic operations. Exactly the operation between
 * STARTED and ACKED is uncertain when it is terminated.
 */
import { COUNTERS } from './history.ts';

export const OPERATIONS_MAX = 100_000;
export const RACES_MAX = 50_000;

/** Words of a life. */
export const STARTED = 0;
export const ACKED = 1;
/** Operations up to the newest one whose wait for `os` or more has ended. */
export const HANDED_OVER = 2;
/** 1: attached; 2: ended by itself. */
export const PHASE = 3;
/** Refusals by back-pressure. */
export const BUSY = 4;
/** Increments of each common counter that were acknowledged. */
const COUNTED = 8;
const LIFE_WORDS = COUNTED + COUNTERS;

export const PHASE_ATTACHED = 1;
export const PHASE_ENDED = 2;

/** Common words. */
const STOP = 0;
const NEXT_RACE = 1;
const WINNERS = 2;

export interface LifeMemory {
  readonly words: SharedArrayBuffer;
  readonly sequences: SharedArrayBuffer;
}

export class Life {
  readonly words: Int32Array;
  /** By operation: the sequence that it was told; 0 where the call tells none. */
  readonly sequences: Float64Array;
  readonly memory: LifeMemory;

  constructor(memory: LifeMemory = newMemory()) {
    this.memory = memory;
    this.words = new Int32Array(memory.words);
    this.sequences = new Float64Array(memory.sequences);
  }

  get(word: number): number {
    return Atomics.load(this.words, word);
  }

  set(word: number, value: number): void {
    Atomics.store(this.words, word, value);
  }

  counted(counter: number): number {
    return Atomics.load(this.words, COUNTED + counter);
  }

  count(counter: number): void {
    Atomics.add(this.words, COUNTED + counter, 1);
  }
}

function newMemory(): LifeMemory {
  return {
    words: new SharedArrayBuffer(4 * LIFE_WORDS),
    sequences: new SharedArrayBuffer(8 * OPERATIONS_MAX),
  };
}

/** The words of all threads of a session. */
export class Board {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(4 * (WINNERS + RACES_MAX))) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
  }

  get stopped(): boolean {
    return Atomics.load(this.#words, STOP) !== 0;
  }

  stop(): void {
    Atomics.store(this.#words, STOP, 1);
  }

  get race(): number {
    return Atomics.load(this.#words, NEXT_RACE);
  }

  /** The race is decided. */
  raced(race: number): void {
    Atomics.compareExchange(this.#words, NEXT_RACE, race, race + 1);
  }

  /** The life that says that it has won, 0 for none. */
  winner(race: number): number {
    return Atomics.load(this.#words, WINNERS + race);
  }

  /** False when another one has won already. */
  win(race: number, life: number): boolean {
    return Atomics.compareExchange(this.#words, WINNERS + race, 0, life) === 0;
  }
}
