/** A file system whose files are opened in another way when they are only read; all else is that of the one behind it. */
import type { DirectoryLock, FileHandle, FileStatus, FileSystem, OpenMode } from './file-system.ts';

export class ReadingFs implements FileSystem {
  readonly name: string;
  readonly threads: 'node' | 'none';
  readonly #inner: FileSystem;
  readonly #openForReading: (path: string) => FileHandle;

  constructor(inner: FileSystem, openForReading: (path: string) => FileHandle) {
    this.name = inner.name;
    this.threads = inner.threads;
    this.#inner = inner;
    this.#openForReading = openForReading;
  }

  open(path: string, mode: OpenMode): FileHandle {
    return mode === 'read' ? this.#openForReading(path) : this.#inner.open(path, mode);
  }

  status(path: string): FileStatus | undefined {
    return this.#inner.status(path);
  }

  list(path: string): string[] {
    return this.#inner.list(path);
  }

  makeDirectory(path: string): void {
    this.#inner.makeDirectory(path);
  }

  remove(path: string): void {
    this.#inner.remove(path);
  }

  removeDirectory(path: string): void {
    this.#inner.removeDirectory(path);
  }

  rename(from: string, to: string): void {
    this.#inner.rename(from, to);
  }

  link(from: string, to: string): void {
    this.#inner.link(from, to);
  }

  syncDirectory(path: string): void {
    this.#inner.syncDirectory(path);
  }

  lock(directory: string): Promise<DirectoryLock> {
    return this.#inner.lock(directory);
  }
}
