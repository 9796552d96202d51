/**
 * A file system in memory: `Varve.open(':memory:')` and most tests. It is gone with the object; syncing is a no-op.
 *
 * One thread only: jobs over it run in time slices on the owner's thread. Removed files live on while a handle is open,
 * hard links share one file, and errors carry the same system codes as on a disk.
 */
import type { DirectoryLock, FileHandle, FileStatus, FileSystem, OpenMode } from './file-system.ts';
import { MemoryFile } from './memory-file.ts';
import { NameTree, partsOf, TreeDirectory } from './name-tree.ts';
import type { LockTable } from './open-registry.ts';
import { claim } from './open-registry.ts';
import { systemFailure } from './system-error.ts';

export class MemoryFs implements FileSystem {
  readonly name = 'memory';
  readonly threads = 'none';
  #inodes = 1;
  readonly #tree: NameTree<MemoryFile>;
  readonly #locks: LockTable = new Map();

  constructor() {
    this.#tree = new NameTree<MemoryFile>(new TreeDirectory(this.#inodes++), () => this.#inodes++);
  }

  open(path: string, mode: OpenMode): FileHandle {
    if (mode !== 'create') return new MemoryHandle(path, this.#tree.file('open', path), mode !== 'read');
    const file = new MemoryFile(this.#inodes++);
    this.#tree.add('open', path, file);
    return new MemoryHandle(path, file, true);
  }

  status(path: string): FileStatus | undefined {
    const node = this.#tree.find(path);
    if (node === undefined) return undefined;
    return node instanceof TreeDirectory
      ? { kind: 'directory', size: 0, inode: node.inode }
      : { kind: 'file', size: node.length, inode: node.inode };
  }

  list(path: string): string[] {
    return [...this.#tree.directory('scandir', path).entries.keys()].sort();
  }

  makeDirectory(path: string): void {
    this.#tree.makeDirectory(path);
  }

  remove(path: string): void {
    this.#tree.remove(path);
  }

  removeDirectory(path: string): void {
    this.#tree.removeDirectory(path);
  }

  rename(from: string, to: string): void {
    this.#tree.rename(from, to);
  }

  link(from: string, to: string): void {
    this.#tree.link(from, to);
  }

  syncDirectory(path: string): void {
    this.#tree.directory('fsync', path);
  }

  async lock(directory: string): Promise<DirectoryLock> {
    this.#tree.directory('lock', directory);
    const holder = { pid: process.pid, since: new Date().toISOString() };
    const release = claim(this.#locks, partsOf(directory).join('/'), directory, holder);
    return { release: async () => release() };
  }
}

class MemoryHandle implements FileHandle {
  readonly path: string;
  readonly #file: MemoryFile;
  readonly #writable: boolean;
  #open = true;

  constructor(path: string, file: MemoryFile, writable: boolean) {
    this.path = path;
    this.#file = file;
    this.#writable = writable;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    this.#check('read', true);
    return this.#file.read(target, offset, length, position);
  }

  write(source: Uint8Array, offset: number, length: number, position: number): number {
    this.#check('write', this.#writable);
    this.#file.write(source, offset, length, position);
    return length;
  }

  size(): number {
    this.#check('fstat', true);
    return this.#file.length;
  }

  truncate(length: number): void {
    this.#check('ftruncate', this.#writable);
    this.#file.resize(length);
  }

  sync(): void {
    this.#check('fsync', true);
  }

  dataSync(): void {
    this.#check('fdatasync', true);
  }

  close(): void {
    this.#open = false;
  }

  #check(operation: string, allowed: boolean): void {
    if (!this.#open || !allowed) throw systemFailure('EBADF', operation, this.path);
  }
}
