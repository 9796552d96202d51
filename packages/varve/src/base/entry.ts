/**
 * The two contracts by which entries travel: a point lookup fills a PointResult, a walk moves an EntryIterator.
 *
 * Both lend bytes as (array, start, end) into memory that the source owns: valid until the next call on the same
 * source, the next turn of the event loop at the latest. Whoever keeps them copies them. No entry is ever an object.
 *
 * Internal order: user key ascending by unsigned bytes, then sequence descending (versions of a key newest first).
 * A key has at most one entry per sequence in one source. Range tombstones do not travel here (base/range-tombstones).
 */

import type { EntryRun } from './entry-run.ts';

/** Where a lookup leaves what it found. One is reused per database; nothing is allocated per lookup. */
export class PointResult {
  kind = 0;
  sequence = 0;
  value: Uint8Array = new Uint8Array(0);
  valueStart = 0;
  valueEnd = 0;
}

/** A walk over one source (memtable, table, level, merge) in internal order, forwards and backwards. */
export interface EntryIterator {
  /** False before the first positioning and past either end; the entry fields mean nothing then. */
  valid: boolean;
  key: Uint8Array;
  keyStart: number;
  keyEnd: number;
  sequence: number;
  kind: number;
  value: Uint8Array;
  valueStart: number;
  valueEnd: number;
  /** Has the entry the same key as the one that was shown before the last `next`? Undefined: it does not tell. False after other moves. */
  isSameKey?: boolean;
  /** To the first entry. */
  first(): void;
  /** To the last entry. */
  last(): void;
  /** To the first entry at or after (key, sequence) in internal order: the newest version with sequence <= the given. */
  seek(key: Uint8Array, start: number, end: number, sequence: number): void;
  /** To the last entry, of any version, whose user key is strictly below `key`. */
  seekBefore(key: Uint8Array, start: number, end: number): void;
  /** One step on in internal order; only when valid. */
  next(): void;
  /** One step back in internal order; only when valid. */
  prev(): void;
  /**
   * The run around the current entry for a reader at `snapshot` who walks on in this direction; undefined when there is
   * none that is worth it, always for sources without the method. Only when valid.
   */
  run?(forward: boolean, snapshot: number): EntryRun | undefined;
  /** To an entry of the run that was given last: what the reader showed by itself. */
  moveTo?(position: number): void;
}

/** What whoever writes an entry down reads of it: where an iterator stands, or anything else that has one. */
export type WrittenEntry = Pick<
  EntryIterator,
  'key' | 'keyStart' | 'keyEnd' | 'sequence' | 'kind' | 'value' | 'valueStart' | 'valueEnd'
>;

/** Highest sequence that can be written: sequences are safe integers. */
export const SEQUENCE_MAX: number = Number.MAX_SAFE_INTEGER;
/** Longest key, in bytes. */
export const KEY_BYTES_MAX = 65_535;
/** The end, behind every key, of a range that has none; this object alone, so that it can be told from others at no cost. */
export const BEHIND_ALL: Uint8Array = new Uint8Array(KEY_BYTES_MAX + 1).fill(255);
/** Longest value, in bytes. */
export const VALUE_BYTES_MAX: number = 512 * 1024 * 1024;
