/**
 * The sequences that threads of a shared database may still read at: snapshots and running cursors. Every thread has a row of
 * places of its own; jobs read all rows.
 *
 *   place     word   field
 *             p + 0  high word of the sequence + 1; 0: the place is free
 *             p + 1  low word, stored before the high one, which publishes it
 *             p + 2  when it was registered: seconds since the epoch
 *             p + 3  how often the thread has it registered, for reports
 *
 * Nobody falls between a reader and a job: a reader registers, then looks at the highest floor of a job; a job publishes its
 * floor, then reads the register (CONTRACT 5). Whoever finds all places taken lowers the overflow word of its slot instead,
 * and jobs keep everything from there on.
 */
import { JOB_FLOOR, SLOT_OVERFLOW, SLOTS_MAX, slotAt, VISIBLE } from './control-words.ts';
import { loadSequence, storeSequence } from './sequence-words.ts';
import { takenSlots, threadIdOf } from './thread-slots.ts';

const PLACES = 256;
const PLACE_WORDS = 4;
const HIGH = 4294967296;
export const REGISTER_WORDS: number = SLOTS_MAX * PLACES * PLACE_WORDS;

interface Registration {
  count: number;
  /** Milliseconds of this thread's own clock. */
  readonly since: number;
  /** Index of the place; -1: none was free. */
  readonly place: number;
}

/** What one thread holds. */
export interface HeldSnapshots {
  readonly slot: number;
  readonly threadId: number;
  readonly snapshots: number;
  readonly oldestSequence?: number;
  readonly oldestAgeMs?: number;
}

/** One thread's row, and a look at all of them. */
export class SharedRegister {
  readonly #control: Int32Array;
  readonly #places: Int32Array;
  readonly #slot: number;
  readonly #now: () => number;
  readonly #held = new Map<number, Registration>();
  readonly #overflowed = new Set<number>();
  #free = 0;
  #isEnded = false;

  /** @param now milliseconds since the epoch */
  constructor(control: Int32Array, places: Int32Array, slot: number, now: () => number) {
    this.#control = control;
    this.#places = places;
    this.#slot = slot;
    this.#now = now;
  }

  get count(): number {
    let count = 0;
    for (const held of this.heldByThreads()) count += held.snapshots;
    return count;
  }

