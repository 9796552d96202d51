/**
 * The compaction filter of MGA indexes, as a module of its own: the threads of compactions import it by `filterUrl`. It takes out
 * what nobody can see and freezes what everybody sees, by a frozen copy of the inventory. Entries of later transactions stay.
 */
import type { CompactionFilter, FilterDecision } from '../base/compaction-filter.ts';
import { decodeEntry, encodeEntry, MORE } from './entry-format.ts';
import { isFrozen } from './index-options.ts';
import { type Outcomes, prune, settledBy } from './lives.ts';

export const filterUrl: string = import.meta.url;

export const mgaFilter: CompactionFilter = {
  name: 'varve.mga',
  version: 1,
  begin: ({ data }) => (isFrozen(data) ? settledBy(data) : undefined),
  filter: ({ value }, { state }) => (state === undefined ? 'keep' : pruned(value, state as Outcomes)),
};

/** What becomes of a stored value. */
export function pruned(value: Uint8Array, outcomes: Outcomes): FilterDecision {
  const entry = decodeEntry(value);
  if (!prune(entry.lives, outcomes, true)) return 'keep';
  // Readers find the overflow entries of a key by its head.
  if (entry.lives.length === 0 && (entry.flags & MORE) === 0) return 'remove';
  return { value: encodeEntry(entry) };
}
