/**
 * Counts the entries of a part of a range at a sequence, in a worker thread: from tables, with readers of its own that
 * bypass the block cache, and from memtables that are written no more, in place. What is newer than the sequence and what
 * is hidden does not count, as in any other read.
 */
import { checkCancelled } from '../../compaction/job.ts';
import { inDirectory, tableName } from '../../fs/file-names.ts';
import type { FileMeta } from '../../manifest/file-meta.ts';
import { attachMemtable, type MemtableHandle } from '../../memtable/memtable.ts';
import { TableCache } from '../../sstable/table-cache.ts';
import type { JobContext } from '../../workers/job-runner.ts';
import { type KeyRange, mergedSources, openScan, type ScanView } from '../scan.ts';

/** Plain data. */
export interface CountInput {
  readonly directory: string;
  /** Newest first. */
  readonly memtables: readonly MemtableHandle[];
  readonly levels: readonly (readonly FileMeta[])[];
  readonly range: KeyRange;
  readonly sequence: number;
  /** By the stored clock: what has expired then does not count. */
  readonly time: number;
}

/** Steps of the walk between two pauses. */
const STEPS = 1024;
const OPEN_FILES_MAX = 64;

export function* countEntries(input: CountInput, context: JobContext): Generator<void, number> {
  const { directory, range, sequence, time } = input;
  const tables = new TableCache({
    fs: context.fs,
    pathOf: (number) => inDirectory(directory, tableName(number)),
    openFilesMax: OPEN_FILES_MAX,
  });
  try {
    const view: ScanView = {
      memtable: undefined,
      immutables: input.memtables.map((handle) => attachMemtable(handle)),
      version: { levels: input.levels },
    };
    const visible = openScan(mergedSources(view, tables, range), view, tables, range, sequence, time);
    let count = 0;
    let steps = 0;
    visible.first();
    while (visible.valid) {
      count++;
      const run = visible.run();
      const more = run === undefined ? 0 : run.to - 1 - run.position;
      if (run !== undefined && more > 0) {
        count += more;
        visible.moveTo(run.to - 1);
      }
      visible.next();
      if (++steps % STEPS !== 0) continue;
      yield;
      checkCancelled(context);
    }
    return count;
  } finally {
    tables.close();
  }
}
