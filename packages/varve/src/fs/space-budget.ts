/**
 * The free space of a pretended disk: what files grow by is taken from it, what is cut or removed comes back.
 * A file's bytes come back with its last name; names that were there before the wrapper count as one.
 */
import type { FileSystem } from './file-system.ts';

export class SpaceBudget {
  /** Undefined: no limit, and nothing is counted. */
  free: number | undefined;
  readonly #fs: FileSystem;
  /** Names beyond the first, by inode. */
  readonly #furtherNames: Map<number, number> = new Map();

  constructor(fs: FileSystem) {
    this.#fs = fs;
  }

  /** How many of `bytes` more there is room for. */
  room(bytes: number): number {
    return this.free === undefined ? bytes : Math.max(0, Math.min(bytes, this.free));
  }

  /** Notes that files grew by `bytes` (negative: shrank). */
  grew(bytes: number): void {
    if (this.free !== undefined) this.free -= bytes;
  }

  /** Notes the new name of a file. */
  linked(path: string): void {
    const inode = this.#fs.status(path)?.inode;
    if (inode !== undefined) this.#furtherNames.set(inode, (this.#furtherNames.get(inode) ?? 0) + 1);
  }

  /** Runs `call`, which takes the name `path` from what it names; `from` is what takes its place, if anything does. */
  freeing(path: string, call: () => void, from?: string): void {
    if (this.free === undefined && this.#furtherNames.size === 0) return call();
    const gone = this.#fs.status(path);
    const same = from !== undefined && this.#fs.status(from)?.inode === gone?.inode;
    call();
    if (gone === undefined || gone.kind !== 'file' || same) return;
    const further = this.#furtherNames.get(gone.inode) ?? 0;
    if (further === 0) this.grew(-gone.size);
    else if (further === 1) this.#furtherNames.delete(gone.inode);
    else this.#furtherNames.set(gone.inode, further - 1);
  }
}
