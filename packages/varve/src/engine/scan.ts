/**
 * The range read: one VisibleIterator over the merge of everything in a view that may hold keys of the range.
 *
 * Sources, newest first: memtable, immutables, tables of level 0, then one concatenation a level. Sources that can not
 * touch [lower, upper) are left out, and so are tables whose filter knows no key with the prefix that all keys of the range
 * share; the range tombstones of all that touch it are gathered into one set. Built per cursor and per
 * re-seek; nothing in it outlives the view that it was built from. The sources of a whole keyspace do not depend on the
 * reader, so a cursor that closes leaves them to the next one (`IdleSources`): most of what a seek costs is building them.
 * A range without an end in its direction is read from them too: a source that ends before it is found at its end.
 */
import { compareBytes, sharedPrefix } from '../base/bytes.ts';
import type { EntryIterator } from '../base/entry.ts';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import { ConcatIterator, firstFileReaching } from '../iterator/concat.ts';
import type { DeadRanges } from '../iterator/dead-ranges.ts';
import { mergeIterators } from '../iterator/merging.ts';
import { VisibleIterator } from '../iterator/visible.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import type { Memtable } from '../memtable/memtable.ts';
import { COLD } from '../sstable/cold-reads.ts';
import type { TableReader } from '../sstable/reader.ts';
import type { TableCache } from '../sstable/table-cache.ts';
import type { TableIterator } from '../sstable/table-iterator.ts';
import type { ReadView } from './read-view.ts';
import type { WalkAhead } from './walk-ahead.ts';

/** Half-open range of user keys; undefined is unbounded. */
export interface KeyRange {
  readonly lower: Uint8Array | undefined;
  readonly upper: Uint8Array | undefined;
}

/** What a walk takes of a view. */
export interface ScanView {
  readonly memtable: Memtable | undefined;
  readonly immutables: readonly Memtable[];
  readonly version: { readonly levels: readonly (readonly FileMeta[])[] };
}

/** The merged sources of a whole view that no cursor uses at the moment; at most one set a keyspace. */
export class IdleSources {
  #source: EntryIterator | undefined;
  #view: ReadView | undefined;

  /** Takes them out if they are those of `view`: two cursors never share a position. */
  take(view: ReadView): EntryIterator | undefined {
    const source = this.#view === view ? this.#source : undefined;
    this.#source = undefined;
    return source;
  }

  leave(view: ReadView, source: EntryIterator): void {
    this.#view = view;
    this.#source = source;
  }

  /** The view was replaced: what it was made of may go away. */
  clear(): void {
    this.#view = undefined;
    this.#source = undefined;
  }
}

/** The merge of all sources of the view that may hold keys of the range; with `ahead` its blocks are read by other threads. */
export function mergedSources(
  view: ScanView,
  tables: TableCache,
  range: KeyRange,
  ahead?: WalkAhead,
): EntryIterator {
  if (ahead !== undefined) openTogether(view, tables, range);
  const sources: EntryIterator[] = [];
  const pinned = pinnedBytes(range.lower, range.upper);
  for (const memtable of memtablesOf(view)) sources.push(memtable.iterator());
  view.version.levels.forEach((files, level) => {
    const touched = filesTouched(files, level, range);
    if (level === 0) {
      for (const file of touched) {
        const table = tables.get(file);
        if (mayHold(table, range, pinned)) sources.push(table.iterator({ ahead: ahead?.windows }));
      }
      return;
    }
    // Of several files of a sorted level each holds keys of the range: asking their filters would only open them early.
    if (touched.length === 0 || (touched.length === 1 && !mayHold(tables.get(touched[0]!), range, pinned)))
      return;
    // One file at a time is walked, so all of them share the memory of one walk.
    let last: TableIterator | undefined;
    const open = (index: number): TableIterator =>
      (last = tables.get(touched[index]!).iterator({ after: last, ahead: ahead?.windows }));
    sources.push(
      new ConcatIterator(touched, ahead === undefined ? open : oneAhead(open, touched, tables, ahead)),
    );
  });
  return mergeIterators(sources);
}

/** As `open`, of one file of a level after the other; the next one in line is opened while the walk is still in the one before. */
function oneAhead(
  open: (index: number) => TableIterator,
  files: readonly FileMeta[],
  tables: TableCache,
  ahead: WalkAhead,
): (index: number) => TableIterator {
  let current = -1;
  return (index) => {
    const iterator = open(index);
    if (current >= 0 && current !== index) ahead.leave(files[current]!.number);
    current = index;
    const next = files[ahead.isReverse ? index - 1 : index + 1];
    if (next !== undefined) ahead.before(files[index]!.number, () => void tables.get(next));
    return iterator;
  };
}

