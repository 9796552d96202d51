/**
 * The ways of reading tables (option `reads`): a file system, with another open for files that are only read. Past the page
 * cache: direct-handle.ts; out of a mapping: mapped-handle.ts. What is read is the same in all of them. Which ways there are
 * is up to the file system (`OtherReads` in file-system.ts): that of the machine and the simulated one have both.
 *
 * Only the owner's table cache reads through it. Log, manifest and the jobs of worker threads use plain pread: they read
 * each byte once, in large pieces.
 */
import { invalid, systemCode } from '../base/errors.ts';
import { directRefusal, openDirect } from './direct-handle.ts';
import { parseFileName, inDirectory } from './file-names.ts';
import type { FileSystem } from './file-system.ts';
import { MappedHandle } from './mapped-handle.ts';
import { ReadingFs } from './reading-fs.ts';

/** How a file is read: a copy by the system, a transfer past its cache, a copy out of a mapping. */
export type ReadMode = 'pread' | 'direct' | 'mmap';

/**
 * `fs`, but files that are opened for reading only are read that way.
 * @throws VarveError `OPTION_INVALID` when `fs` has no other ways, `MMAP_UNAVAILABLE` (invalid) where nothing can be mapped.
 */
export function withReads(fs: FileSystem, mode: ReadMode): FileSystem {
  if (mode === 'pread') return fs;
  const reads = fs.otherReads;
  if (reads === undefined) {
    const wanted = `'pread': other ways are for files of the system, and the file system here is ${fs.name}`;
    throw invalid('OPTION_INVALID', `reads: got '${mode}', wanted ${wanted}`, {
      problems: [{ option: 'reads', got: mode, wanted }],
    });
  }
  if (mode === 'direct') {
    return new ReadingFs(fs, (path) => openDirect(reads, path, () => fs.open(path, 'read')));
  }
  const open = reads.mapper();
  return new ReadingFs(fs, (path) => {
    const { file, mapping } = open(path);
    return mapping === undefined ? file : new MappedHandle(file, mapping);
  });
}

/** What open has to say about reading tables in `directory` that way: a sentence when they are read by pread after all. */
export function readWarnings(fs: FileSystem, mode: ReadMode, directory: string): string[] {
  if (mode !== 'direct' || fs.otherReads === undefined) return [];
  const manifest = fs.list(directory).find((name) => parseFileName(name)?.kind === 'manifest');
  if (manifest === undefined) return [];
  try {
    const refusal = directRefusal(fs.otherReads, inDirectory(directory, manifest));
    return refusal === undefined ? [] : [refusal];
  } catch (error) {
    // Beside an owner a file may go away at any time.
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
