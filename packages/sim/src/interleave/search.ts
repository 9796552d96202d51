/**
 * Depth-first search over all orders of the steps of an instance, each state visited once.
 *
 * A state is the content of memory and the histories of the threads (as a hash of 53 bits). Sleep sets (Godefroid 1996) spare
 * orders of steps that commute, and a step that conflicts with nothing that the others ever do needs no order at all. Which
 * words are shared is learned on the way; when a step was thought to be nobody else's business and was not, the search
 * begins anew.
 *
 * With a bound of preemptions (a thread is left although it could go on) it looks only at orders within the bound: that is
 * how the simplest schedule of a failure is found.
 */
import type { Instance } from './instance.ts';
import type { Machine } from './machine.ts';
import { FINISH_BIT, INVARIANT_BIT } from './model-memory.ts';
import { Livelock, type Move, type Position, type Positions, type Turn } from './position.ts';
import { conflicts } from './steps.ts';

export interface SearchLimits {
  readonly statesMax: number;
  readonly preemptionsMax?: number;
  /** Takes every order of every two steps for another one: for the test that the search leaves out nothing else. */
  readonly isNaive?: boolean;
}

export interface Failure {
  readonly what: string;
  readonly turns: readonly Turn[];
}

export interface Found {
  readonly states: number;
  readonly moves: number;
  /** Ends of executions. */
  readonly ends: number;
  /** Was everything within the bound looked at? */
  readonly isComplete: boolean;
  readonly failure?: Failure;
}

/** Thrown out of the search: words are shared that were thought not to be. */
export class LearnedMore extends Error {}

/** Turns, and steps of a turn, that are printed of a loop without end. */
const LOOP_SHOWN = 8;
const KINDS = { step: 0, solo: 0, timeout: 1, die: 2 } as const;

export class Search {
  readonly #instance: Instance;
  readonly #machine: Machine;
  readonly #positions: Positions;
  readonly #shared: unknown;
  readonly #limits: SearchLimits;
  readonly #visited = new Map<number, number>();
  readonly #path: (readonly Turn[])[] = [];
  #moves = 0;
  #ends = 0;
  #isComplete = true;
  #failure: Failure | undefined;

  constructor(
    instance: Instance,
    machine: Machine,
    positions: Positions,
    shared: unknown,
    limits: SearchLimits,
  ) {
    this.#instance = instance;
    this.#machine = machine;
    this.#positions = positions;
    this.#shared = shared;
    this.#limits = limits;
  }