  /** Registers the sequence that is visible now, so that no job drops what it sees; returns it. */
  addVisible(now: number): number {
    for (;;) {
      const sequence = loadSequence(this.#control, VISIBLE);
      this.add(sequence, now);
      if (loadSequence(this.#control, JOB_FLOOR) <= sequence) return sequence;
      this.remove(sequence);
    }
  }

  /** Registers a sequence that is registered already, or that was read while nothing could be dropped. */
  add(sequence: number, now: number): void {
    // Another thread may have the slot by now, and its row.
    if (this.#isEnded) return;
    const held = this.#held.get(sequence);
    if (held !== undefined) {
      held.count++;
      if (held.place >= 0) Atomics.store(this.#places, this.#at(held.place) + 3, held.count);
      return;
    }
    const place = this.#takePlace(sequence);
    this.#held.set(sequence, { count: 1, since: now, place });
  }

  remove(sequence: number): void {
    const held = this.#held.get(sequence);
    if (held === undefined) return;
    if (--held.count > 0) {
      if (held.place >= 0) Atomics.store(this.#places, this.#at(held.place) + 3, held.count);
      return;
    }
    this.#held.delete(sequence);
    if (held.place >= 0) {
      Atomics.store(this.#places, this.#at(held.place), 0);
      this.#free = Math.min(this.#free, held.place);
      return;
    }
    this.#overflowed.delete(sequence);
    this.#storeOverflow();
  }

  /** Gives everything back: the thread leaves its slot, and registers nothing any more. */
  end(): void {
    this.#isEnded = true;
    this.#held.clear();
    this.#overflowed.clear();
    clearRegister(this.#control, this.#places, this.#slot);
  }

  /** Registered sequences of all threads, ascending. */
  sequences(): number[] {
    const all = new Set<number>();
    for (const slot of takenSlots(this.#control)) {
      for (const { sequence } of registeredIn(this.#places, slot)) all.add(sequence);
    }
    return [...all].sort((a, b) => a - b);
  }

  /** The lowest sequence from which on everything is kept; Infinity for none. */
  overflowFloor(): number {
    let floor = Number.POSITIVE_INFINITY;
    for (const slot of takenSlots(this.#control)) {
      const at = slotAt(slot) + SLOT_OVERFLOW;
      const high = Atomics.load(this.#control, at);
      if (high !== 0)
        floor = Math.min(floor, (high - 1) * HIGH + (Atomics.load(this.#control, at + 1) >>> 0));
    }
    return floor;
  }

  /** The floor of a job that starts now, published before the register is read for it. */
  jobFloor(): number {
    const floor = loadSequence(this.#control, VISIBLE);
    storeSequence(this.#control, JOB_FLOOR, floor);
    return Math.min(floor, this.overflowFloor());
  }

  /** The oldest registered sequence and since when, in this thread's clock, if any. */
  oldest(): { sequence: number; since: number } | undefined {
    let oldest: { sequence: number; seconds: number } | undefined;
    for (const slot of takenSlots(this.#control)) {
      for (const each of registeredIn(this.#places, slot)) {
        if (oldest === undefined || each.sequence < oldest.sequence) oldest = each;
      }
    }
    if (oldest === undefined) return undefined;
    const own = this.#held.get(oldest.sequence);
    const ageMs = Math.max(0, this.#now() - oldest.seconds * 1000);
    return { sequence: oldest.sequence, since: own?.since ?? performance.now() - ageMs };
  }

  /** Who holds how much. */
  heldByThreads(): HeldSnapshots[] {
    return takenSlots(this.#control).map((slot) => {
      const registered = registeredIn(this.#places, slot);
      const oldest = registered.reduce<(typeof registered)[number] | undefined>(
        (low, each) => (low === undefined || each.sequence < low.sequence ? each : low),
        undefined,
      );
      return {
        slot,
        threadId: threadIdOf(this.#control, slot),
        snapshots: registered.reduce((sum, each) => sum + each.count, 0),
        ...(oldest === undefined
          ? {}
          : {
              oldestSequence: oldest.sequence,
              oldestAgeMs: Math.max(0, this.#now() - oldest.seconds * 1000),
            }),
      };
    });
  }

  #takePlace(sequence: number): number {
    for (let place = this.#free; place < PLACES; place++) {
      const at = this.#at(place);
      if (this.#places[at] !== 0) continue;
      this.#free = place + 1;
      Atomics.store(this.#places, at + 3, 1);
      Atomics.store(this.#places, at + 2, Math.floor(this.#now() / 1000));
      Atomics.store(this.#places, at + 1, sequence | 0);
      Atomics.store(this.#places, at, Math.floor(sequence / HIGH) + 1);
      return place;
    }
    this.#overflowed.add(sequence);
    this.#storeOverflow();
    return -1;
  }

  /** Lowered before it could be read as higher: the low word is 0 while the two are changed. */
  #storeOverflow(): void {
    const at = slotAt(this.#slot) + SLOT_OVERFLOW;
    let lowest = Number.POSITIVE_INFINITY;
    for (const sequence of this.#overflowed) lowest = Math.min(lowest, sequence);
    if (lowest === Number.POSITIVE_INFINITY) {
      Atomics.store(this.#control, at, 0);
      return;
    }
    Atomics.store(this.#control, at + 1, 0);
    Atomics.store(this.#control, at, Math.floor(lowest / HIGH) + 1);
    Atomics.store(this.#control, at + 1, lowest | 0);
  }

  #at(place: number): number {
    return (this.#slot * PLACES + place) * PLACE_WORDS;
  }
}

/** Takes out whatever a thread had registered: it is gone. */
export function clearRegister(control: Int32Array, places: Int32Array, slot: number): void {
  for (let place = 0; place < PLACES; place++) {
    Atomics.store(places, (slot * PLACES + place) * PLACE_WORDS, 0);
  }
  Atomics.store(control, slotAt(slot) + SLOT_OVERFLOW, 0);
}

interface Registered {
  readonly sequence: number;
  readonly seconds: number;
  readonly count: number;
}

function registeredIn(places: Int32Array, slot: number): Registered[] {
  const found: Registered[] = [];
  for (let place = 0; place < PLACES; place++) {
    const at = (slot * PLACES + place) * PLACE_WORDS;
    for (let high = Atomics.load(places, at); high !== 0; ) {
      const low = Atomics.load(places, at + 1);
      const seconds = Atomics.load(places, at + 2);
      const count = Atomics.load(places, at + 3);
      const again = Atomics.load(places, at);
      if (again === high) {
        found.push({ sequence: (high - 1) * HIGH + (low >>> 0), seconds, count });
        break;
      }
      high = again;
    }
  }
  return found;
}
