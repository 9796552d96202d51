/**
 * The range read: one VisibleIterator over the merge of everything in a view that may hold keys of the range.
 *
 * Sources, newest first: memtable, immutables, tables of level 0, then one concatenation a level. Sources that can not
 * touch [lower, upper) are left out; range tombstones of the others are gathered into one set. Built per cursor and per
 * re-seek; nothing in it outlives the view that it was built from.
 */
import { compareBytes } from '../base/bytes.ts';
import type { EntryIterator } from '../base/entry.ts';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import { ConcatIterator } from '../iterator/concat.ts';
import { mergeIterators } from '../iterator/merging.ts';
import { VisibleIterator } from '../iterator/visible.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import type { TableCache } from '../sstable/table-cache.ts';
import { findFile } from './get.ts';
import type { ReadView } from './read-view.ts';

/** Half-open range of user keys; undefined is unbounded. */
export interface KeyRange {
  readonly lower: Uint8Array | undefined;
  readonly upper: Uint8Array | undefined;
}

export function openScan(
  view: ReadView,
  tables: TableCache,
  range: KeyRange,
  sequence: number,
): VisibleIterator {
  const sources: EntryIterator[] = [];
  const tombstones: FragmentedTombstones[] = [];
  const memtables = view.memtable === undefined ? view.immutables : [view.memtable, ...view.immutables];
  for (const memtable of memtables) {
    if (memtable.entries === 0) continue;
    sources.push(memtable.iterator());
    const ranges = memtable.rangeTombstones();
    if (ranges !== undefined) tombstones.push(ranges);
  }
  view.version.levels.forEach((files, level) => {
    const touched = level === 0 ? files.filter((file) => touches(file, range)) : filesInRange(files, range);
    for (const file of touched) {
      if (file.rangeTombstones === 0) continue;
      const ranges = tables.get(file).rangeTombstones;
      if (ranges !== undefined) tombstones.push(ranges);
    }
    if (level === 0) for (const file of touched) sources.push(tables.get(file).iterator());
    else if (touched.length > 0) {
      sources.push(new ConcatIterator(touched, (index) => tables.get(touched[index]!).iterator()));
    }
  });
  return new VisibleIterator(mergeIterators(sources), {
    snapshot: sequence,
    tombstones: tombstones.length === 0 ? undefined : FragmentedTombstones.merge(tombstones),
    lower: range.lower,
    upper: range.upper,
  });
}

/** The files of a sorted level that may hold keys of the range. */
export function filesInRange(files: readonly FileMeta[], range: KeyRange): readonly FileMeta[] {
  const from = range.lower === undefined ? 0 : findFile(files, range.lower, 0, range.lower.length);
  let to = from;
  while (to < files.length && touches(files[to]!, range)) to++;
  return files.slice(from, to);
}

function touches(file: FileMeta, { lower, upper }: KeyRange): boolean {
  if (upper !== undefined && compareBytes(file.smallestKey, upper) >= 0) return false;
  if (lower === undefined) return true;
  const order = compareBytes(file.largestKey, lower);
  return order > 0 || (order === 0 && !file.largestExclusive);
}
