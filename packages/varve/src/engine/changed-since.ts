/**
 * Was a key, or a range, written after a sequence? What transactions are validated by (transaction/read-set.ts).
 *
 * The tree itself is the index of recent commits: memtables and tables know the highest sequence that they hold, and only
 * those that hold something newer are looked at, which are the active memtable and few more. So nothing has to be kept
 * beside it, nothing can be trimmed, and the answer is exact: range deletes, ingested tables and other threads count as
 * any write. What it relies on: `sequence` is registered, so a version that was the newest one at `sequence` and its
 * successor are both kept (compaction/drop.ts); a put and a delete after `sequence` of a key that was not there may be gone
 * together, and then nothing has changed.
 *
 * Runs with the write lock or where nobody else writes.
 */
import { cloneRange, compareRanges } from '../base/bytes.ts';
import { type EntryIterator, PointResult } from '../base/entry.ts';
import { hashHigh, hashKey } from '../base/hash.ts';
import { KIND_PUT_EXPIRY } from '../base/kinds.ts';
import { expiryOf } from '../base/expiry.ts';
import { firstFileReaching } from '../iterator/concat.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import type { KeyspaceVersion } from '../manifest/version.ts';
import { mayHold } from './get.ts';
import { type KeyRange, mergedSources, type ScanView, tombstonesOf } from './scan.ts';
import type { Tree } from './tree.ts';

const EVERYTHING = Number.MAX_SAFE_INTEGER;
const found = new PointResult();

/** The highest sequence above `since` at which the key was written or deleted, by a range delete too; 0 when there is none. */
export function keyChangedSince(
  tree: Tree,
  key: Uint8Array,
  start: number,
  end: number,
  since: number,
): number {
  const { memtable, immutables, version } = tree.view;
  let changed = 0;
  const see = (sequence: number): void => {
    if (sequence > since && sequence > changed) changed = sequence;
  };
  const look = (source: (typeof immutables)[number]): void => {
    if (source.lastSequence <= since) return;
    see(source.coveringSequence(key, start, end, EVERYTHING));
    if (source.get(key, start, end, EVERYTHING, found)) see(found.sequence);
  };
  if (memtable !== undefined) look(memtable);
  for (const immutable of immutables) look(immutable);
  const hash = hashKey(key, start, end);
  const high = hashHigh[0]!;
  version.levels.forEach((files, level) => {
    const from = level === 0 ? 0 : firstFileReaching(files, key, start, end);
    const to = level === 0 ? files.length : Math.min(from + 1, files.length);
    for (let at = from; at < to; at++) {
      const file = files[at]!;
      if (file.largestSequence <= since || !mayHold(file, key, start, end)) continue;
      const table = tree.tables.get(file);
      see(table.rangeTombstones?.coveringSequence(key, start, end, EVERYTHING) ?? 0);
      if (table.get(key, start, end, hash, high, EVERYTHING, found)) see(found.sequence);
    }
  });
  return changed;
}

export interface ChangedKey {
  /** The first one, or the start of a range that was deleted. */
  readonly key: Uint8Array;
  readonly sequence: number;
}

/** A key of the range that was written or deleted after `since`; undefined when none was. */
export function rangeChangedSince(tree: Tree, range: KeyRange, since: number): ChangedKey | undefined {
  const view = newerThan(tree.view, since);
  const deleted = tombstonesOf(view, tree.tables, range)?.clip(range.lower, range.upper);
  if (deleted !== undefined && !deleted.isEmpty && deleted.largestSequence > since) {
    return { key: deleted.bounds!.start, sequence: deleted.largestSequence };
  }
  const source = firstOf(view, tree, range, ({ sequence }) => sequence > since);
  return source === undefined ? undefined : { key: keyOf(source), sequence: source.sequence };
}

/** A key of the range with a version that expires after time `from` and by time `to`. Only worth asking where puts expire. */
export function rangeExpires(tree: Tree, range: KeyRange, from: number, to: number): Uint8Array | undefined {
  const { memtable, immutables, version } = tree.view;
  const levels = version.levels.map((files) => files.filter(({ expiry }) => expiry !== undefined));
  const source = firstOf({ memtable, immutables, version: { levels } }, tree, range, (entry) => {
    if (entry.kind !== KIND_PUT_EXPIRY) return false;
    const expiry = expiryOf(entry.value, entry.valueStart);
    return expiry > from && expiry <= to;
  });
  return source === undefined ? undefined : keyOf(source);
}

/** Was a part of the range deleted as a range after `since`? */
export function rangeDeletedSince(tree: Tree, range: KeyRange, since: number): boolean {
  const deleted = tombstonesOf(newerThan(tree.view, since), tree.tables, range)?.clip(
    range.lower,
    range.upper,
  );
  return deleted !== undefined && !deleted.isEmpty && deleted.largestSequence > since;
}

/** The first keys of the range, at most `max`, that were put or deleted one by one after `since`: copies, in their order. */
export function keysChangedSince(tree: Tree, range: KeyRange, since: number, max: number): Uint8Array[] {
  const keys: Uint8Array[] = [];
  firstOf(newerThan(tree.view, since), tree, range, ({ key, keyStart, keyEnd, sequence }) => {
    const last = keys.at(-1);
    const isNew =
      sequence > since &&
      (last === undefined || compareRanges(key, keyStart, keyEnd, last, 0, last.length) !== 0);
    if (isNew) keys.push(cloneRange(key, keyStart, keyEnd));
    return keys.length === max;
  });
  return keys;
}

/** May the tree hold entries that expire, in memory or in tables? */
export function hasExpiring(
  state: { readonly hasExpiring: boolean; readonly access: unknown },
  tree: Tree,
): boolean {
  // Of what other threads write this one is not told.
  return state.hasExpiring || state.access !== undefined || holdsExpiring(tree);
}

const expiring = new WeakMap<KeyspaceVersion, boolean>();

/** Do tables of the tree hold entries that expire? */
export function holdsExpiring({ view: { version } }: Tree): boolean {
  let holds = expiring.get(version);
  if (holds === undefined) {
    holds = version.levels.some((files) => files.some(({ expiry }) => expiry !== undefined));
    expiring.set(version, holds);
  }
  return holds;
}

function newerThan(view: ScanView, since: number): ScanView {
  const { memtable, immutables, version } = view;
  const isNewer = (file: FileMeta): boolean => file.largestSequence > since;
  return {
    memtable: memtable !== undefined && memtable.lastSequence > since ? memtable : undefined,
    immutables: immutables.filter((each) => each.lastSequence > since),
    version: { levels: version.levels.map((files) => files.filter(isNewer)) },
  };
}

/** Stands at the first entry of the range in the view, of any version, that is so; undefined when none is. */
function firstOf(
  view: ScanView,
  tree: Tree,
  range: KeyRange,
  is: (entry: EntryIterator) => boolean,
): EntryIterator | undefined {
  const { lower, upper } = range;
  const source = mergedSources(view, tree.tables, range);
  if (lower === undefined) source.first();
  else source.seek(lower, 0, lower.length, EVERYTHING);
  for (; source.valid; source.next()) {
    const { key, keyStart, keyEnd } = source;
    if (upper !== undefined && compareRanges(key, keyStart, keyEnd, upper, 0, upper.length) >= 0) break;
    if (is(source)) return source;
  }
  return undefined;
}

function keyOf({ key, keyStart, keyEnd }: EntryIterator): Uint8Array {
  return cloneRange(key, keyStart, keyEnd);
}
