/**
 * The locks of transactions on keys and ranges, and the requests that wait for one, of all threads of a shared database: a
 * region of shared memory with a record for each. Changed with the write lock only; what they mean knows transaction/locks.ts,
 * of which each thread keeps a copy that follows this one.
 *
 *   word      field
 *   0         IN_USE    records that are held or wait; at no store less than there are
 *   1         CHANGES   changes so far; change n touched the record that RING names at n modulo its length
 *   2         WAKES     rises when somebody who waits may go on; they sleep on it
 *   3         REBUILDS  rises when the ring does not tell everything: all records are to be read again
 *   4         HIGH      units of 64 bytes that were ever given out; blocks lie one behind the other up to there
 *   5..17     FREE      of each size, 64 bytes times 2^class, the first free block: its unit + 1; 0 for none
 *   32..4127  RING      units of the newest changes
 *   from 4128 blocks
 *
 *   word of a block
 *   0         CLASS     size class + 1; stored before HIGH rises over it, and never changed
 *   1         STATE     0 free, 1 held, 2 waits. Stored last: a record is there as a whole or not at all
 *   2         STAMP     number of the change that made it: tells it from others in this place, and is the order of the queue
 *   3         OWNER     use of a slot: times that it was taken << 8 | slot + 1, as in shared-lock.ts
 *   4, 5      TRANSACTION  high word, low word
 *   6         KEYSPACE
 *   7         FROM      bytes of the first key
 *   8         TO        bytes of the end of the range; -1: the first key alone; -2: no end
 *   9         PREPARED  bytes of the id that it was prepared by; 0: it is not
 *   10        NEXT      unit + 1 of the next free block, while it is free
 *   11...     the bytes: from, to, id
 *
 * Who dies in the middle has left blocks that nobody has, a count that is too high, a change that no ring tells: never half a
 * record. Whoever takes the write lock over counts and links anew (`repairLocks`).
 */
import { BEHIND_ALL } from '../../base/entry.ts';
import { busy } from '../../base/errors.ts';
import { preparedIdOf } from '../../record/prepared.ts';
import { loadInOrder } from '../../runtime/load-in-order.ts';
import { isGone } from './shared-lock.ts';
import { generationOf, threadIdOf } from './thread-slots.ts';

export const IN_USE = 0;
export const CHANGES = 1;
const WAKES = 2;
const REBUILDS = 3;
export const HIGH = 4;
export const FREE = 5;
export const CLASSES = 13;
const RING = 32;
const RING_WORDS = 4096;
export const BLOCKS: number = RING + RING_WORDS;

export const UNIT_WORDS = 16;
export const CLASS = 0;
export const STATE = 1;
const STAMP = 2;
const OWNER = 3;
const TRANSACTION = 4;
const KEYSPACE = 6;
const FROM = 7;
const TO = 8;
const PREPARED = 9;
export const NEXT = 10;
const HEAD_WORDS = 11;
const LOW = 4294967296;

const IS_FREE = 0;
const IS_HELD = 1;
const WAITS = 2;

/** Room for 262,144 locks on short keys; memory that was never used costs nothing. */
const UNITS = 1 << 18;
export const LOCK_WORDS: number = BLOCKS + UNITS * UNIT_WORDS;

/** A lock or a request, as it stands in its record. */
export interface LockFields {
  readonly owner: { readonly id: number; readonly prepared?: string };
  readonly keyspaceId: number;
  readonly from: Uint8Array;
  /** Undefined: the key `from` alone. */
  readonly to: Uint8Array | undefined;
}

/** What a record says. */
export interface LockRecord {
  readonly isWaiting: boolean;
  readonly stamp: number;
  readonly use: number;
  readonly transaction: number;
  readonly prepared: string | undefined;
  readonly keyspaceId: number;
  readonly from: Uint8Array;
  readonly to: Uint8Array | undefined;
}

/** Units that the records of `locks` take. @throws busy `LOCKS_FULL` when no region has so many */
export function checkLocksFit(locks: Iterable<LockFields>): void {
  let units = 0;
  for (const lock of locks) units += 1 << classOf(bytesOf(lock));
  if (units > UNITS) throw full();
}

