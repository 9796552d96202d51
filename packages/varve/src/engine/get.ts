/**
 * The point read: memtables newest first, then rows of hot keys, then levels; the first version found at or below the sequence decides.
 *
 * Sources are asked from newest to oldest, so range tombstones met on the way are newer than anything met later, and the
 * highest one that covers the key (`cover`) is compared with the first entry found. Allocates nothing: the entry is lent
 * through `out` (see base/entry) and the caller copies it in the same turn. Operands of a merge operator are found as the newest
 * of them are stored: what they make of the value is another step (merging/merged-value.ts).
 */
import { compareRanges } from '../base/bytes.ts';
import type { PointResult } from '../base/entry.ts';
import { hashHigh, hashKey } from '../base/hash.ts';
import { EXPIRY_BYTES, isExpired } from '../base/expiry.ts';
import { KIND_DELETE, KIND_MERGE } from '../base/kinds.ts';
import type { RowCache } from '../cache/row-cache.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import type { Memtable } from '../memtable/memtable.ts';
import type { TableCache } from '../sstable/table-cache.ts';
import type { ReadView } from './read-view.ts';

/**
 * True when the key has a value at `sequence`; it is then in `out`, as it is stored: whether it has expired, which takes a
 * time to tell, is for the caller to say (tree.ts), and does not bring back what is older. `seesAll`: no table holds anything newer than `sequence`,
 * so what they answer is worth keeping.
 */
export function pointGet(
  view: ReadView,
  tables: TableCache,
  rows: RowCache,
  key: Uint8Array,
  start: number,
  end: number,
  sequence: number,
  seesAll: boolean,
  out: PointResult,
): boolean {
  let cover = 0;
  if (view.memtable !== undefined) {
    cover = memtableCover(view.memtable, key, start, end, sequence, cover);
    if (view.memtable.get(key, start, end, sequence, out)) return isLive(out, cover);
  }
  for (let i = 0; i < view.immutables.length; i++) {
    const memtable = view.immutables[i]!;
    cover = memtableCover(memtable, key, start, end, sequence, cover);
    if (memtable.get(key, start, end, sequence, out)) return isLive(out, cover);
  }
  const levels = view.version.levels;
  let hash = -1;
  let high = 0;
  const asksRows = levels.length > 0 && rows.asks();
  if (asksRows) {
    hash = hashKey(key, start, end);
    high = hashHigh[0]!;
    if (rows.find(view.versionId, hash, high, key, start, end, sequence, out)) return isLive(out, cover);
  }
  for (let level = 0; level < levels.length; level++) {
    const files = levels[level]!;
    if (files.length === 0) continue;
    let at = 0;
    let to = files.length;
    if (level > 0) {
      at = view.fences[level]!.find(key, start, end);
      to = Math.min(at + 1, files.length);
    }
    for (; at < to; at++) {
      const file = files[at]!;
      // Below level 0 the fences have compared the upper bound, and the filter says no sooner than the lower bound does.
      if (level === 0 && !mayHold(file, key, start, end)) continue;
      if (hash < 0) {
        hash = hashKey(key, start, end);
        high = hashHigh[0]!;
      }
      const table = tables.get(file);
      if (table.rangeTombstones !== undefined) {
        const covering = table.rangeTombstones.coveringSequence(key, start, end, sequence);
        if (covering > cover) cover = covering;
      }
      if (!table.get(key, start, end, hash, high, sequence, out)) continue;
      if (!isLive(out, cover)) return false;
      if (asksRows && seesAll && out.kind !== KIND_MERGE) {
        rows.note(view.versionId, hash, high, key, start, end, out);
      }
      return true;
    }
  }
  return false;
}

export function memtableCover(
  memtable: Memtable,
  key: Uint8Array,
  start: number,
  end: number,
  sequence: number,
  cover: number,
): number {
  const covering = memtable.coveringSequence(key, start, end, sequence);
  return covering > cover ? covering : cover;
}

/** A range tombstone of the entry's own sequence does not cover it: the entry came later in the same batch. */
export function isLive(found: PointResult, cover: number): boolean {
  return found.kind !== KIND_DELETE && found.sequence >= cover;
}

/** What was found expires: the value without its expiry, if it is still there at `time`. */
export function takeUnexpired(out: PointResult, time: number): boolean {
  if (isExpired(out.value, out.valueStart, time)) return false;
  out.valueStart += EXPIRY_BYTES;
  return true;
}

export function mayHold(file: FileMeta, key: Uint8Array, start: number, end: number): boolean {
  if (compareRanges(key, start, end, file.smallestKey, 0, file.smallestKey.length) < 0) return false;
  const above = compareRanges(key, start, end, file.largestKey, 0, file.largestKey.length);
  return above < 0 || (above === 0 && !file.largestExclusive);
}
