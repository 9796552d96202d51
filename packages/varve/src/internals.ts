/**
 * `varve/internals`: the hot structures for the micro benches of packages/bench, the pickers for its compaction simulator, the
 * shared ones for the interleaving checker of packages/sim, and nothing for anybody else. The name resolves only from a checkout, under the condition `varve-source`;
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
export { KeyRanges, OverlapMeter } from './compaction/key-ranges.ts';
export { pickCare } from './compaction/picker-care.ts';
export type { CompactionPlan, RunningPlans } from './compaction/plan.ts';
export { editOf, filesOf } from './compaction/plan.ts';
export { RunningSet } from './compaction/running-set.ts';
export { leveledSettings, pickCompaction } from './compaction/strategy.ts';
export { isUrgent } from './engine/compactions/gate.ts';
export {
  CACHE_LOCK,
  CONTROL_WORDS,
  EPOCH,
  GENERATION,
  JOB_FLOOR,
  SLOT_PIN,
  SLOT_TAKEN,
  SLOT_TASK,
  SLOTS_USED,
  slotAt,
  VISIBLE,
  WRITE_LOCK,
} from './engine/sharing/control-words.ts';
export { CommitPipeline } from './engine/commit-pipeline.ts';
export { CacheAccess } from './engine/sharing/cache-access.ts';
export { isPast, pin, retire, unpin } from './engine/sharing/epochs.ts';
export { KEYSPACE_WORDS, KeyspaceWords } from './engine/sharing/keyspace-words.ts';
export {
  BLOCKS as LOCK_BLOCKS,
  CHANGES as LOCK_CHANGES,
  CLASS as LOCK_CLASS,
  CLASSES as LOCK_CLASSES,
  FREE as LOCKS_FREE,
  HIGH as LOCKS_HIGH,
  IN_USE as LOCKS_IN_USE,
  type LockRecord,
  LockRecords,
  NEXT as LOCK_NEXT,
  repairLocks,
  STATE as LOCK_STATE,
  UNIT_WORDS as LOCK_UNIT_WORDS,
} from './engine/sharing/lock-records.ts';
export { redo } from './engine/sharing/redo.ts';
export { loadSequence, storeSequence } from './engine/sharing/sequence-words.ts';
export { SharedLock } from './engine/sharing/shared-lock.ts';
export { REGISTER_WORDS, SharedRegister } from './engine/sharing/shared-register.ts';
export { SharedViews } from './engine/sharing/shared-views.ts';
export { ThreadAccess } from './engine/sharing/thread-access.ts';
export { claimSlot, freeSlot, isSlotDead } from './engine/sharing/thread-slots.ts';
export { EngineState } from './engine/state.ts';
export { Tree } from './engine/tree.ts';
export { mergeIterators } from './iterator/merging.ts';
export type { Memtable, MemtableType } from './memtable/memtable.ts';
export { attachMemtableAt, makeMemtable, makeSharedMemtable } from './memtable/memtable.ts';
export type { CompactionStrategyName } from './options/compaction-settings.ts';
export {
  gatheredFiles,
  refuseCompaction,
  resolveCompaction,
  strategyNames,
  strategySettings,
} from './options/compaction-settings.ts';
export { keyspaceSettings, tableBytesAt } from './options/keyspace-settings.ts';
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
export type { FileMeta } from './manifest/file-meta.ts';
export type { KeyspaceVersion, Version } from './manifest/version.ts';
export { applyEdit, emptyKeyspace, emptyVersion, filesOverlapping } from './manifest/version.ts';
export { HEADER_BYTES, intactRecordLength } from './record/log-record.ts';
export { type Lock, LockBook } from './transaction/lock-book.ts';
export { SharedLocks } from './transaction/shared-locks.ts';
export { AttachedLog } from './wal/attached-log.ts';
export { SharedTail } from './wal/shared-tail.ts';