/** Makes whole what a thread that died with the write lock has left. By whoever took it over. */
export function repairLocks(memory: SharedArrayBuffer): void {
  const words = new Int32Array(memory);
  for (let c = 0; c < CLASSES; c++) Atomics.store(words, FREE + c, 0);
  let inUse = 0;
  const high = Atomics.load(words, HIGH);
  for (let unit = 0; unit < high; unit += 1 << (words[blockAt(unit) + CLASS]! - 1)) {
    if (Atomics.load(words, blockAt(unit) + STATE) === IS_FREE) link(words, unit);
    else inUse++;
  }
  Atomics.store(words, IN_USE, inUse);
  // A record may be there whose change was not counted: the next one is to have another stamp.
  Atomics.add(words, CHANGES, 1);
  Atomics.add(words, REBUILDS, 1);
  Atomics.add(words, WAKES, 1);
  Atomics.notify(words, WAKES);
}

/** One thread's view of the region. All but `wakes`, `isHeld` and `words` with the write lock. */
export class LockRecords {
  readonly words: Int32Array;
  /** This thread's use of its slot. */
  readonly use: number;
  readonly #control: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #units: number;

  constructor(control: Int32Array, memory: SharedArrayBuffer, slot: number) {
    this.#control = control;
    this.words = new Int32Array(memory);
    this.#bytes = new Uint8Array(memory);
    this.#units = (this.words.length - BLOCKS) / UNIT_WORDS;
    this.use = (generationOf(control, slot) << 8) | (slot + 1);
  }

  /** Is there any record? */
  get isUsed(): boolean {
    return loadInOrder(this.words, IN_USE) !== 0;
  }

  get changes(): number {
    return Atomics.load(this.words, CHANGES);
  }

  get rebuilds(): number {
    return Atomics.load(this.words, REBUILDS);
  }

  /** Word to sleep on, and what it holds. */
  readonly wakeAt: number = WAKES;
  get wakes(): number {
    return Atomics.load(this.words, WAKES);
  }

  /** Makes a record; its unit. @throws busy `LOCKS_FULL` */
  add(lock: LockFields, isWaiting: boolean): number {
    const { words } = this;
    const { owner, keyspaceId, from, to } = lock;
    const prepared = preparedBytes(lock);
    const unit = this.#take(classOf(bytesOf(lock)));
    const at = blockAt(unit);
    Atomics.store(words, IN_USE, words[IN_USE]! + 1);
    words[at + STAMP] = words[CHANGES]!;
    words[at + OWNER] = this.use;
    words[at + TRANSACTION] = Math.floor(owner.id / LOW);
    words[at + TRANSACTION + 1] = owner.id | 0;
    words[at + KEYSPACE] = keyspaceId;
    words[at + FROM] = from.length;
    const end = endOf(to);
    words[at + TO] = end;
    words[at + PREPARED] = prepared.length;
    let byte = (at + HEAD_WORDS) * 4;
    for (const part of end < 0 ? [from, prepared] : [from, to!, prepared]) {
      this.#bytes.set(part, byte);
      byte += part.length;
    }
    Atomics.store(words, at + STATE, isWaiting ? WAITS : IS_HELD);
    this.#changed(unit);
    return unit;
  }

  /** A request is granted. */
  grant(unit: number): void {
    Atomics.store(this.words, blockAt(unit) + STATE, IS_HELD);
    this.#changed(unit);
  }

