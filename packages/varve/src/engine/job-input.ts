/**
 * What jobs are told about the world: how to write tables, by level.
 */
import { invalid } from '../base/errors.ts';
import type { TableSettings } from '../compaction/job.ts';
import { atLevel, type Codec, tableBytesAt } from '../options/keyspace-settings.ts';
import { type CompressionName, writableTransform } from '../sstable/compression.ts';
import type { Tree } from './tree.ts';

/** How tables of a level are written. */
export function tableSettings(tree: Tree, level: number): TableSettings {
  const { settings } = tree;
  return {
    blockBytes: settings.blockBytes,
    filterBitsPerKey: atLevel(settings.filterBitsPerKey, level),
    filterPrefixBytes: settings.filterPrefixBytes,
    compression: writableCodec(atLevel(settings.compression, level)),
    tableBytesMax: tableBytesAt(settings, level),
    blobValueBytes: settings.blobValueBytes,
  };
}

/** A flush makes one table: several would count as several files of level 0, one compaction and one delay of writes each. */
const FLUSHED_BYTES_MAX = 1024 ** 3;

/** How a flush writes its table. */
export function flushSettings(tree: Tree): TableSettings {
  return { ...tableSettings(tree, 0), tableBytesMax: FLUSHED_BYTES_MAX };
}

/** The codec as one that this runtime can write; `CODEC_UNAVAILABLE` (invalid) otherwise. */
export function writableCodec(codec: Codec): CompressionName {
  if (codec === 'snappy') {
    throw invalid(
      'CODEC_UNAVAILABLE',
      "compression 'snappy' is not written by this release; use 'lz4' or 'zstd'",
      {
        codec,
      },
    );
  }
  writableTransform(codec);
  return codec;
}
