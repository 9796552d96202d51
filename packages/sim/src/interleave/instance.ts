/**
 * What is checked: a small instance of a shared algorithm, as the threads of a model that run the engine's own code.
 */
import type { ModelMemory } from './model-memory.ts';

/** What a thread of a model can ask for beside the memory. */
export interface Self {
  readonly index: number;
  /** Is that thread dead? A step like a read of memory. */
  isDead(thread: number): boolean;
  /** Waits until that thread is dead. */
  untilDead(thread: number): void;
}

/**
 * A thread: a function of what it reads in memory, run again from the start for each of its steps (machine.ts). It makes
 * its own objects, and its result is plain data.
 */
export interface ModelThread<Shared, Local = unknown> {
  readonly name: string;
  /** What comes before everything else, without a choice of order: one thread's after the other's. */
  readonly prepare?: (shared: Shared, self: Self) => Local;
  readonly run: (shared: Shared, self: Self, local: Local) => unknown;
  /** May it die before any of its steps? */
  readonly mayDie?: boolean;
  /** May it wait forever? */
  readonly isDaemon?: boolean;
}

/** How an execution ended. */
export interface Ending {
  /** What each thread returned; undefined when it died or still waits. */
  readonly results: readonly unknown[];
  readonly dead: readonly boolean[];
}

export interface Instance<Shared = unknown> {
  readonly name: string;
  /** Makes the memory. Every SharedArrayBuffer that is made here is the model's; `label` names words for printed schedules. */
  readonly setup: (label: Labels) => Shared;
  readonly threads: readonly ModelThread<Shared, never>[];
  /** Throws when a state, between any two steps, is wrong. */
  readonly invariant?: (shared: Shared) => void;
  /** Throws when the end is wrong. */
  readonly finish?: (ending: Ending, shared: Shared) => void;
  /** How many threads may die in an execution; 1 when one may die at all. */
  readonly deathsMax?: number;
  /** Do waits that have a timeout end by it? False finds who was not notified. */
  readonly timeouts?: boolean;
  /** Looks only at orders in which threads are interrupted so often; without it at all orders. */
  readonly preemptionsMax?: number;
  /** After so many equal rounds without any change in memory a thread counts as going round until somebody else moves. */
  readonly rounds?: number;
}

/** Names a buffer, and some of its words, for printed schedules. */
export type Labels = (
  buffer: SharedArrayBuffer,
  name: string,
  words?: Readonly<Record<number, string>>,
) => void;

/** Gives an instance the type that a list of them has. */
export function instance<Shared>(of: Instance<Shared>): Instance {
  return of as unknown as Instance;
}

/** A thread whose `prepare` and `run` agree on what the one hands to the other. */
export function thread<Shared, Local>(of: ModelThread<Shared, Local>): ModelThread<Shared, never> {
  return of as unknown as ModelThread<Shared, never>;
}

/** The label function of a memory. */
export function labelsOf(memory: ModelMemory): Labels {
  return (buffer, name, words = {}) => {
    memory.rename(buffer, name);
    for (const [word, label] of Object.entries(words))
      memory.label(memory.firstWord(buffer) + Number(word), label);
  };
}