  run(prepared: Position): Found {
    const { memory } = this.#machine;
    const mark = memory.mark();
    memory.grown = false;
    memory.isAllShared = this.#limits.isNaive === true;
    try {
      const first = this.#positions.start(prepared);
      this.#path.push(this.#positions.turns);
      this.#visit(first, 0, -1, 0);
      if (memory.grown && this.#failure === undefined) throw new LearnedMore();
    } finally {
      memory.undo(mark);
    }
    return {
      states: this.#visited.size,
      moves: this.#moves,
      ends: this.#ends,
      isComplete: this.#isComplete,
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
    };
  }

  #visit(position: Position, sleeping: number, last: number, preemptions: number): void {
    const { memory } = this.#machine;
    if (memory.grown) throw new LearnedMore();
    const isBounded = this.#limits.preemptionsMax !== undefined;
    const key = this.#positions.key(position, isBounded ? (last + 1) * 1000 + preemptions : 0);
    const before = this.#visited.get(key);
    if (before !== undefined && (before & ~sleeping) === 0) return;
    if (before === undefined && this.#visited.size >= this.#limits.statesMax) {
      this.#isComplete = false;
      return;
    }
    this.#visited.set(key, before === undefined ? sleeping : before & sleeping);
    if (before === undefined && this.#isWrong(position)) return;
    const all = this.#movesFrom(position);
    if (all.every(({ kind }) => kind === 'die')) this.#end(position);
    if (this.#failure !== undefined) return;
    // A state that was visited before with other moves asleep: only those are left to take.
    const isLeft = (move: Move): boolean => before === undefined || (before & bitOf(move)) !== 0;
    let asleep = sleeping;
    for (const move of all) if (!isLeft(move)) asleep |= bitOf(move);
    for (const move of inOrder(all, last)) {
      if ((asleep & bitOf(move)) !== 0) continue;
      const cost = isBounded && this.#isPreemption(position, move, last) ? 1 : 0;
      if (isBounded && preemptions + cost > this.#limits.preemptionsMax!) continue;
      this.#take(
        position,
        move,
        isBounded ? 0 : this.#stillAsleep(position, move, asleep),
        preemptions + cost,
      );
      if (this.#failure !== undefined || !this.#isComplete) return;
      if (!isBounded) asleep |= bitOf(move);
    }
  }

  #take(position: Position, move: Move, asleep: number, preemptions: number): void {
    const { memory } = this.#machine;
    const mark = memory.mark();
    this.#moves++;
    try {
      const next = this.#positions.apply(position, move);
      this.#path.push(this.#positions.turns);
      this.#visit(next, asleep, move.kind === 'die' ? -1 : move.thread, preemptions);
      this.#path.pop();
    } catch (error) {
      if (!(error instanceof Livelock)) throw error;
      // A few rounds of the loop will do.
      const shown = this.#positions.turns.slice(0, LOOP_SHOWN);
      this.#path.push(shown.map((turn) => ({ ...turn, count: Math.min(turn.count, LOOP_SHOWN) })));
      this.#fail(error.message);
      this.#path.pop();
    } finally {
      memory.undo(mark);
    }
  }

  /** The moves that are asleep after `move` as well: those that commute with it. */
  #stillAsleep(position: Position, move: Move, asleep: number): number {
    if (asleep === 0 || this.#limits.isNaive === true) return 0;
    const step = this.#positions.stepOf(position, move);
    let still = 0;
    for (const each of candidates(position)) {
      if ((asleep & bitOf(each)) === 0 || each.thread === move.thread) continue;
      if (each.kind === 'die' && move.kind === 'die') continue;
      if (!conflicts(step, this.#positions.stepOf(position, each))) still |= bitOf(each);
    }
    return still;
  }

  #movesFrom(position: Position): Move[] {
    const { threads } = position;
    const able = candidates(position).filter(
      ({ thread, kind }) => kind !== 'timeout' || this.#positions.canTimeOut(threads[thread]!.next),
    );
    const going = able.filter(({ thread, kind }) => kind !== 'die' && !threads[thread]!.isYielding);
    const rounds = able
      .filter(({ thread, kind }) => kind === 'step' && threads[thread]!.isYielding)
      .map(({ thread }): Move => ({ thread, kind: 'solo' }));
    const isOver = this.#stuck(position).length === 0;
    const progress = going.length > 0 ? going : isOver ? [] : rounds;
    const deaths = this.#deaths(position, able);
    const alone = progress.find((move) => this.#isNobodysBusiness(position, move));
    return alone === undefined ? [...progress, ...deaths] : [alone];
  }

  #deaths(position: Position, able: readonly Move[]): Move[] {
    if (position.deaths >= (this.#instance.deathsMax ?? 1)) return [];
    return able.filter(
      ({ thread, kind }) => kind === 'die' && this.#instance.threads[thread]!.mayDie === true,
    );
  }

  /** Does a step commute with everything that the threads that are not done can still do? */
  #isNobodysBusiness(position: Position, { thread, kind }: Move): boolean {
    const step = position.threads[thread]!.next;
    if (kind !== 'step' || step === undefined || step.kind === 'wait' || step.kind === 'waitAtMost')
      return false;
    const { memory } = this.#machine;
    const others = this.#positions.othersOf(position, thread);
    if (memory.isShared(step.words, step.isWrite, others)) return false;
    memory.assume(step.words, step.isWrite, others);
    return true;
  }

  #isPreemption(position: Position, move: Move, last: number): boolean {
    if (last < 0 || move.thread === last || move.kind === 'die') return false;
    const state = position.threads[last]!;
    return state.status === 'ready' && !state.isYielding;
  }

  #isWrong(position: Position): boolean {
    const failed = position.threads.findIndex(({ status }) => status === 'failed');
    if (failed >= 0) {
      this.#fail(
        `thread ${this.#instance.threads[failed]!.name} threw ${said(position.threads[failed]!.error)}`,
      );
      return true;
    }
    return this.#violates(INVARIANT_BIT, () => this.#instance.invariant?.(this.#shared));
  }

  #end(position: Position): void {
    this.#ends++;
    const stuck = this.#stuck(position);
    if (stuck.length > 0) {
      this.#fail(`deadlock: ${stuck.map((i) => this.#instance.threads[i]!.name).join(', ')} can never go on`);
      return;
    }
    const results = position.threads.map(({ result }) => result);
    const dead = position.threads.map(({ status }) => status === 'dead');
    this.#violates(FINISH_BIT, () => this.#instance.finish?.({ results, dead }, this.#shared));
  }

  /** Threads that have neither ended nor wait like a daemon may. */
  #stuck(position: Position): number[] {
    return position.threads.flatMap(({ status }, i) => {
      const isAtRest = status === 'waiting' && this.#instance.threads[i]!.isDaemon === true;
      return status === 'done' || status === 'dead' || isAtRest ? [] : [i];
    });
  }

  #violates(checker: number, check: () => void): boolean {
    try {
      this.#machine.check(checker, check);
      return false;
    } catch (error) {
      this.#fail(said(error));
      return true;
    }
  }

  #fail(what: string): void {
    this.#failure ??= { what, turns: this.#path.flat() };
  }
}

function candidates({ threads }: Position): Move[] {
  const moves: Move[] = [];
  threads.forEach(({ status }, thread) => {
    if (status === 'ready') moves.push({ thread, kind: 'step' });
    if (status === 'waiting') moves.push({ thread, kind: 'timeout' });
    // Who has nothing left to do may die as well: what it did last is complete then, and others clean up after it.
    if (status !== 'dead' && status !== 'failed') moves.push({ thread, kind: 'die' });
  });
  return moves;
}

/** Whoever moved last first: the schedules that are met first have few changes of thread. */
function inOrder(moves: readonly Move[], last: number): readonly Move[] {
  return moves.toSorted((a, b) => Number(b.thread === last) - Number(a.thread === last));
}

function bitOf({ thread, kind }: Move): number {
  return 1 << (thread * 3 + KINDS[kind]);
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
