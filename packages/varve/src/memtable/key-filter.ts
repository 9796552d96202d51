/**
 * Which keys a large skiplist may hold: a bloom filter in one block of the pool, so that a read of a key that is elsewhere, which is
 * nearly every read, looks at one cache line here and not at the twenty of a search. Blocked by cache line, like the filters
 * of tables (sstable/filter.ts), of one size: 1/128 of a memtable of the default size.
 *
 *   word index f (a multiple of 16), FILTER_LINES lines of 16 words; a key has PROBES bits in one of them
 *
 * The writer sets a key's bits before it links the entry, and names the filter in the list's descriptor when the keys of all
 * entries are in it. So whoever sees a sequence finds the bits of its keys; adding a key again changes nothing.
 */
import { hashHigh, hashKey } from '../base/hash.ts';

const LINE_WORDS = 16;
const FILTER_LINES = 4096;
const PROBES = 5;
const GOLDEN = 0x9e3779b1;
/** With room to begin at a cache line. */
export const FILTER_BYTES: number = 4 * LINE_WORDS * (FILTER_LINES + 1);

/** The filter that lies in a block that was allocated at a byte offset, empty. */
export function clearFilter(words: Int32Array, offset: number): number {
  const filter = Math.ceil(offset / (4 * LINE_WORDS)) * LINE_WORDS;
  words.fill(0, filter, filter + LINE_WORDS * FILTER_LINES);
  return filter;
}

export function addToFilter(
  words: Int32Array,
  filter: number,
  key: Uint8Array,
  start: number,
  end: number,
): void {
  const line = filter + (hashKey(key, start, end) & (FILTER_LINES - 1)) * LINE_WORDS;
  let h = hashHigh[0]! | 0;
  for (let probe = 0; probe < PROBES; probe++) {
    const bit = h >>> 23;
    words[line + (bit >>> 5)]! |= 1 << (bit & 31);
    h = Math.imul(h, GOLDEN);
  }
}

/** False: no entry has the key. */
export function mayHold(
  words: Int32Array,
  filter: number,
  key: Uint8Array,
  start: number,
  end: number,
): boolean {
  const line = filter + (hashKey(key, start, end) & (FILTER_LINES - 1)) * LINE_WORDS;
  let h = hashHigh[0]! | 0;
  for (let probe = 0; probe < PROBES; probe++) {
    const bit = h >>> 23;
    if ((words[line + (bit >>> 5)]! & (1 << (bit & 31))) === 0) return false;
    h = Math.imul(h, GOLDEN);
  }
  return true;
}
