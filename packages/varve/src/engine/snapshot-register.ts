/**
 * The sequences that somebody may still read at: snapshots and running cursors. Flush and compaction keep what these
 * need (compaction/drop); nothing else is pinned by them, no memory and no file.
 *
 * Few and short-lived, so a counted map is enough; jobs get a sorted copy. When the database is shared what is registered
 * moves to memory where all threads register (sharing/shared-register.ts). One object a thread.
 */
import type { SharedRegister } from './sharing/shared-register.ts';

interface Registration {
  count: number;
  /** Monotonic milliseconds of the oldest registration at this sequence. */
  since: number;
}

/** The words of the open database that a register reads (state.ts). */
interface RegisterState {
  readonly visible: number;
}

export class SnapshotRegister {
  readonly #state: RegisterState;
  readonly #held = new Map<number, Registration>();
  #count = 0;
  #shared: SharedRegister | undefined;

  constructor(state: RegisterState) {
    this.#state = state;
  }

  /** All registrations move to where other threads register too. */
  share(shared: SharedRegister): void {
    for (const [sequence, { count, since }] of this.#held) {
      for (let i = 0; i < count; i++) shared.add(sequence, since);
    }
    this.#held.clear();
    this.#shared = shared;
  }

  get shared(): SharedRegister | undefined {
    return this.#shared;
  }

  get count(): number {
    return this.#shared?.count ?? this.#count;
  }

  /** Registers the visible sequence and returns it: from here on no job drops what it sees. */
  addVisible(now: number): number {
    if (this.#shared !== undefined) return this.#shared.addVisible(now);
    const sequence = this.#state.visible;
    this.add(sequence, now);
    return sequence;
  }

  /** Registers a sequence that is registered already. */
  add(sequence: number, now: number): void {
    if (this.#shared !== undefined) {
      this.#shared.add(sequence, now);
      return;
    }
    this.#count++;
    const held = this.#held.get(sequence);
    if (held === undefined) this.#held.set(sequence, { count: 1, since: now });
    else held.count++;
  }

  remove(sequence: number): void {
    if (this.#shared !== undefined) {
      this.#shared.remove(sequence);
      return;
    }
    const held = this.#held.get(sequence);
    if (held === undefined) return;
    this.#count--;
    if (--held.count === 0) this.#held.delete(sequence);
  }

  /**
   * What a job that starts now has to keep: states from the floor on, and those of the registered sequences, ascending. The
   * floor is fixed before the register is read, so that nobody falls between (CONTRACT 5).
   */
  forJob(): { floor: number; registered: number[] } {
    const floor = this.#shared?.jobFloor() ?? this.#state.visible;
    return { floor, registered: this.sequences() };
  }

  /** Registered sequences, ascending. */
  sequences(): number[] {
    return this.#shared?.sequences() ?? [...this.#held.keys()].sort((a, b) => a - b);
  }

  /** The oldest registered sequence and since when, if any. */
  oldest(): { sequence: number; since: number } | undefined {
    if (this.#shared !== undefined) return this.#shared.oldest();
    let oldest: { sequence: number; since: number } | undefined;
    for (const [sequence, { since }] of this.#held) {
      if (oldest === undefined || sequence < oldest.sequence) oldest = { sequence, since };
    }
    return oldest;
  }
}
