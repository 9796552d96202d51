/**
 * The sequences that somebody may still read at, and by which time: snapshots and running cursors. Flush and compaction keep
 * what these need (compaction/drop); nothing else is pinned by them, no memory and no file.
 *
 * Few and short-lived, so a counted map is enough (held-readers.ts); jobs get a sorted copy. When the database is shared what
 * is registered moves to memory where all threads register (sharing/shared-register.ts). One object a thread.
 */
import { HeldReaders, type RegisteredReaders } from './held-readers.ts';
import type { SharedRegister } from './sharing/shared-register.ts';
import type { StoredClock } from './stored-clock.ts';

/** The words of the open database that a register reads (state.ts). */
interface RegisterState {
  readonly visible: number;
  readonly time: StoredClock;
}

/** What a job that starts now has to keep. */
export interface JobReaders {
  /** States from here on may be read. */
  readonly floor: number;
  /** Sequences below it that may be read too, ascending, with others. */
  readonly registered: number[];
  /** The earliest time that any reader judges by what has expired. */
  readonly time: number;
}

export class SnapshotRegister {
  readonly #state: RegisterState;
  readonly #held = new HeldReaders();
  #time = 0;
  #shared: SharedRegister | undefined;

  constructor(state: RegisterState) {
    this.#state = state;
  }

  /** All registrations move to where other threads register too. */
  share(shared: SharedRegister): void {
    shared.adopt(this.#held);
    this.#held.clear();
    this.#shared = shared;
  }

  get shared(): SharedRegister | undefined {
    return this.#shared;
  }

  get count(): number {
    return this.#shared?.count ?? this.#held.count;
  }

  /** Registers a reader of the visible sequence and returns that: from here on no job drops what it sees. Its time is `time`. */
  addVisible(): number {
    if (this.#shared !== undefined) {
      const sequence = this.#shared.addVisible();
      this.#time = this.#shared.time;
      return sequence;
    }
    const sequence = this.#state.visible;
    this.#time = this.#state.time.now();
    this.#held.add(sequence, this.#time);
    return sequence;
  }

  /** The time, by the stored clock, of the reader that was registered last. */
  get time(): number {
    return this.#time;
  }

  /** Registers a reader of the past. Whoever calls it makes sure that no job has dropped what it sees (history.ts). */
  addPast(sequence: number, time: number): void {
    if (this.#shared !== undefined) this.#shared.addPast(sequence, time);
    else this.#held.addPast(sequence, time);
  }

  /** Registers another reader at the sequence and time of one that is registered. */
  add(sequence: number, time: number): void {
    if (this.#shared !== undefined) this.#shared.add(sequence, time);
    else if (this.#held.addAgain(sequence, time) === undefined) this.#held.add(sequence, time);
  }

  remove(sequence: number, time: number): void {
    if (this.#shared !== undefined) this.#shared.remove(sequence, time);
    else this.#held.remove(sequence, time);
  }

  /** The clock and the floor are fixed before the register is read, so that nobody falls between (CONTRACT 5). */
  forJob(): JobReaders {
    const now = this.#state.time.now();
    const floor = this.#shared?.jobFloor() ?? this.#state.visible;
    return { floor, registered: this.sequences(), time: Math.min(now, this.#earliestTime()) };
  }

  /** Registered sequences, ascending. */
  sequences(): number[] {
    return this.#shared?.sequences() ?? [...this.#held.sequences()].sort((a, b) => a - b);
  }

  /** Who is registered in a database that is not shared. */
  readers(): Iterable<RegisteredReaders> {
    return this.#held.groups();
  }

  #earliestTime(): number {
    if (this.#shared !== undefined) return this.#shared.earliestTime();
    let earliest = Number.POSITIVE_INFINITY;
    for (const { time } of this.#held.groups()) if (time < earliest) earliest = time;
    return earliest;
  }

  /** The oldest registered sequence and since when (stored clock), if any. */
  oldest(): { sequence: number; time: number } | undefined {
    if (this.#shared !== undefined) return this.#shared.oldest();
    let oldest: { sequence: number; time: number } | undefined;
    for (const group of this.#held.groups()) {
      if (oldest === undefined || group.sequence < oldest.sequence) oldest = group;
    }
    return oldest;
  }
}