  remove(unit: number): void {
    const { words } = this;
    Atomics.store(words, blockAt(unit) + STATE, IS_FREE);
    link(words, unit);
    Atomics.store(words, IN_USE, words[IN_USE]! - 1);
    this.#changed(unit);
    if (words[IN_USE] === 0 && words[HIGH]! > this.#units / 4) this.#startOver();
  }

  /** Whoever waits is to look: something was let go, or granted. */
  wake(): void {
    Atomics.add(this.words, WAKES, 1);
    Atomics.notify(this.words, WAKES);
  }

  /** Of a record of this thread's own, also without the lock. */
  isHeld(unit: number): boolean {
    return Atomics.load(this.words, blockAt(unit) + STATE) === IS_HELD;
  }

  /** Calls `visit` with what was touched since there were `seen` changes; false when that is not known any more. */
  since(seen: number, visit: (unit: number) => void): boolean {
    const { words } = this;
    const { changes } = this;
    if ((changes - seen) >>> 0 > RING_WORDS) return false;
    for (let n = seen; n !== changes; n = (n + 1) | 0) visit(words[RING + (n & (RING_WORDS - 1))]!);
    return true;
  }

  /** Calls `visit` with every record. */
  each(visit: (unit: number) => void): void {
    const { words } = this;
    const high = words[HIGH]!;
    for (let unit = 0; unit < high; unit += 1 << (words[blockAt(unit) + CLASS]! - 1)) {
      if (words[blockAt(unit) + STATE] !== IS_FREE) visit(unit);
    }
  }

  /** State and stamp of a record, undefined when there is none. */
  stampOf(unit: number): number | undefined {
    const at = blockAt(unit);
    return this.words[at + STATE] === IS_FREE ? undefined : this.words[at + STAMP]!;
  }

  read(unit: number): LockRecord {
    const { words } = this;
    const at = blockAt(unit);
    let byte = (at + HEAD_WORDS) * 4;
    const part = (length: number): Uint8Array => this.#bytes.slice(byte, (byte += length));
    const to = words[at + TO]!;
    return {
      isWaiting: words[at + STATE] === WAITS,
      stamp: words[at + STAMP]!,
      use: words[at + OWNER]!,
      transaction: words[at + TRANSACTION]! * LOW + (words[at + TRANSACTION + 1]! >>> 0),
      keyspaceId: words[at + KEYSPACE]!,
      from: part(words[at + FROM]!),
      to: to === -1 ? undefined : to === -2 ? BEHIND_ALL : part(to),
      prepared: words[at + PREPARED] === 0 ? undefined : preparedIdOf(part(words[at + PREPARED]!)),
    };
  }

  /** Has the thread ended, or left its slot? */
  isGone(use: number): boolean {
    return use !== this.use && isGone(this.#control, use);
  }

  /** `threadId` of who has the slot. */
  threadOf(use: number): number {
    return threadIdOf(this.#control, slotOf(use));
  }

  #changed(unit: number): void {
    const { words } = this;
    const changes = words[CHANGES]!;
    words[RING + (changes & (RING_WORDS - 1))] = unit;
    Atomics.store(words, CHANGES, (changes + 1) | 0);
  }

  /** A free block of the class, or a larger one. */
  #take(wanted: number): number {
    const { words } = this;
    const high = words[HIGH]!;
    const units = 1 << wanted;
    const isRoom = high + units <= this.#units;
    for (let c = wanted; c < (isRoom ? wanted + 1 : CLASSES); c++) {
      const unit = words[FREE + c]! - 1;
      if (unit < 0) continue;
      Atomics.store(words, FREE + c, words[blockAt(unit) + NEXT]!);
      return unit;
    }
    if (!isRoom) throw full();
    // What lies there may be of before a new start.
    Atomics.store(words, blockAt(high) + STATE, IS_FREE);
    Atomics.store(words, blockAt(high) + CLASS, wanted + 1);
    Atomics.store(words, HIGH, high + units);
    return high;
  }

  /** Nothing is in use: blocks of other sizes can be made. */
  #startOver(): void {
    const { words } = this;
    for (let c = 0; c < CLASSES; c++) Atomics.store(words, FREE + c, 0);
    Atomics.store(words, HIGH, 0);
    Atomics.add(words, REBUILDS, 1);
  }
}

/** Slot of a use of one. */
export function slotOf(use: number): number {
  return (use & 255) - 1;
}

function blockAt(unit: number): number {
  return BLOCKS + unit * UNIT_WORDS;
}

function link(words: Int32Array, unit: number): void {
  const at = blockAt(unit);
  const head = FREE + words[at + CLASS]! - 1;
  Atomics.store(words, at + NEXT, words[head]!);
  Atomics.store(words, head, unit + 1);
}

const encoder = new TextEncoder();
const NOTHING = new Uint8Array();

function preparedBytes({ owner }: LockFields): Uint8Array {
  return owner.prepared === undefined ? NOTHING : encoder.encode(owner.prepared);
}

/** What TO says of it. The end that is behind all keys is longer than any, and not written out. */
function endOf(to: Uint8Array | undefined): number {
  if (to === undefined) return -1;
  return to === BEHIND_ALL ? -2 : to.length;
}

function bytesOf(lock: LockFields): number {
  return HEAD_WORDS * 4 + lock.from.length + Math.max(0, endOf(lock.to)) + preparedBytes(lock).length;
}

function classOf(bytes: number): number {
  return Math.max(0, 32 - Math.clz32(Math.ceil(bytes / (UNIT_WORDS * 4)) - 1));
}

function full(): Error {
  return busy('LOCKS_FULL', 'the threads of a shared database hold no more locks at once', { units: UNITS });
}
