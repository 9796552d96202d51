/**
 * Offset-value codes (base/offset-value.ts) of entries in the pool.
 */
import type { SegmentPool } from '../arena/segment-pool.ts';
import { codeOf, sharedBytes } from '../base/offset-value.ts';
import { KEY, KEY_LENGTH } from './entry-record.ts';

/** Code of an entry against one before it. */
export function codeAgainst(pool: SegmentPool, before: number, entry: number): number {
  const { words, bytes } = pool;
  const a = 4 * (before + KEY);
  const b = 4 * (entry + KEY);
  const bEnd = b + words[entry + KEY_LENGTH]!;
  return codeOf(bytes, b, bEnd, sharedBytes(bytes, a, a + words[before + KEY_LENGTH]!, bytes, b, bEnd, 0));
}

/** Code of the entry `after` against a new one put before it, from the codes of both against the one before that. */
export function codeOfNext(
  pool: SegmentPool,
  entry: number,
  after: number,
  code: number,
  afterCode: number,
): number {
  // Codes that differ early say that the shared bytes end there for both.
  return (code ^ afterCode) >= 0x10000 ? afterCode : codeAgainst(pool, entry, after);
}
