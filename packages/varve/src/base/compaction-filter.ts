/**
 * Compaction filters: user code that compactions ask about the entries that they write, to remove or to change them.
 *
 * It is called in whatever thread a compaction runs, so it is a module of its own. What may be shown to it is decided by the drop
 * rule (compaction/drop.ts); what it throws keeps the entry.
 */
import { isCodeName, isCodeVersion } from './merge-operator.ts';

export interface FilteredEntry {
  /** A copy. */
  readonly key: Uint8Array;
  /** A copy of the stored value, as the value codec encodes it. */
  readonly value: Uint8Array;
  readonly sequence: number;
}

/** What a filter is told of the compaction that asks. */
export interface FilterContext {
  readonly keyspace: string;
  /** To which the entries are written, 0 to 6. */
  readonly level: number;
  /** What the option's `data()` gave when the compaction began: a copy that nobody changes. */
  readonly data: unknown;
  /** What the filter's `begin` gave. */
  readonly state: unknown;
}

export type FilterDecision = 'keep' | 'remove' | { readonly value: Uint8Array };

/**
 * A compaction filter. Asked about the newest version of a key that a compaction writes, when it is a put, when no snapshot, walk
 * or transaction that is open may see it, and when nothing has been merged to it since as far as the compaction sees.
 *
 * @example
 * export const drafts: CompactionFilter = {
 *   name: 'drafts',
 *   version: 1,
 *   filter: ({ key }) => (key[0] === 0x7e ? 'remove' : 'keep'),
 * };
 */
export interface CompactionFilter {
  readonly name: string;
  readonly version: number | string;
  /** Called once for each job of a compaction, before the first entry; what it returns is the context's `state`. */
  begin?(context: Omit<FilterContext, 'state'>): unknown;
  filter(entry: FilteredEntry, context: FilterContext): FilterDecision;
}

/** Is it a compaction filter? What it is to have instead. */
export function wantedOfFilter(code: unknown): string | undefined {
  const wanted = '{ name, version, filter }';
  if (typeof code !== 'object' || code === null) return wanted;
  const { name, version, filter, begin } = code as Record<string, unknown>;
  if (!isCodeName(name)) return `${wanted} with a name of 1 to 255 characters`;
  if (!isCodeVersion(version))
    return `${wanted} with a version, a number or a string of up to 255 characters`;
  if (typeof filter !== 'function') return `${wanted} with a function filter`;
  return begin === undefined || typeof begin === 'function'
    ? undefined
    : `${wanted} where begin is a function or left out`;
}
