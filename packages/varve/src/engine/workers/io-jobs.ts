/**
 * The jobs of the lanes `io` (fsync of the log, appending to the manifest) and `care` (removing files, remembering the cache's
 * blocks). They run in threads of their own so that no fsync ever waits behind the libuv pool, a compaction or a removal,
 * and never on the user's event loop.
 */
import type { FileHandle, FileSystem } from '../../fs/file-system.ts';
import { finalSync } from '../../fs/final-sync.ts';
import { appendFrame } from '../../manifest/manifest-file.ts';
import { systemCode } from '../../base/errors.ts';
import { checkCancelled } from '../../compaction/job.ts';
import type { JobContext } from '../../workers/job-runner.ts';
import { type RememberInput, writeWorkingSet } from '../working-set-file.ts';

export interface LogSyncInput {
  /** Segments with bytes that are not on disk yet, oldest first. */
  readonly paths: readonly string[];
  /** Directory whose entries are not on disk yet: a segment was created or renamed. */
  readonly directory: string | undefined;
}

export interface InstallInput {
  readonly manifest: string;
  readonly offset: number;
  /** One edit, encoded. */
  readonly frame: Uint8Array;
  readonly log: LogSyncInput | undefined;
}

export interface RemoveInput {
  readonly paths: readonly string[];
}

export function* syncLog(input: LogSyncInput, { fs }: JobContext): Generator<void, void> {
  for (const path of input.paths) {
    try {
      withFile(fs, path, (file) => finalSync(path, () => file.dataSync()));
    } catch (error) {
      // Released and removed while this job waited for its turn: all that it held is in tables.
      if (systemCode(error) !== 'ENOENT') throw error;
    }
    yield;
  }
  const { directory } = input;
  if (directory !== undefined) finalSync(directory, () => fs.syncDirectory(directory));
}

export function* installEdits(input: InstallInput, context: JobContext): Generator<void, void> {
  if (input.log !== undefined) yield* syncLog(input.log, context);
  // An fsync that failed elsewhere may have made this one succeed without the bytes: poison cancels what is on its way.
  checkCancelled(context);
  // One frame, one sync (record/frame): of two unsynced frames a crash could keep the second without the first.
  withFile(context.fs, input.manifest, (file) => appendFrame(file, input.frame, input.offset));
  yield;
}

export function* removeFiles(input: RemoveInput, { fs }: JobContext): Generator<void, void> {
  for (const path of input.paths) {
    try {
      fs.remove(path);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
    yield;
  }
}

export function* remember(input: RememberInput, { fs }: JobContext): Generator<void, void> {
  writeWorkingSet(fs, input);
  yield;
}

function withFile(fs: FileSystem, path: string, use: (file: FileHandle) => void): void {
  const file = fs.open(path, 'readWrite');
  try {
    use(file);
  } finally {
    file.close();
  }
}
