/**
 * Flush: immutable memtables become tables of level 0. Runs in a worker thread, which reads the memtables in place in
 * shared memory, or in slices on the owner's thread.
 *
 * Several memtables are merged, so that what they replace among themselves is written once. The caller installs the result
 * with the flushed sequence only after the log is synced through it (CONTRACT 3), and releases the memtables after that.
 */
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import { OrderedMerge } from '../iterator/ordered-merge.ts';
import { attachMemtable, type MemtableHandle } from '../memtable/memtable.ts';
import { Readers } from './drop.ts';
import type { JobCode, JobEnv, JobOutput, TableSettings } from './job.ts';
import { JobProgress } from './job-progress.ts';
import { KeyRanges } from './key-ranges.ts';
import { rewrite } from './rewrite.ts';
import { UserValues } from './user-values.ts';

/** Plain data. */
export interface FlushInput {
  readonly directory: string;
  readonly keyspace: number;
  /** Oldest to newest; older ones than these are flushed already. */
  readonly memtables: readonly MemtableHandle[];
  readonly table: TableSettings;
  /** Sequences of the registered snapshots, ascending, read after `historyFloor` was published. */
  readonly registered: readonly number[];
  /** States at or above it may be read; at most the latest visible sequence. */
  readonly historyFloor: number;
  /** No reader judges what has expired by an earlier time of the stored clock; read before the register was. */
  readonly readerTime: number;
  /** So many versions of every key that is there stay, whoever reads. */
  readonly versions: number;
  /** The keyspace has no table yet, so deletes have nothing to hide outside of these memtables. */
  readonly nothingBelow: boolean;
  /** The database's next file number. */
  readonly fileNumbers: SharedArrayBuffer;
  /** Milliseconds since 1970: nothing in the memtables was written later. Undefined: not known. */
  readonly newestTime: number | undefined;
  /** The keyspace has a merge operator. */
  readonly code?: JobCode | undefined;
  /** Of job-progress.ts: for cleaning up after a thread that died. */
  readonly progress?: SharedArrayBuffer;
}

export function* flushJob(input: FlushInput, env: JobEnv): Generator<void, JobOutput> {
  // Newest first, as merges take their sources.
  const memtables = input.memtables
    .map((handle) => attachMemtable(handle))
    .filter((memtable) => memtable.entries > 0)
    .reverse();
  const tombstones = memtables.map((memtable) => memtable.rangeTombstones() ?? FragmentedTombstones.none);
  const oldest = Math.min(...memtables.map((memtable) => memtable.firstSequence));
  const result = yield* rewrite(
    {
      source: new OrderedMerge(memtables.map((memtable) => memtable.iterator(true))),
      entries: undefined,
      tombstones: FragmentedTombstones.merge(tombstones),
      readers: new Readers(input.registered, input.historyFloor, oldest, input.readerTime),
      versions: input.versions,
      below: input.nothingBelow ? KeyRanges.none : KeyRanges.all,
      user: new UserValues(input.code, undefined, input.directory, env),
      output: {
        directory: input.directory,
        table: input.table,
        fileNumbers: input.fileNumbers,
        grandparents: [],
        newestTime: input.newestTime,
        progress: input.progress === undefined ? undefined : new JobProgress(input.progress),
      },
    },
    env,
  );
  return { ...result, bytesRead: memtables.reduce((sum, memtable) => sum + memtable.bytes, 0) };
}
