/**
 * A file system for reading that keeps chosen files open, so that they can still be read when another process removes them.
 *
 * For the table files of a read-only database: the writer beside it does not know of it and removes what its own version
 * no longer names. An open descriptor goes on working. Whoever opens a held file shares its descriptor, so holding costs one
 * each and no more, and up to `filesMax` are held. A file that is not held is opened by name; when that is gone, the reader
 * has to look at the manifest again: `STALE`. One thread.
 */
import { busy, systemCode } from '../base/errors.ts';
import type { FileHandle, FileSystem } from './file-system.ts';
import { ForwardingHandle } from './forwarding-handle.ts';
import { ReadingFs } from './reading-fs.ts';

/** A descriptor, how many read through it, and whether it is to stay when nobody does. */
interface Held {
  readonly file: FileHandle;
  users: number;
  isWanted: boolean;
}

export class HeldFiles {
  /** What reads through the held descriptors. */
  readonly fs: FileSystem;
  readonly #inner: FileSystem;
  readonly #filesMax: number;
  readonly #held = new Map<string, Held>();

  constructor(inner: FileSystem, filesMax: number) {
    this.#inner = inner;
    this.#filesMax = filesMax;
    this.fs = new ReadingFs(inner, (path) => this.#open(path));
  }

  /** Files that are open. */
  get size(): number {
    return this.#held.size;
  }

  /**
   * Opens those of `paths` that are not open yet, as long as there is room. @throws VarveError `IO_ERROR` with system code
   * ENOENT when one is gone; those before it stay open.
   */
  hold(paths: Iterable<string>): void {
    for (const path of paths) {
      const known = this.#held.get(path);
      if (known !== undefined) known.isWanted = true;
      else if (this.#held.size < this.#filesMax) {
        try {
          this.#held.set(path, { file: this.#inner.open(path, 'read'), users: 0, isWanted: true });
        } catch (error) {
          // Without more descriptors the rest is read by name.
          if (systemCode(error) === 'EMFILE' || systemCode(error) === 'ENFILE') return;
          throw error;
        }
      } else if (this.#inner.status(path) === undefined) this.#inner.open(path, 'read').close();
    }
  }

  /** Lets go of all files but `paths`; those that somebody still reads are closed after. */
  keepOnly(paths: ReadonlySet<string>): void {
    for (const [path, held] of this.#held) {
      if (paths.has(path)) continue;
      held.isWanted = false;
      this.#settle(path, held);
    }
  }

  #open(path: string): FileHandle {
    const held = this.#held.get(path);
    if (held !== undefined) {
      held.users++;
      return new SharedHandle(held.file, () => {
        held.users--;
        this.#settle(path, held);
      });
    }
    try {
      return this.#inner.open(path, 'read');
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      const message = `the writer has removed ${path} since this read-only database looked; call refresh() and read again`;
      throw busy('STALE', message, { file: path }, error);
    }
  }

  #settle(path: string, held: Held): void {
    if (held.users > 0 || held.isWanted) return;
    held.file.close();
    if (this.#held.get(path) === held) this.#held.delete(path);
  }
}

/** One user's handle of a held file. */
class SharedHandle extends ForwardingHandle {
  #release: (() => void) | undefined;

  constructor(file: FileHandle, release: () => void) {
    super(file);
    this.#release = release;
  }

  override close(): void {
    this.#release?.();
    this.#release = undefined;
  }
}