/** While other threads read for this one: has all tables that the walk begins with opened at once, not one by one. */
function openTogether(view: ScanView, tables: TableCache, range: KeyRange): void {
  let isCold = false;
  const open = (file: FileMeta): void => {
    try {
      tables.get(file);
    } catch (error) {
      if (error !== COLD) throw error;
      isCold = true;
    }
  };
  view.version.levels.forEach((files, level) => {
    if (level === 0) for (const file of filesTouched(files, level, range)) open(file);
  });
  if (isCold) throw COLD;
}

/** What a reader at `sequence` and `time` sees of `source`, the merged sources of the view for the range. */
export function openScan(
  source: EntryIterator,
  view: ScanView,
  tables: TableCache,
  range: KeyRange,
  sequence: number,
  time: number,
  dead?: DeadRanges,
): VisibleIterator {
  return new VisibleIterator(source, {
    dead,
    snapshot: sequence,
    time,
    tombstones: tombstonesOf(view, tables, range),
    lower: range.lower,
    upper: range.upper,
  });
}

function mayHold(table: TableReader, { lower }: KeyRange, pinned: number): boolean {
  return pinned === 0 || lower === undefined || table.mayContainPrefix(lower, pinned);
}

/**
 * How many leading bytes every key in [lower, upper) shares with `lower`, which has them: the most for which `upper` lies at
 * or before the end of that prefix.
 */
export function pinnedBytes(lower: Uint8Array | undefined, upper: Uint8Array | undefined): number {
  if (lower === undefined) return 0;
  const shared = upper === undefined ? 0 : sharedPrefix(lower, 0, lower.length, upper, 0, upper.length);
  let pinned = shared;
  if (upper !== undefined) {
    if (shared === lower.length || shared === upper.length) return shared;
    // The end of a prefix is the prefix with its last byte raised, bytes of 255 behind that cut off.
    if (upper.length > shared + 1 || upper[shared] !== lower[shared]! + 1) return shared;
    pinned++;
  }
  while (pinned < lower.length && lower[pinned] === 255) pinned++;
  return pinned;
}

export function tombstonesOf(
  view: ScanView,
  tables: TableCache,
  range: KeyRange,
): FragmentedTombstones | undefined {
  const tombstones: FragmentedTombstones[] = [];
  for (const memtable of memtablesOf(view)) {
    const ranges = memtable.rangeTombstones();
    if (ranges !== undefined) tombstones.push(ranges);
  }
  view.version.levels.forEach((files, level) => {
    if (!files.some((file) => file.rangeTombstones > 0)) return;
    for (const file of filesTouched(files, level, range)) {
      if (file.rangeTombstones === 0) continue;
      const ranges = tables.get(file).rangeTombstones;
      if (ranges !== undefined) tombstones.push(ranges);
    }
  });
  return tombstones.length === 0 ? undefined : FragmentedTombstones.merge(tombstones);
}

function memtablesOf(view: ScanView): readonly Memtable[] {
  return view.memtable === undefined ? view.immutables : [view.memtable, ...view.immutables];
}

/** The files of a level that may hold keys of the range. */
export function filesTouched(
  files: readonly FileMeta[],
  level: number,
  range: KeyRange,
): readonly FileMeta[] {
  if (range.lower === undefined && range.upper === undefined) return files;
  return level === 0 ? files.filter((file) => touches(file, range)) : filesInRange(files, range);
}

/** The files of a sorted level that may hold keys of the range. */
export function filesInRange(files: readonly FileMeta[], range: KeyRange): readonly FileMeta[] {
  const from = range.lower === undefined ? 0 : firstFileReaching(files, range.lower, 0, range.lower.length);
  let to = from;
  while (to < files.length && touches(files[to]!, range)) to++;
  return files.slice(from, to);
}

export function touches(file: FileMeta, { lower, upper }: KeyRange): boolean {
  if (upper !== undefined && compareBytes(file.smallestKey, upper) >= 0) return false;
  if (lower === undefined) return true;
  const order = compareBytes(file.largestKey, lower);
  return order > 0 || (order === 0 && !file.largestExclusive);
}
