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
  /** Of this thread's count; 0: it has none yet. */
  #at = 0;
  #depth = 0;

  constructor({ words }: InventoryWords) {
    this.#words = words;
  }

  enter(): void {
    if (this.#at === 0) this.#at = claim(this.#words);
    if (this.#depth++ === 0) Atomics.add(this.#words, this.#at, 1);
  }

  leave(): void {
    if (--this.#depth === 0) Atomics.add(this.#words, this.#at, 1);
  }
}

/** Position of the count of this thread. @throws busy `TOO_MANY_THREADS` */
function claim(words: Int32Array): number {
  const own = threadId + 1;
  for (let i = 0; i < WRITERS_MAX; i++) {
    const at = WORD_WRITERS + i * 2;
    const was = Atomics.compareExchange(words, at, 0, own);
    if (was === 0 || was === own) return at + 1;
  }
  const message = `at most ${WRITERS_MAX} threads change the indexes of one inventory`;
  throw busy('TOO_MANY_THREADS', message, { threads: WRITERS_MAX });
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
        Atomics.store(words, at + 1, count + 1);
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
