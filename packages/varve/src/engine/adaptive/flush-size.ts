/**
 * At which size the memtable of a keyspace is flushed, when nobody has given one: it follows the write rate.
 *
 * A keyspace gets what it writes in FILL_MS, within its part of the room that all active memtables have, which is its part of
 * all that is written. So all memtables fill in about the same time: who writes much gets large flushes, which are merged
 * into the level below less often, and who writes little holds little memory and little of the log for long.
 * Pure; memory-tuner.ts measures the rates and keeps the sizes.
 */

/**
 * A memtable is not to take longer than this to fill, except at the smallest size: 32 MiB are reached at 280 KB a second. A
 * shorter time would have a slow writer's few files rewrite the level below too often.
 */
const FILL_MS = 120_000;
/** The smallest size as a part of the one that open begins with: 4 MiB of 32. */
const SMALLEST = 1 / 8;
/** A size is changed when the new one is half as large again, or the old one is. */
const STEADY = 1.5;
/** At most this part of the log is in one memtable, so that it is flushed for its size and not for that of the log. */
const LOG_SHARE_MAX = 1 / 4;

export interface WriteRates {
  /** Bytes a millisecond into this keyspace, and into all. */
  readonly own: number;
  readonly all: number;
}

export interface FlushRoom {
  /** The share of memtables in the budget; active ones may take half of it. */
  readonly memtables: number;
  readonly logBytesMax: number;
  /** `memtableBytes` as open begins with it. */
  readonly initial: number;
  /** What the keyspace itself bears: a series that keeps `bytesMax` is not to be one table. Infinity for no limit. */
  readonly most: number;
}

/** The size to flush at from now on; `current` when it is good enough. */
export function flushBytes(current: number, rates: WriteRates, room: FlushRoom): number {
  const smallest = Math.ceil(room.initial * SMALLEST);
  const active = Math.floor(Math.min(room.memtables / 2, room.logBytesMax * LOG_SHARE_MAX));
  const part = rates.all > 0 ? rates.own / rates.all : 1;
  const wanted = Math.floor(Math.max(smallest, Math.min(rates.own * FILL_MS, active * part)));
  const most = Math.min(Math.max(smallest, active), room.most);
  const next = Math.min(wanted, most);
  const isSteady = next < current * STEADY && next * STEADY > current && current <= most;
  return isSteady ? current : next;
}
