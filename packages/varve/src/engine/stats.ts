/**
 * `db.stats()`: plain data, collected when asked for.
 */
import type { DatabaseStats } from './api-types.ts';
import type { ChangesStats } from './change-types.ts';
import type { Core } from './core.ts';
import type { HistoryStart } from './history-types.ts';
import type { TransactionStats } from './transaction-types.ts';
import type { Tree } from './tree.ts';
import { liveBlobs } from '../manifest/blob-files.ts';

export function collectStats(
  core: Core,
  transactions: TransactionStats,
  changes: ChangesStats,
): DatabaseStats {
  const { state, log, tables, cache, rows, pool, register, pressure, counters, reads } = core;
  const keyspaces: DatabaseStats['keyspaces'] = {};
  let memtables = 0;
  for (const tree of state.trees.values()) {
    const levels = tree.view.version.levels.map((files) => ({
      files: files.length,
      bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    }));
    let entries = 0;
    for (const files of tree.view.version.levels) for (const file of files) entries += file.entries;
    for (const memtable of tree.view.immutables) entries += memtable.entries;
    entries += tree.view.memtable?.entries ?? 0;
    memtables += tree.memtableBytes;
    keyspaces[tree.name] = {
      keyCodec: tree.record.keyCodec,
      valueCodec: tree.record.valueCodec,
      entries,
      bytes: levels.reduce((sum, level) => sum + level.bytes, 0),
      memtableBytes: tree.memtableBytes,
      levels,
      blobs: blobStats(tree),
      ...historyOf(core, tree),
    };
  }
  const oldest = register.oldest();
  return {
    sequence: state.visible,
    timeMs: state.time.now(),
    incarnation: core.incarnation,
    memoryBytes: {
      memtables,
      cache: cache.bytesUsed + rows.bytesUsed,
      indexes: tables.memoryBytes,
      pool: pool.bytesUsed,
    },
    memoryBudget: core.memory.split,
    read: { blocks: tables.counters.blocksRead, bytes: tables.counters.blockBytesRead },
    log: {
      segments: log?.segments().length ?? 0,
      bytes: log?.bytes ?? 0,
      syncedSequence: log?.syncedSequence ?? state.visible,
    },
    written: {
      user: counters.user,
      log: counters.log,
      flush: counters.flush,
      compaction: counters.compaction,
      ingest: counters.ingest,
    },
    reclaimed: { ...core.background.care.reclaimed },
    keyspaces,
    asyncReads: {
      jobs: reads.jobsStarted,
      running: reads.jobsOut,
      runningMax: reads.jobsAtOnce,
      waiting: reads.waiting,
    },
    snapshots: {
      count: register.count,
      ...(oldest === undefined
        ? {}
        : { oldestSequence: oldest.sequence, oldestAgeMs: state.time.now() - oldest.time }),
    },
    heldSnapshots: core.snapshots.stats(state.visible),
    pressure: pressure.report(core.durability?.fullDiskRefusals ?? 0),
    transactions,
    changes,
    threads: state.sharing?.threads() ?? [],
  };
}

function historyOf({ history }: Core, { id }: Tree): { history?: HistoryStart } {
  const start = history.startOf(id);
  return start === undefined ? {} : { history: start };
}

export function blobStats({ view }: Tree): { files: number; bytes: number; liveBytes: number } {
  const stats = { files: 0, bytes: 0, liveBytes: 0 };
  for (const { blob, liveBytes } of liveBlobs(view.version)) {
    stats.files++;
    stats.bytes += blob.bytes;
    stats.liveBytes += liveBytes;
  }
  return stats;
}
