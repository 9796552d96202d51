/**
 * Flushing during replay: a log may hold more than memory may. The fullest trees become tables on this thread, named by
 * the manifest that this open is about to write; a crash before that leaves files that the next open removes.
 */
import type { FlushInput } from '../compaction/flush-job.ts';
import type { JobOutput } from '../compaction/job.ts';
import type { FileSystem } from '../fs/file-system.ts';
import { applyEdit } from '../manifest/version.ts';
import { flushSettings } from './job-input.ts';
import type { ReplayEnv } from './replay-env.ts';
import { jobs } from './workers/jobs.ts';

/** Makes tables of everything that was replayed so far. */
export function flushReplayed(env: ReplayEnv, fs: FileSystem, fileNumbers: SharedArrayBuffer): void {
  for (const tree of env.state.trees.values()) {
    if (!tree.rotate()) continue;
    const { memtables, through } = tree.takeForFlush();
    // Made in the log after the manifest: it says nothing of it yet.
    const keyspace = env.version.keyspaces.get(tree.id)!;
    const retention = keyspace.retention ?? { ms: 0, versions: 0 };
    const input: FlushInput = {
      directory: env.state.path,
      keyspace: tree.id,
      memtables: memtables.map((memtable) => memtable.handle()),
      table: flushSettings(tree),
      registered: [],
      historyFloor: retention.ms > 0 ? keyspace.historyFloor : env.state.visible,
      versions: retention.versions,
      // The clock is known when the whole log is read.
      readerTime: 0,
      nothingBelow: tree.view.version.levels.every((files) => files.length === 0),
      fileNumbers,
      newestTime: undefined,
    };
    const { files, blobs } = runToEnd<JobOutput>(
      jobs['flush']!(input as never, { fs, cancelled: () => false }),
    );
    env.version = applyEdit(env.version, {
      addedFiles: files.map((file) => ({ keyspace: tree.id, level: 0, file })),
      addedBlobs: blobs.map((blob) => ({ keyspace: tree.id, blob })),
      flushedSequence: [{ keyspace: tree.id, sequence: through }],
    });
    tree.installFlush(memtables.length, env.version.keyspaces.get(tree.id)!);
  }
}

function runToEnd<T>(steps: Generator<void, unknown>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value as T;
  }
}
