/**
 * The sequences that threads of a shared database may still read at, and by which time: snapshots and running cursors. Every
 * thread has a row of places of its own; jobs read all rows.
 *
 *   place     word   field
 *             p + 0  high word of the sequence + 1; 0: the place is free
 *             p + 1  low word, stored before the high one, which publishes it
 *             p + 2  earliest time of its readers by the stored clock, divided by 2^32
 *             p + 3  low word of that
 *             p + 4  how many readers the thread has there, for reports
 *
 * Nobody falls between a reader and a job: a reader registers, then looks at the highest floor of a job and at the stored
 * clock; a job publishes its floor and its time, then reads the register (CONTRACT 5). Whoever finds all places taken lowers
 * the overflow word of its slot instead, and jobs keep everything from there on, expired or not.
 */
import { HeldReaders, type ReaderGroup } from '../held-readers.ts';
import { JOB_FLOOR, SLOT_OVERFLOW, SLOTS_MAX, slotAt, VISIBLE } from './control-words.ts';
import { loadSequence, storeSequence } from './sequence-words.ts';
import { takenSlots, threadIdOf } from './thread-slots.ts';

const PLACES = 256;
const PLACE_WORDS = 5;
const TIME = 2;
const COUNT = 4;
const HIGH = 4294967296;
export const REGISTER_WORDS: number = SLOTS_MAX * PLACES * PLACE_WORDS;

/** What one thread holds. */
export interface HeldSnapshots {
  readonly slot: number;
  readonly threadId: number;
  readonly snapshots: number;
  readonly oldestSequence?: number;
  readonly oldestAgeMs?: number;
}

/** The stored clock, as the register asks it (stored-clock.ts). */
interface RegisterClock {
  now(): number;
  readonly last: number;
}

/** One thread's row, and a look at all of them. */
export class SharedRegister {
  readonly #control: Int32Array;
  readonly #places: Int32Array;
  readonly #slot: number;
  readonly #clock: RegisterClock;
  readonly #held = new HeldReaders();
  readonly #overflowed = new Set<ReaderGroup>();
  #time = 0;
  #free = 0;
  #isEnded = false;

  constructor(control: Int32Array, places: Int32Array, slot: number, clock: RegisterClock) {
    this.#control = control;
    this.#places = places;
    this.#slot = slot;
    this.#clock = clock;
  }

  get count(): number {
    let count = 0;
    for (const held of this.heldByThreads()) count += held.snapshots;
    return count;
  }

  /** The time of the reader that was registered last. */
  get time(): number {
    return this.#time;
  }

  /** Takes over what this thread had registered before it shared the database. */
  adopt(held: HeldReaders): void {
    for (const { sequence, time, latest, count, isPast } of held.groups()) {
      if (isPast) {
        for (let i = 0; i < count; i++) this.addPast(sequence, time);
        continue;
      }
      for (let i = 0; i < count; i++) this.#joined(this.#held.add(sequence, time));
      this.#held.addAgain(sequence, time)!.latest = latest;
      this.#held.remove(sequence, time);
    }
  }

  /** Registers the sequence that is visible now, by the time that it is now, so that no job drops what it sees; returns it. */
  addVisible(): number {
    for (;;) {
      const time = this.#clock.now();
      const sequence = loadSequence(this.#control, VISIBLE);
      this.#time = time;
      // Another thread may have the slot by now, and its row.
      if (this.#isEnded) return sequence;
      this.#joined(this.#held.add(sequence, time));
      if (loadSequence(this.#control, JOB_FLOOR) <= sequence && this.#clock.last <= time) return sequence;
      this.remove(sequence, time);
    }
  }

  /** Registers a reader of the past. */
  addPast(sequence: number, time: number): void {
    if (!this.#isEnded) this.#joined(this.#held.addPast(sequence, time));
  }

  /** Registers another reader at the sequence and time of one that is registered. */
  add(sequence: number, time: number): void {
    if (this.#isEnded) return;
    this.#joined(this.#held.addAgain(sequence, time) ?? this.#held.add(sequence, time));
  }

  #joined(group: ReaderGroup): void {
    if (group.count === 1) this.#takePlace(group);
    else if (group.place >= 0) Atomics.store(this.#places, this.#at(group.place) + COUNT, group.count);
  }

  remove(sequence: number, time: number): void {
    const group = this.#held.remove(sequence, time);
    if (group === undefined) return;
    if (group.count > 0) {
      if (group.place >= 0) Atomics.store(this.#places, this.#at(group.place) + COUNT, group.count);
      return;
    }
    if (group.place >= 0) {
      Atomics.store(this.#places, this.#at(group.place), 0);
      this.#free = Math.min(this.#free, group.place);
      return;
    }
    this.#overflowed.delete(group);
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

  /** The earliest time of all readers; Infinity when there are none, 0 when that of some is not known. */
  earliestTime(): number {
    if (this.overflowFloor() !== Number.POSITIVE_INFINITY) return 0;
    let earliest = Number.POSITIVE_INFINITY;
    for (const slot of takenSlots(this.#control)) {
      for (const { time } of registeredIn(this.#places, slot)) earliest = Math.min(earliest, time);
    }
    return earliest;
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

  /** The oldest registered sequence and since when, if any. */
  oldest(): { sequence: number; time: number } | undefined {
    let oldest: { sequence: number; time: number } | undefined;
    for (const slot of takenSlots(this.#control)) {
      for (const each of registeredIn(this.#places, slot)) {
        if (oldest === undefined || each.sequence < oldest.sequence) oldest = each;
      }
    }
    return oldest;
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
          : { oldestSequence: oldest.sequence, oldestAgeMs: Math.max(0, this.#clock.now() - oldest.time) }),
      };
    });
  }

  #takePlace(group: ReaderGroup): void {
    const { sequence, time } = group;
    for (let place = this.#free; place < PLACES; place++) {
      const at = this.#at(place);
      if (this.#places[at] !== 0) continue;
      this.#free = place + 1;
      Atomics.store(this.#places, at + COUNT, group.count);
      Atomics.store(this.#places, at + TIME + 1, time | 0);
      Atomics.store(this.#places, at + TIME, Math.floor(time / HIGH));
      Atomics.store(this.#places, at + 1, sequence | 0);
      Atomics.store(this.#places, at, Math.floor(sequence / HIGH) + 1);
      group.place = place;
      return;
    }
    this.#overflowed.add(group);
    this.#storeOverflow();
  }

  /** Lowered before it could be read as higher: the low word is 0 while the two are changed. */
  #storeOverflow(): void {
    const at = slotAt(this.#slot) + SLOT_OVERFLOW;
    let lowest = Number.POSITIVE_INFINITY;
    for (const { sequence } of this.#overflowed) lowest = Math.min(lowest, sequence);
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
  readonly time: number;
  readonly count: number;
}

/** A place that is given to another reader while it is read may show a mixture: its reader is gone then. */
function registeredIn(places: Int32Array, slot: number): Registered[] {
  const found: Registered[] = [];
  for (let place = 0; place < PLACES; place++) {
    const at = (slot * PLACES + place) * PLACE_WORDS;
    for (let high = Atomics.load(places, at); high !== 0; ) {
      const low = Atomics.load(places, at + 1);
      const time = Atomics.load(places, at + TIME) * HIGH + (Atomics.load(places, at + TIME + 1) >>> 0);
      const count = Atomics.load(places, at + COUNT);
      const again = Atomics.load(places, at);
      if (again === high) {
        found.push({ sequence: (high - 1) * HIGH + (low >>> 0), time, count });
        break;
      }
      high = again;
    }
  }
  return found;
}
