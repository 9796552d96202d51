/**
 * The control words of a shared database: one small block of shared memory that every thread with the database open reads
 * and writes. The layout table; who may write what, and by which operation, stands in docs/internals/concurrency.md, which a
 * test holds against this file.
 *
 * All words are Int32 and are read and written through `Atomics`, unless the table says that the write lock guards them.
 * Sequences take two words (sequence-words.ts).
 */

/** The write lock: 0 free, else who holds it (thread-slots.ts `LockOwner`). */
export const WRITE_LOCK = 0;
/** The block cache's lock, in the same form. */
export const CACHE_LOCK = 1;
/** Rises whenever something was made unreachable (epochs.ts); never 0. */
export const EPOCH = 2;
/** Rises by two with every replaced view; odd while the words of a view are being changed. */
export const GENERATION = 3;
/** Sequence up to which readers see: high word, low word. */
export const VISIBLE = 4;
/** Highest sequence that a running job takes as its floor. */
export const JOB_FLOOR = 6;
/** Flags of the database: CLOSED, POISONED, OWNER_GONE. */
export const FLAGS = 8;
/** Bytes of the manifest that describe the current version: high word, low word. */
export const MANIFEST_BYTES = 10;
/** Most files in level 0, for back-pressure. */
export const LEVEL0_FILES = 12;
/** Rises when memory came free or a job ended: who waits for room parks here. */
export const PROGRESS = 13;
/** 1: an attached thread has asked the owner to rotate, flush or begin a log segment. */
export const ASKED = 14;
/** Rises with every request to the owner. */
export const REQUESTS = 15;
/** Slots that were ever taken, so that nobody looks at the others. */
export const SLOTS_USED = 16;
/** Keyspace entries that were ever taken (keyspace-words.ts). */
export const KEYSPACES_USED = 17;
/** 1: a writer died in the middle; the owner looks for memory that it had taken. */
export const SWEEP_DUE = 18;
/** What the write-buffer budget is at the moment, in KiB. */
export const MEMTABLE_KIB_MAX = 19;

/** Where the ingestion stands that is ahead of the manifest (shared-ahead.ts): index of a word of the pool plus one; 0 for none. */
export const AHEAD = 20;
/** 1: a change feed of the owner waits; who hands over more of the log tells it. */
export const FEED_WAITS = 21;

export const FLAG_CLOSED = 1;
export const FLAG_POISONED = 2;
export const FLAG_OWNER_GONE = 4;

/** Slots begin on a line of their own, each has two lines: what one thread stores at every operation, no other reads often. */
export const SLOTS_AT = 32;
export const SLOT_WORDS = 32;
/** Threads that can have one database open, the owner counted. */
export const SLOTS_MAX = 64;

/** Words of a slot. Whose it is: 0 free, else the number that the system gives the thread, UNKNOWN_TASK where it tells none. */
export const SLOT_TASK = 0;
export const UNKNOWN_TASK: number = -1;
/** The epoch that the thread's running operation began in; 0 between operations. */
export const SLOT_PIN = 1;
/** When that thread started (thread-liveness.ts), high and low word; 0 while that is not known. */
export const SLOT_STARTED = 2;
/** `threadId` of Node. */
export const SLOT_THREAD = 4;
/** Rises with every answer that the owner has sent to this thread. */
export const SLOT_ANSWERS = 5;
/** Lowest sequence that found no place in the register, high + 1 and low; 0 for none. */
export const SLOT_OVERFLOW = 6;
/** Times that the slot was taken. */
export const SLOT_TAKEN = 8;
/** Never stored to: threads that back off sleep on it. */
export const SLOT_SLEEP = 9;
/** 1: promises of this thread wait for room; the owner tells it when there is some. */
export const SLOT_WAITS = 10;
/** How many of the owner's answers and notices the thread has taken. */
export const SLOT_HEARD = 11;

export const CONTROL_WORDS: number = SLOTS_AT + SLOTS_MAX * SLOT_WORDS;

/** Word index of a slot. */
export function slotAt(slot: number): number {
  return SLOTS_AT + slot * SLOT_WORDS;
}
