/**
 * The sequences that somebody may still read at: snapshots and running cursors. Flush and compaction keep what these
 * need (compaction/drop); nothing else is pinned by them, no memory and no file.
 *
 * Few and short-lived, so a counted map is enough; jobs get a sorted copy. Owner's thread only.
 */
interface Registration {
  count: number;
  /** Monotonic milliseconds of the oldest registration at this sequence. */
  since: number;
}

export class SnapshotRegister {
  readonly #held = new Map<number, Registration>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(sequence: number, now: number): void {
    this.#count++;
    const held = this.#held.get(sequence);
    if (held === undefined) this.#held.set(sequence, { count: 1, since: now });
    else held.count++;
  }

  remove(sequence: number): void {
    const held = this.#held.get(sequence);
    if (held === undefined) return;
    this.#count--;
    if (--held.count === 0) this.#held.delete(sequence);
  }

  /** Registered sequences, ascending. */
  sequences(): number[] {
    return [...this.#held.keys()].sort((a, b) => a - b);
  }

  /** The oldest registered sequence and since when, if any. */
  oldest(): { sequence: number; since: number } | undefined {
    let oldest: { sequence: number; since: number } | undefined;
    for (const [sequence, { since }] of this.#held) {
      if (oldest === undefined || sequence < oldest.sequence) oldest = { sequence, since };
    }
    return oldest;
  }
}
