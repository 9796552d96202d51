/**
 * The ways of reading tables (option `reads`): the file system of the machine, with another open for files that are only
 * read. Past the page cache: direct-handle.ts; out of a mapping: mapped-handle.ts. What is read is the same in all of them.
 *
 * Only the owner's table cache reads through it. Log, manifest and the jobs of worker threads use plain pread: they read
 * each byte once, in large pieces.
 */
import { invalid, systemCode } from '../base/errors.ts';
import { directRefusal, openDirect } from './direct-handle.ts';
import { parseFileName, inDirectory } from './file-names.ts';
import type { FileSystem } from './file-system.ts';
import { openMapped } from './mapped-handle.ts';
import { memoryMapper } from './memory-map.ts';
import { nodeFileSystem, nodeFileSystemReading } from './node-fs.ts';

/** How a file is read: a copy by the system, a transfer past its cache, a copy out of a mapping. */
export type ReadMode = 'pread' | 'direct' | 'mmap';

const directFileSystem: FileSystem = nodeFileSystemReading(openDirect);

/**
 * `fs`, but files that are opened for reading only are read that way.
 * @throws VarveError `OPTION_INVALID` when `fs` is not the machine's own, `MMAP_UNAVAILABLE` (invalid) where nothing can
 *   be mapped.
 */
export function withReads(fs: FileSystem, mode: ReadMode): FileSystem {
  if (mode === 'pread') return fs;
  if (fs !== nodeFileSystem) {
    const wanted = `'pread': other ways are for files of the system, and the file system here is ${fs.name}`;
    throw invalid('OPTION_INVALID', `reads: got '${mode}', wanted ${wanted}`, {
      problems: [{ option: 'reads', got: mode, wanted }],
    });
  }
  if (mode === 'direct') return directFileSystem;
  const mapper = memoryMapper();
  return nodeFileSystemReading((path) => openMapped(path, mapper));
}

/** What open has to say about reading tables in `directory` that way: a sentence when they are read by pread after all. */
export function readWarnings(mode: ReadMode, directory: string): string[] {
  if (mode !== 'direct') return [];
  const manifest = nodeFileSystem.list(directory).find((name) => parseFileName(name)?.kind === 'manifest');
  if (manifest === undefined) return [];
  try {
    const refusal = directRefusal(inDirectory(directory, manifest));
    return refusal === undefined ? [] : [refusal];
  } catch (error) {
    // Beside an owner a file may go away at any time.
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
