/**
 * Opens a database: checks the path and the options, takes the directory, and hands over to one run of recovery (opening.ts).
 */
import { resolve, sep } from 'node:path';
import { invalid } from '../base/errors.ts';
import { makeDurableDirectory, removeIfEmpty } from '../fs/durable-directory.ts';
import type { FileSystem } from '../fs/file-system.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { nodeFileSystem } from '../fs/node-fs.ts';
import { resolveDatabaseOptions, type ResolvedDatabaseOptions } from '../options/resolve.ts';
import { ready } from '../sstable/checksum.ts';
import { DatabaseHandle, type UpperFloors } from './database.ts';
import { filesSeen } from './recovery.ts';
import type { Components } from './components.ts';
import { Opening } from './opening.ts';

/** Attempts of a read-only open beside an owner that moves files. */
const ATTEMPTS_MAX = 10;
/** Opens or creates the database at `path`; ':memory:' needs no disk. See `open` of the package. */
export async function openDatabase(
  path: string,
  options: unknown,
  upper: UpperFloors,
  components: Components = {},
): Promise<DatabaseHandle> {
  if (typeof path !== 'string' || path === '') {
    throw invalid('PATH_INVALID', "open takes the path of a directory, or ':memory:'", { got: typeof path });
  }
  const resolved = resolveDatabaseOptions(options);
  await ready();
  const inMemory = path === ':memory:' && resolved.fileSystem === undefined;
  const fs = inMemory ? new MemoryFs() : ((resolved.fileSystem as FileSystem | undefined) ?? nodeFileSystem);
  const directory = inMemory ? '/memory' : fs.threads === 'node' ? resolve(path).replaceAll(sep, '/') : path;
  const created = prepareDirectory(fs, directory, resolved, path);
  const lock = resolved.readOnly ? undefined : await fs.lock(directory);
  for (let attempt = 1; ; attempt++) {
    const before = resolved.readOnly ? filesSeen(fs, directory) : '';
    try {
      return await new Opening(fs, directory, resolved, upper, components).run(lock);
    } catch (error) {
      // Without the lock an owner may have worked on between two looks at the directory: then look again.
      if (resolved.readOnly && attempt < ATTEMPTS_MAX && filesSeen(fs, directory) !== before) continue;
      await lock?.release();
      if (created) removeIfEmpty(fs, directory);
      throw error;
    }
  }
}

/** Makes the directory when that is allowed; true when it was not there. */
function prepareDirectory(
  fs: FileSystem,
  directory: string,
  options: ResolvedDatabaseOptions,
  path: string,
): boolean {
  const status = fs.status(directory);
  if (status !== undefined && status.kind !== 'directory') {
    throw invalid('NOT_A_DIRECTORY', `${path} is a file; a database is a directory`, { path });
  }
  if (status !== undefined) return false;
  if (!options.createIfMissing) throw invalid('NOT_FOUND', `there is no database at ${path}`, { path });
  makeDurableDirectory(fs, directory);
  return true;
}
