/**
 * Making a directory that survives power loss: its own name and those of missing parents are synced, because a file that
 * is on disk in a directory that is not is lost with it. Called at open and by checkpoints, on the owner's thread.
 */
import { systemCode } from '../base/errors.ts';
import type { FileSystem } from './file-system.ts';

/** Makes a directory and its missing parents; the names of all of them are on disk when it returns. */
export function makeDurableDirectory(fs: FileSystem, directory: string): void {
  const parent = parentOf(directory);
  if (parent !== directory && fs.status(parent) === undefined) makeDurableDirectory(fs, parent);
  fs.makeDirectory(directory);
  syncParent(fs, directory);
}

/** Brings the name of `directory` to disk. A parent that we may not open is left to whoever made the directory there. */
export function syncParent(fs: FileSystem, directory: string): void {
  const parent = parentOf(directory);
  if (parent === directory) return;
  try {
    fs.syncDirectory(parent);
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes(systemCode(error))) throw error;
  }
}

/** Takes back a directory that was made for something that failed, unless something is in it. */
export function removeIfEmpty(fs: FileSystem, directory: string): void {
  try {
    fs.removeDirectory(directory);
  } catch {
    // Not empty, or gone: nothing of ours to take away.
  }
}

/** The directory that `path` is a name in; `path` itself for a root and for a name without one. */
function parentOf(path: string): string {
  const cut = path.lastIndexOf('/');
  return cut < 0 ? path : path.slice(0, Math.max(1, cut));
}
