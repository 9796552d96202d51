/**
 * Makes a replay's outcome the state on disk, before the database takes its first write: removes segments that hold nothing
 * that counts (newest first, so that a crash in between leaves a log that ends earlier, not one with a gap), cuts the last
 * one behind its last record, and fsyncs what replay read and nobody is known to have fsynced. Not for read-only opens.
 */
import type { FileHandle, FileSystem } from '../fs/file-system.ts';
import type { ReplayReport } from './replay-run.ts';

/** After it returns, `report.end` is the end of the log and everything before it is on disk. */
export function cutTail(fs: FileSystem, directory: string, report: ReplayReport): void {
  for (const path of report.remove) fs.remove(path);
  if (report.remove.length > 0) fs.syncDirectory(directory);
  for (const { number, path } of report.segments) {
    if (number < report.syncFrom) continue;
    withFile(fs, path, (file) => {
      if (number === report.end.segment && file.size() > report.end.offset) file.truncate(report.end.offset);
      file.sync();
    });
  }
  if (report.segments.length > 0) fs.syncDirectory(directory);
}

function withFile(fs: FileSystem, path: string, use: (file: FileHandle) => void): void {
  const file = fs.open(path, 'readWrite');
  try {
    use(file);
  } finally {
    file.close();
  }
}
