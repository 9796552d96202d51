/**
 * Which threads are in the middle of a change of an entry. A change reads an entry, and writes what it makes of it a little later; a
 * vacuum that clears an xid away in between would see it come back. So each thread counts its changes in a pair of words of its own,
 * odd while one runs, and a vacuum waits, before it looks, until every change has ended that had begun (one grace period).
 */
import { threadId } from 'node:worker_threads';
import { busy } from '../base/errors.ts';
import { type InventoryWords, WORD_WRITERS, WRITERS_MAX } from './inventory-words.ts';

const POLL_MS = 2;
const POLLS_MAX = 5000;

export class WriterSlot {
  readonly #words: Int32Array;
  readonly #runs: (id: number) => boolean;
  /** Of this thread's count; 0: it has none yet. */
  #at = 0;
  #depth = 0;

  /** @param runs whether a thread has the database open, by its id */
  constructor({ words }: InventoryWords, runs: (id: number) => boolean) {
    this.#words = words;
    this.#runs = runs;
  }

  enter(): void {
    const words = this.#words;
    if (this.#depth === 0) {
      // Another thread has the pair when the database was closed here meanwhile.
      const isOwn = this.#at !== 0 && Atomics.load(words, this.#at - 1) === OWN;
      if (!isOwn) this.#at = claim(words, this.#runs);
      Atomics.add(words, this.#at, 1);
    }
    this.#depth++;
  }

  leave(): void {
    if (--this.#depth === 0) Atomics.add(this.#words, this.#at, 1);
  }
}

const OWN = threadId + 1;

/** Position of the count of this thread: that of one which is gone, when there is no other. @throws busy `TOO_MANY_THREADS` */
function claim(words: Int32Array, runs: (id: number) => boolean): number {
  for (let i = 0; i < WRITERS_MAX; i++) {
    const at = WORD_WRITERS + i * 2;
    const was = Atomics.compareExchange(words, at, 0, OWN);
    if (was === 0 || was === OWN) return at + 1;
  }
  for (let i = 0; i < WRITERS_MAX; i++) {
    const at = WORD_WRITERS + i * 2;
    const was = Atomics.load(words, at);
    if (runs(was - 1) || Atomics.compareExchange(words, at, was, OWN) !== was) continue;
    // It may have died in the middle of a change.
    if ((Atomics.load(words, at + 1) & 1) !== 0) Atomics.add(words, at + 1, 1);
    return at + 1;
  }
  const message = `at most ${WRITERS_MAX} threads change the indexes of one inventory`;
  throw busy('TOO_MANY_THREADS', message, { threads: WRITERS_MAX });
}

/** Is a thread that lives in the middle of a change or a commit? */
export function isAnyChanging({ words }: InventoryWords, runs: (id: number) => boolean): boolean {
  for (let i = 0; i < WRITERS_MAX; i++) {
    const at = WORD_WRITERS + i * 2;
    const thread = Atomics.load(words, at);
    if (thread !== 0 && (Atomics.load(words, at + 1) & 1) !== 0 && runs(thread - 1)) return true;
  }
  return false;
}

/**
 * Resolves when every change has ended that runs now. @param runs whether a thread is alive, by its id
 * @throws busy `VACUUM_BUSY` when one does not end
 */
export async function changesEnded({ words }: InventoryWords, runs: (id: number) => boolean): Promise<void> {
  for (let i = 0; i < WRITERS_MAX; i++) {
    const at = WORD_WRITERS + i * 2;
    const thread = Atomics.load(words, at);
    if (thread === 0) continue;
    const count = Atomics.load(words, at + 1);
    if ((count & 1) === 0) continue;
    for (let polls = 0; Atomics.load(words, at + 1) === count; polls++) {
      // Its changes are written or not, and no more come: others may have the pair.
      if (!runs(thread - 1)) {
        if (Atomics.compareExchange(words, at + 1, count, count + 1) !== count) break;
        Atomics.compareExchange(words, at, thread, 0);
        break;
      }
      if (polls === POLLS_MAX) {
        const message = `thread ${thread - 1} has been changing an entry for ${(POLLS_MAX * POLL_MS) / 1000} s`;
        throw busy('VACUUM_BUSY', message, { threadId: thread - 1 });
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
