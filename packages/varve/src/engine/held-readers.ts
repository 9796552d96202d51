/**
 * The readers that one thread has registered, by sequence: how many, and since which time of the stored clock.
 *
 * Readers of one sequence are held in at most two groups, an older and a newer one: who comes joins the newer one, and when
 * the older one is empty the newer one takes its place. So the earliest time of a sequence moves on although readers come
 * and go without a pause, and registering costs one look into a map. Whoever leaves names the time that it came with: the
 * groups of a sequence share no time, so that is enough to find its group. Readers of the past come with any time and stand apart;
 * one of them may be taken for a present reader with the same sequence and time, which counts the same.
 */
/** Readers of one sequence, as others see them. */
export interface RegisteredReaders {
  readonly sequence: number;
  /** Time of the first; the others came later or with it. */
  readonly time: number;
  /** Time of the last. */
  readonly latest: number;
}

export interface ReaderGroup extends RegisteredReaders {
  latest: number;
  count: number;
  /** Where it stands in shared memory; -1: nowhere (sharing/shared-register.ts). */
  place: number;
  newer: ReaderGroup | undefined;
  readonly isPast: boolean;
}

export class HeldReaders {
  /** The older, or only, group of each sequence. */
  readonly #groups = new Map<number, ReaderGroup>();
  /** Readers of the past, by sequence and time: those do not come in the order of their times. */
  readonly #past = new Map<string, ReaderGroup>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** A reader who comes now: no time that was registered before is later. Of a group that is new `count` is 1. */
  add(sequence: number, time: number): ReaderGroup {
    this.#count++;
    const older = this.#groups.get(sequence);
    if (older === undefined) {
      const only = newGroup(sequence, time);
      this.#groups.set(sequence, only);
      return only;
    }
    if (older.newer === undefined && time > older.latest) return (older.newer = newGroup(sequence, time));
    const group = older.newer ?? older;
    if (time > group.latest) group.latest = time;
    group.count++;
    return group;
  }

  /** A reader of the past. Of a group that is new `count` is 1. */
  addPast(sequence: number, time: number): ReaderGroup {
    this.#count++;
    const name = pastName(sequence, time);
    const group = this.#past.get(name);
    if (group !== undefined) {
      group.count++;
      return group;
    }
    const only = { ...newGroup(sequence, time), isPast: true };
    this.#past.set(name, only);
    return only;
  }

  /** Another reader at the sequence and time of one that is registered; undefined when there is none. */
  addAgain(sequence: number, time: number): ReaderGroup | undefined {
    const group = this.#find(sequence, time);
    if (group === undefined) return undefined;
    this.#count++;
    group.count++;
    return group;
  }

  /** A reader leaves, with the time that it came with; its group, which is gone when its count is 0. */
  remove(sequence: number, time: number): ReaderGroup | undefined {
    const group = this.#find(sequence, time);
    if (group === undefined) return undefined;
    this.#count--;
    if (--group.count > 0) return group;
    if (group.isPast) {
      this.#past.delete(pastName(sequence, time));
      return group;
    }
    const older = this.#groups.get(sequence)!;
    if (group !== older) older.newer = undefined;
    else if (older.newer === undefined) this.#groups.delete(sequence);
    else this.#groups.set(sequence, older.newer);
    return group;
  }

  clear(): void {
    this.#groups.clear();
    this.#past.clear();
    this.#count = 0;
  }

  *groups(): Generator<ReaderGroup, void> {
    for (const older of this.#groups.values()) {
      yield older;
      if (older.newer !== undefined) yield older.newer;
    }
    yield* this.#past.values();
  }

  /** Registered sequences, in any order. */
  *sequences(): Generator<number, void> {
    yield* this.#groups.keys();
    for (const { sequence } of this.#past.values()) yield sequence;
  }

  #find(sequence: number, time: number): ReaderGroup | undefined {
    const past = this.#past.size === 0 ? undefined : this.#past.get(pastName(sequence, time));
    if (past !== undefined) return past;
    const older = this.#groups.get(sequence);
    return older?.newer !== undefined && time >= older.newer.time ? older.newer : older;
  }
}

function newGroup(sequence: number, time: number): ReaderGroup {
  return { sequence, time, latest: time, count: 1, place: -1, newer: undefined, isPast: false };
}

function pastName(sequence: number, time: number): string {
  return `${sequence}/${time}`;
}
