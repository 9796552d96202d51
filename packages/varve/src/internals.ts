/**
 * `varve/internals`: the hot structures for the micro benches of packages/bench, the shared ones for the interleaving checker
 * of packages/sim, and nothing for anybody else. The name resolves only from a checkout, under the condition `varve-source`;
 * it is neither built nor published.
 */
export { SegmentPool } from './arena/segment-pool.ts';
export { Copier } from './base/copier.ts';
export { crc32c } from './base/crc32c.ts';
export type { EntryIterator } from './base/entry.ts';
export { PointResult } from './base/entry.ts';
export { hashHigh, hashKey } from './base/hash.ts';
export { KIND_DELETE, KIND_PUT } from './base/kinds.ts';
export { BlockCache } from './cache/block-cache.ts';
export type { CacheSharing } from './cache/sharing.ts';
export { mergeIterators } from './iterator/merging.ts';
export type { Memtable, MemtableType } from './memtable/memtable.ts';
export { attachMemtableAt, makeMemtable, makeSharedMemtable } from './memtable/memtable.ts';
export { BlockBuilder } from './sstable/block-builder.ts';
export { BlockView } from './sstable/block.ts';
export { Filter } from './sstable/filter.ts';
export { TableCounters } from './sstable/block-loader.ts';
export { ready } from './sstable/checksum.ts';
export { FilterBuilder } from './sstable/filter-builder.ts';
export { FilterMemory } from './sstable/filter-memory.ts';
export { TableReader } from './sstable/reader.ts';
export { TableWriter } from './sstable/writer.ts';
export { lookUp } from './sstable/block-lookup.ts';
