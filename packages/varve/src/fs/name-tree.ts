/**
 * The names of a file system that lives in memory: directories, entries, and the POSIX rules for changing them.
 * Shared by the memory and the simulated file system, which differ only in what a file is (`F`) and in who watches.
 *
 * Invariants: (1) every change of a directory goes through `#apply` as one group of entry changes, which is atomic and is
 * shown to `onChange` after it happened; (2) a failing call changes nothing; (3) errors carry the system's code.
 * Paths are split at '/', so '/db/x', 'db/x' and './db//x' are the same name; ':memory:' is an ordinary name.
 */
import { systemFailure } from './system-error.ts';

export class TreeDirectory<F extends object> {
  readonly inode: number;
  readonly entries: Map<string, F | TreeDirectory<F>> = new Map();

  constructor(inode: number) {
    this.inode = inode;
  }
}

/** One name that now means something else; undefined is "no such name". */
export interface EntryChange<F extends object> {
  readonly directory: TreeDirectory<F>;
  readonly name: string;
  readonly before: F | TreeDirectory<F> | undefined;
  readonly after: F | TreeDirectory<F> | undefined;
}

interface Place<F extends object> {
  readonly directory: TreeDirectory<F>;
  readonly name: string;
}

export class NameTree<F extends object> {
  readonly root: TreeDirectory<F>;
  readonly #newInode: () => number;
  readonly #onChange: ((group: readonly EntryChange<F>[]) => void) | undefined;

  constructor(
    root: TreeDirectory<F>,
    newInode: () => number,
    onChange?: (group: readonly EntryChange<F>[]) => void,
  ) {
    this.root = root;
    this.#newInode = newInode;
    this.#onChange = onChange;
  }

  /** What `path` names; undefined when there is nothing, also when it leads through a file. */
  find(path: string): F | TreeDirectory<F> | undefined {
    let node: F | TreeDirectory<F> | undefined = this.root;
    for (const part of partsOf(path)) {
      node = node instanceof TreeDirectory ? node.entries.get(part) : undefined;
      if (node === undefined) return undefined;
    }
    return node;
  }

  /** What `path` names: ENOENT, ENOTDIR when it leads through a file. */
  node(operation: string, path: string): F | TreeDirectory<F> {
    const node = this.find(path);
    if (node !== undefined) return node;
    const parts = partsOf(path);
    while (parts.pop() !== undefined) {
      const above = this.find(parts.join('/'));
      if (above !== undefined && !(above instanceof TreeDirectory))
        throw systemFailure('ENOTDIR', operation, path);
    }
    throw systemFailure('ENOENT', operation, path);
  }

  /** The file named `path`: ENOENT, ENOTDIR, EISDIR. */
  file(operation: string, path: string): F {
    const node = this.node(operation, path);
    if (node instanceof TreeDirectory) throw systemFailure('EISDIR', operation, path);
    return node;
  }

  /** The directory named `path`: ENOENT, ENOTDIR. */
  directory(operation: string, path: string): TreeDirectory<F> {
    const node = this.node(operation, path);
    if (!(node instanceof TreeDirectory)) throw systemFailure('ENOTDIR', operation, path);
    return node;
  }

  /** Gives `file` the new name `path`: EEXIST when taken, ENOENT without the directory. */
  add(operation: string, path: string, file: F): void {
    const { directory, name } = this.#place(operation, path);
    if (directory.entries.has(name)) throw systemFailure('EEXIST', operation, path);
    this.#apply([{ directory, name, before: undefined, after: file }]);
  }

  /** A directory at `path` with all its parents; nothing when it is there. EEXIST, ENOTDIR when a file is in the way. */
  makeDirectory(path: string): void {
    const parts = partsOf(path);
    let directory = this.root;
    for (const [i, name] of parts.entries()) {
      let next = directory.entries.get(name);
      if (next === undefined) {
        next = new TreeDirectory<F>(this.#newInode());
        this.#apply([{ directory, name, before: undefined, after: next }]);
      } else if (!(next instanceof TreeDirectory)) {
        throw systemFailure(i === parts.length - 1 ? 'EEXIST' : 'ENOTDIR', 'mkdir', path);
      }
      directory = next;
    }
  }

  /** Takes the name of a file away and returns what it named. */
  remove(path: string): F {
    const file = this.file('unlink', path);
    const place = this.#place('unlink', path);
    this.#apply([{ ...place, before: file, after: undefined }]);
    return file;
  }

  removeDirectory(path: string): void {
    const directory = this.directory('rmdir', path);
    if (directory.entries.size > 0) throw systemFailure('ENOTEMPTY', 'rmdir', path);
    this.#apply([{ ...this.#place('rmdir', path), before: directory, after: undefined }]);
  }

  /** Moves a name, replacing what `to` named. Two names of one file stay both, as POSIX has it. */
  rename(from: string, to: string): void {
    const node = this.node('rename', from);
    const source = this.#place('rename', from);
    const target = this.#place('rename', to);
    const replaced = target.directory.entries.get(target.name);
    if (replaced === node) return;
    if (node instanceof TreeDirectory) {
      if (holds(node, target.directory)) throw systemFailure('EINVAL', 'rename', from);
      if (replaced !== undefined && !(replaced instanceof TreeDirectory))
        throw systemFailure('ENOTDIR', 'rename', to);
      if (replaced !== undefined && replaced.entries.size > 0) throw systemFailure('ENOTEMPTY', 'rename', to);
    } else if (replaced instanceof TreeDirectory) {
      throw systemFailure('EISDIR', 'rename', to);
    }
    this.#apply([
      { ...source, before: node, after: undefined },
      { ...target, before: replaced, after: node },
    ]);
  }

  link(from: string, to: string): void {
    const node = this.node('link', from);
    if (node instanceof TreeDirectory) throw systemFailure('EPERM', 'link', from);
    this.add('link', to, node);
  }

  /** Where `path` is or would be; the root itself has no place (EPERM). */
  #place(operation: string, path: string): Place<F> {
    const parts = partsOf(path);
    const name = parts.pop();
    if (name === undefined) throw systemFailure('EPERM', operation, path);
    return { directory: this.directory(operation, parts.join('/')), name };
  }

  #apply(group: readonly EntryChange<F>[]): void {
    for (const change of group) setEntry(change.directory.entries, change);
    this.#onChange?.(group);
  }
}

/** Makes `entries`, those of the change's directory, what the change says. */
export function setEntry<F extends object>(
  entries: Map<string, F | TreeDirectory<F>>,
  { name, after }: EntryChange<F>,
): void {
  if (after === undefined) entries.delete(name);
  else entries.set(name, after);
}

/** The names on the way to `path`; also its canonical form when joined by '/'. */
export function partsOf(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

function holds<F extends object>(directory: TreeDirectory<F>, sought: TreeDirectory<F>): boolean {
  if (directory === sought) return true;
  for (const entry of directory.entries.values())
    if (entry instanceof TreeDirectory && holds(entry, sought)) return true;
  return false;
}
