/**
 * Cuts a range into parts of about equal bytes, from what files and the top levels of their indexes say about where bytes
 * lie. What is only in memtables counts for nothing. For parallel walks and counts.
 */
import { compareBytes } from '../base/bytes.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import type { TableCache } from '../sstable/table-cache.ts';
import type { ReadView } from './read-view.ts';
import { filesTouched, type KeyRange } from './scan.ts';

/** With so many files for each part their bounds are enough, and no index is asked. */
const FILES_PER_PART = 8;

interface Cut {
  readonly key: Uint8Array;
  /** Between the cut before, of the same file, and this one. */
  readonly bytes: number;
}

/** At most `parts` ranges that follow each other and together are `range`. Opens tables, at most 8 for each part. */
export function splitRange(
  view: { version: Pick<ReadView['version'], 'levels'> },
  tables: TableCache,
  range: KeyRange,
  parts: number,
): KeyRange[] {
  const files = view.version.levels.flatMap((level, number) => filesTouched(level, number, range));
  const cuts =
    files.length >= parts * FILES_PER_PART
      ? files.map((file): Cut => ({ key: file.largestKey, bytes: file.bytes }))
      : files.flatMap((file) => cutsOf(file, tables));
  const inside = cuts.filter(({ key }) => isInside(key, range)).sort((a, b) => compareBytes(a.key, b.key));
  const total = inside.reduce((sum, { bytes }) => sum + bytes, 0);
  const ranges: KeyRange[] = [];
  let lower = range.lower;
  let passed = 0;
  for (const { key, bytes } of inside) {
    passed += bytes;
    if (ranges.length === parts - 1) break;
    if (passed < ((ranges.length + 1) * total) / parts) continue;
    if (lower !== undefined && compareBytes(key, lower) <= 0) continue;
    ranges.push({ lower, upper: key });
    lower = key;
  }
  ranges.push({ lower, upper: range.upper });
  return ranges;
}

/** At the end of each index partition. */
function cutsOf(file: FileMeta, tables: TableCache): Cut[] {
  const { index } = tables.get(file);
  const cuts: Cut[] = [];
  let before = 0;
  for (let i = 0; i < index.count; i++) {
    const end = index.partitionOffset(i);
    cuts.push({ key: index.top.keyAt(i), bytes: end - before });
    before = end;
  }
  return cuts;
}

function isInside(key: Uint8Array, { lower, upper }: KeyRange): boolean {
  if (lower !== undefined && compareBytes(key, lower) <= 0) return false;
  return upper === undefined || compareBytes(key, upper) < 0;
}
