/**
 * The file-system seam. Everything Varve stores goes through it; four implementations share one conformance suite
 * (fs.suite.ts): node, memory, simulated (loses what was not synced) and a fault-injecting wrapper.
 *
 * All calls are synchronous: a cached read costs 1 to 2 us that way and 45 us through promises; slow calls (sync, large
 * writes) are made from worker threads. Failures throw: system errors keep their code (`ENOENT`, `EEXIST`, `ENOSPC`,
 * `EIO`) in `error.context.system` (VarveError of kind `io`). Paths are absolute or ':memory:'-like roots, '/' between.
 *
 * What is promised (docs/internals/assumptions.md): after `sync` or `dataSync` returned, the bytes and the length of the
 * file survive power loss; a created, renamed, linked or removed name survives only after `syncDirectory` of its folder;
 * without them anything written may be kept, lost or kept in part, in any order, at the granularity of 512-byte sectors.
 */

export type OpenMode =
  /** Must exist; reads only. */
  | 'read'
  /** Must exist; reads and writes. */
  | 'readWrite'
  /** Must not exist (EEXIST otherwise); created empty, reads and writes. */
  | 'create';

export interface FileHandle {
  readonly path: string;
  /** Reads up to `length` bytes at `position` into `target` at `offset`; returns how many (0 at the end of the file). */
  read(target: Uint8Array, offset: number, length: number, position: number): number;
  /** Writes up to `length` bytes at `position`; returns how many were taken (may be short: use `writeFully`). */
  write(source: Uint8Array, offset: number, length: number, position: number): number;
  size(): number;
  truncate(length: number): void;
  /** Bytes and all metadata to stable storage. */
  sync(): void;
  /** Bytes and the length to stable storage. */
  dataSync(): void;
  /** Idempotent. */
  close(): void;
}

export interface FileStatus {
  readonly kind: 'file' | 'directory' | 'other';
  readonly size: number;
  /** Identity of the file behind the name; two hard links share it. */
  readonly inode: number;
}

export interface LockHolder {
  readonly pid?: number;
  readonly host?: string;
  readonly since?: string;
}

/** What the owner of a directory can be asked over its lock. */
export type LockQuestion = 'levels';

export interface DirectoryLock {
  /**
   * From now on other processes that ask `question` get what `give` returns: JSON without line ends, in pieces; undefined or an
   * error for "not now". Left out by locks that nobody else can reach.
   */
  answer?(question: LockQuestion, give: () => Iterable<string> | undefined): void;
  /** Idempotent; resolves when another opener can have the lock. */
  release(): Promise<void>;
}

/** A picture of a file in memory. */
export interface Mapping {
  readonly view: Uint8Array;
  /** Once, after the last look at `view`: what is looked at later may end the process. */
  readonly unmap: () => void;
}

/** Ways of reading beside `open`, for the option `reads`; what makes whole handles of them is in table-reads.ts. */
export interface OtherReads {
  /**
   * Opens for reads past every cache. Their position, length and memory are multiples of 4096 bytes, and they are short only
   * at the end of the file. EINVAL, here or from the first read, where the file can not be read so.
   */
  openDirect(path: string): FileHandle;
  /**
   * What opens files and maps what they hold then; a file that can not be mapped has no mapping.
   * @throws VarveError `MMAP_UNAVAILABLE` (invalid) where nothing can be mapped
   */
  mapper(): (path: string) => { readonly file: FileHandle; readonly mapping: Mapping | undefined };
}

export interface FileSystem {
  readonly name: string;
  /** What worker threads need to open the same files: 'node' when they can, 'none' when jobs must stay on this thread. */
  readonly threads: 'node' | 'none';
  /** Left out by a file system that has no other ways: `reads` is then refused. */
  readonly otherReads?: OtherReads;
  open(path: string, mode: OpenMode): FileHandle;
  /** Undefined when nothing has that name. */
  status(path: string): FileStatus | undefined;
  /** Names in a directory, sorted; ENOENT when it is not there. */
  list(path: string): string[];
  /** With parents; no error when it is there already as a directory. */
  makeDirectory(path: string): void;
  /** Removes a file; ENOENT when it is not there. */
  remove(path: string): void;
  /** Removes an empty directory. */
  removeDirectory(path: string): void;
  /** Atomic; replaces `to`. */
  rename(from: string, to: string): void;
  /** Hard link; EEXIST when `to` is there. */
  link(from: string, to: string): void;
  syncDirectory(path: string): void;
  /** Takes the directory for one database; VarveError `LOCKED` (kind busy, context.holder) when it is taken. */
  lock(directory: string): Promise<DirectoryLock>;
}

/** Writes all of [start, end) at `position`, going on after short writes. */
export function writeFully(
  file: FileHandle,
  bytes: Uint8Array,
  start: number,
  end: number,
  position: number,
): void {
  for (let done = start; done < end; ) {
    done += file.write(bytes, done, end - done, position + (done - start));
  }
}

/** Reads all of `length` bytes at `position`, or fewer at the end of the file; returns how many. */
export function readFully(
  file: FileHandle,
  target: Uint8Array,
  offset: number,
  length: number,
  position: number,
): number {
  let done = 0;
  while (done < length) {
    const got = file.read(target, offset + done, length - done, position + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}

/** The whole file as fresh bytes. */
export function readFile(fs: FileSystem, path: string): Uint8Array {
  const file = fs.open(path, 'read');
  try {
    const bytes = new Uint8Array(file.size());
    const got = readFully(file, bytes, 0, bytes.length, 0);
    return got === bytes.length ? bytes : bytes.subarray(0, got);
  } finally {
    file.close();
  }
}
