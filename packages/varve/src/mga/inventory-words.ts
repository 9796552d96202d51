/**
 * The memory of a transaction inventory: one SharedArrayBuffer that every thread of the index has. This is the layout that a host
 * may fill in itself; all numbers are little-endian, all changes are atomic operations.
 *
 *   offset  size  type    word             changed by                        meaning
 *        0     4  i32     MAGIC            its maker                         0x56_41_47_4d
 *        4     4  i32     VERSION          its maker                         1
 *        8     4  i32     SLOTS            its maker                         states, a power of two from 2^10 to 2^28
 *       12     4  i32     GENERATION       trim, + 1                         BASE has changed: whoever knows it looks again
 *       16     4  i32     CHANGES          rebuilds and moves, + 1           what is stored of an index has changed: look again
 *       20     4  i32     TRIM_LOCK        vacuum, 0 <-> thread id + 1       who vacuums
 *       64     8  i64     NEXT             begin, compare and exchange       the next xid
 *       72     8  i64     BASE             trim                              all below are committed or carried by nobody
 *       80     8  i64     OLDEST           commit and abort, c. and e.       no xid below is active
 *       88     8  i64     CLEARED          trim, after the slots are free    slots of xids below may be used again
 *       96     8  i64     RESERVED         stored inventories                xids below are known to be used after a crash
 *      104     8  i64     COMMITTED_AT     stored inventories, only up         sequence of the database's last commit record
 *      128  1024  i32[]   WRITERS          each thread its own pair          thread id + 1; changes begun and ended, odd: in the middle
 *     1152     n  u8[]    STATES           begin, commit, abort, trim        of xid x at x mod SLOTS: see below
 *
 * States: 0 free, 1 active, 2 committed, 3 aborted, 4 being committed (counts as active).
 * Invariants: (1) BASE <= OLDEST <= NEXT <= CLEARED + SLOTS. (2) The slots of [BASE, NEXT) are not free, those of the others are or
 * will be before CLEARED passes them. (3) A state other than 1 and 4 is final.
 */
import { invalid } from '../base/errors.ts';

export const MAGIC = 0x56_41_47_4d;
export const VERSION = 1;

export const WORD_MAGIC = 0;
export const WORD_VERSION = 1;
export const WORD_SLOTS = 2;
export const WORD_GENERATION = 3;
export const WORD_CHANGES = 4;
export const WORD_TRIM_LOCK = 5;

/** Positions among the 64-bit words. */
export const BIG_NEXT = 8;
export const BIG_BASE = 9;
export const BIG_OLDEST = 10;
export const BIG_CLEARED = 11;
export const BIG_RESERVED = 12;
export const BIG_COMMITTED_AT = 13;

export const WORD_WRITERS = 32;
export const WRITERS_MAX = 128;
const STATES_AT = 1152;

export const FREE = 0;
export const ACTIVE = 1;
export const COMMITTED = 2;
export const ABORTED = 3;
export const COMMITTING = 4;

export const SLOTS_MIN: number = 2 ** 10;
export const SLOTS_MAX: number = 2 ** 28;

export interface InventoryWords {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly big: BigInt64Array;
  readonly states: Uint8Array;
  readonly slots: number;
}

/** @param first the first xid; all below count as committed */
export function makeWords(slots: number, first: number): InventoryWords {
  const made = viewsOf(new SharedArrayBuffer(STATES_AT + slots), slots);
  const { words, big } = made;
  words[WORD_VERSION] = VERSION;
  words[WORD_SLOTS] = slots;
  for (const at of [BIG_NEXT, BIG_BASE, BIG_OLDEST, BIG_CLEARED, BIG_RESERVED]) big[at] = BigInt(first);
  Atomics.store(words, WORD_MAGIC, MAGIC);
  return made;
}

/** @throws invalid `INVENTORY_INVALID` for memory that is none */
export function wordsOf(buffer: unknown): InventoryWords {
  const refuse = (got: string): never => {
    throw invalid('INVENTORY_INVALID', `wanted the buffer of a TransactionInventory, got ${got}`, { got });
  };
  if (!(buffer instanceof SharedArrayBuffer)) return refuse(typeof buffer);
  if (buffer.byteLength < STATES_AT + SLOTS_MIN) return refuse(`${buffer.byteLength} bytes`);
  const head = new Int32Array(buffer, 0, 16);
  if (Atomics.load(head, WORD_MAGIC) !== MAGIC) return refuse('other bytes');
  const version = Atomics.load(head, WORD_VERSION);
  if (version !== VERSION) return refuse(`one of version ${version}`);
  const slots = Atomics.load(head, WORD_SLOTS);
  if (!isSlots(slots) || buffer.byteLength !== STATES_AT + slots) {
    return refuse(`${buffer.byteLength} bytes for ${slots} slots`);
  }
  return viewsOf(buffer, slots);
}

export function isSlots(slots: unknown): slots is number {
  return (
    typeof slots === 'number' &&
    Number.isInteger(slots) &&
    slots >= SLOTS_MIN &&
    slots <= SLOTS_MAX &&
    (slots & (slots - 1)) === 0
  );
}

function viewsOf(buffer: SharedArrayBuffer, slots: number): InventoryWords {
  return {
    buffer,
    words: new Int32Array(buffer, 0, STATES_AT / 4),
    big: new BigInt64Array(buffer, 0, STATES_AT / 8),
    states: new Uint8Array(buffer, STATES_AT, slots),
    slots,
  };
}
