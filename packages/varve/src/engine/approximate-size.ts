/**
 * How many bytes of tables a range takes, from file metadata and, for files that the range cuts, from their indexes; the values
 * that a table refers to in blob files count as if they lay evenly behind its entries.
 */
import type { KeyRange } from './scan.ts';
import { filesInRange, touches } from './scan.ts';
import { compareBytes } from '../base/bytes.ts';
import { blobBytesOf } from '../manifest/blob-files.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import type { TableCache } from '../sstable/table-cache.ts';
import type { Tree } from './tree.ts';

export function approximateSize(tree: Tree, range: KeyRange): number {
  let bytes = 0;
  tree.view.version.levels.forEach((files, level) => {
    const within = level === 0 ? files.filter((file) => touches(file, range)) : filesInRange(files, range);
    for (const file of within) {
      bytes += (file.bytes + blobBytesOf(file)) * shareWithin(file, tree.tables, range);
    }
  });
  return Math.round(bytes);
}

/** Which part of the table's data is in the range, 0 to 1: filter, index and values in blob files are divided as the data is. */
function shareWithin(file: FileMeta, tables: TableCache, { lower, upper }: KeyRange): number {
  const startsInside = lower === undefined || compareBytes(file.smallestKey, lower) >= 0;
  const endsInside = upper === undefined || compareBytes(file.largestKey, upper) < 0;
  if (startsInside && endsInside) return 1;
  const table = tables.get(file);
  const from = startsInside ? 0 : table.approximateOffset(lower!);
  const to = endsInside ? table.dataBytes : table.approximateOffset(upper!);
  return Math.max(0, to - from) / Math.max(1, table.dataBytes);
}
