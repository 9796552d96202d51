/**
 * When may memory or a file be given up that other threads could still be reading? Reclamation by epochs (Fraser, "Practical
 * lock-freedom", 2004, chapter 5.2.3), with a word a thread in place of a count an object.
 *
 * Around each operation a thread keeps the epoch in its slot that the operation began in (`pin`, `unpin`). What was made
 * unreachable is stamped with the epoch (`retire`), which rises then. It may be reused once every pinned thread pinned a
 * later epoch: whoever pins after that can not find it any more.
 *
 *   1. `pin` stores before the operation's first look at anything shared (both through Atomics, so in that order).
 *   2. `retire` comes after the last word that led to the thing was stored.
 *   3. `isPast` looks at every slot after `retire`.
 * Epochs wrap; they are compared by their difference.
 */
import { loadInOrder, storeInOrder } from '../../runtime/load-in-order.ts';
import { EPOCH, SLOT_PIN, SLOTS_USED, slotAt } from './control-words.ts';

/** Keeps what the thread in `slot` meets from now on where it is, until `unpin`. */
export function pin(words: Int32Array, slot: number): void {
  // The store comes before every later load: that takes a fence.
  Atomics.store(words, slotAt(slot) + SLOT_PIN, loadInOrder(words, EPOCH));
}

export function unpin(words: Int32Array, slot: number): void {
  storeInOrder(words, slotAt(slot) + SLOT_PIN, 0);
}

/** The stamp of what was just made unreachable. */
export function retire(words: Int32Array): number {
  const stamp = Atomics.add(words, EPOCH, 1);
  // 0 in a slot says that nothing is pinned.
  if (stamp === -1) Atomics.compareExchange(words, EPOCH, 0, 1);
  return stamp;
}

/** Can no thread be reading any more what was stamped so? */
export function isPast(words: Int32Array, stamp: number): boolean {
  const used = Atomics.load(words, SLOTS_USED);
  for (let slot = 0; slot < used; slot++) {
    const pinned = Atomics.load(words, slotAt(slot) + SLOT_PIN);
    if (pinned !== 0 && ((pinned - stamp) | 0) <= 0) return false;
  }
  return true;
}
