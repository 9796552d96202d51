/** Words of an inventory that say who vacuums, and that what is stored of an index has changed. Any thread. */
import { busy } from '../base/errors.ts';
import { type InventoryWords, WORD_CHANGES, WORD_TRIM_LOCK } from './inventory-words.ts';

/** Tells every index object of every thread to look at what is stored of its index. */
export function tellIndexes({ words }: InventoryWords): void {
  Atomics.add(words, WORD_CHANGES, 1);
}

/** Takes the right to vacuum. @throws busy `VACUUM_BUSY` when another thread that `runs` has it */
export function lockTrim({ words }: InventoryWords, own: number, runs: (id: number) => boolean): () => void {
  for (;;) {
    const holder = Atomics.compareExchange(words, WORD_TRIM_LOCK, 0, own + 1);
    if (holder === 0) return () => Atomics.store(words, WORD_TRIM_LOCK, 0);
    if (runs(holder - 1)) {
      throw busy('VACUUM_BUSY', `thread ${holder - 1} is vacuuming already`, { threadId: holder - 1 });
    }
    Atomics.compareExchange(words, WORD_TRIM_LOCK, holder, 0);
  }
}
