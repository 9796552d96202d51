/**
 * What flush and compaction do to contents, in the rules of the engine (packages/varve/src/compaction/drop.ts and
 * table-output.ts) for readers of the latest state alone: of a key the newest version stays, unless a newer range tombstone
 * covers it; deletes and range tombstones go where nothing older lies below; what has expired is a delete. Outputs are cut
 * between two keys, when they are full or overlap too much of the level after the next.
 */
import { type KeyRanges, OverlapMeter } from 'varve/internals';
import {
  type Contents,
  concatenate,
  encodeKey,
  KEY_BYTES,
  mergeAll,
  type Points,
  writeKey,
} from './contents.ts';
import { clip, type Fragment, fragmentsOf } from './fragments.ts';

/** Bytes in a table, for as many entries as one of the model stands for. */
export interface EntrySizes {
  readonly put: number;
  readonly delete: number;
  readonly rangeDelete: number;
}

export type SizedBounds = ConstructorParameters<typeof OverlapMeter>[0][number];

export interface RewriteTask {
  /** Each sorted by itself: a table, or several that follow each other. */
  readonly runs: readonly (readonly Contents[])[];
  /** Versions up to this sequence have expired; 0: none. */
  readonly expiredThrough: number;
  /** Where something older may lie. */
  readonly below: KeyRanges;
  readonly grandparents: readonly SizedBounds[];
  readonly tableBytesMax: number;
  readonly sizes: EntrySizes;
}

/** Keys are below it. */
const KEY_END = 2 ** 32 - 1;
/** The engine's: an output may overlap this many times its own size of the level after the next. */
const OVERLAP_FACTOR = 10;

/** The tables that stay, in key order. */
export function rewrite(task: RewriteTask): Contents[] {
  const all = fragmentsOf(task.runs.flat().flatMap(({ fragments }) => fragments));
  const points = keepNeeded(mergeAll(task.runs.map(concatenate)), all, task);
  const needed = all.filter(({ start, end }) =>
    task.below.overlaps(encodeKey(start), encodeKey(Math.min(end, KEY_END))),
  );
  return cut(points, needed, task);
}

/** The points that stay, at the front of the arrays they are in: those were made for this. */
function keepNeeded(merged: Points, fragments: readonly Fragment[], task: RewriteTask): Points {
  const { expiredThrough, below } = task;
  const keys = merged.keys.slice();
  const stamps = merged.stamps.slice();
  const key = new Uint8Array(KEY_BYTES);
  let at = 0;
  let out = 0;
  for (let i = 0; i < keys.length; i++) {
    const current = keys[i]!;
    let stamp = stamps[i]!;
    const sequence = stamp >>> 1;
    while (at < fragments.length && fragments[at]!.end <= current) at++;
    if (at < fragments.length && fragments[at]!.start <= current && fragments[at]!.sequence > sequence)
      continue;
    if (sequence <= expiredThrough) stamp |= 1;
    if ((stamp & 1) === 1) {
      writeKey(key, current);
      if (!below.contains(key, 0, KEY_BYTES)) continue;
    }
    keys[out] = current;
    stamps[out++] = stamp;
  }
  return { keys: keys.subarray(0, out), stamps: stamps.subarray(0, out) };
}

function cut(points: Points, fragments: readonly Fragment[], task: RewriteTask): Contents[] {
  const { keys, stamps } = points;
  const { sizes, tableBytesMax, grandparents } = task;
  const meter =
    grandparents.length === 0 ? undefined : new OverlapMeter(grandparents, OVERLAP_FACTOR * tableBytesMax);
  const key = new Uint8Array(KEY_BYTES);
  const tables: Contents[] = [];
  let from = 0;
  let lower = 0;
  let bytes = 0;
  const end = (to: number, upper: number): void => {
    const inside = clip(fragments, lower, upper);
    if (to > from || inside.length > 0) {
      tables.push({ keys: keys.slice(from, to), stamps: stamps.slice(from, to), fragments: inside });
    }
    meter?.reset();
    from = to;
    lower = upper;
    bytes = 0;
  };
  for (let i = 0; i < keys.length; i++) {
    if (meter !== undefined) writeKey(key, keys[i]!);
    const overlapsMuch = meter?.cutsBefore(key, 0, KEY_BYTES) ?? false;
    if (i > from && (overlapsMuch || bytes >= tableBytesMax)) end(i, keys[i]!);
    bytes += (stamps[i]! & 1) === 1 ? sizes.delete : sizes.put;
  }
  end(keys.length, KEY_END);
  return tables;
}
