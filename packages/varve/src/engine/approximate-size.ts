/**
 * How many bytes of tables a range takes, from file metadata and, for files that the range cuts, from their indexes; the values
 * that a table refers to in blob files count as if they lay evenly behind its entries.
 */
import type { KeyRange } from './scan.ts';
import { filesInRange } from './scan.ts';
import { compareBytes } from '../base/bytes.ts';
import { blobBytesOf } from '../manifest/blob-files.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import type { TableCache } from '../sstable/table-cache.ts';
import type { Tree } from './tree.ts';

export function approximateSize(tree: Tree, range: KeyRange): number {
  let bytes = 0;
  tree.view.version.levels.forEach((files, level) => {
    for (const file of level === 0 ? files : filesInRange(files, range))
      bytes += sizeWithin(file, tree.tables, range);
  });
  return Math.round(bytes);
}

function sizeWithin(file: FileMeta, tables: TableCache, { lower, upper }: KeyRange): number {
  const startsInside = lower === undefined || compareBytes(file.smallestKey, lower) >= 0;
  const endsInside = upper === undefined || compareBytes(file.largestKey, upper) < 0;
  const values = blobBytesOf(file);
  if (startsInside && endsInside) return file.bytes + values;
  const table = tables.get(file);
  const from = startsInside ? 0 : table.approximateOffset(lower!);
  const to = endsInside ? file.bytes : table.approximateOffset(upper!);
  const bytes = Math.max(0, to - from);
  return bytes + Math.min(1, bytes / Math.max(1, table.dataBytes)) * values;
}
