/**
 * A wrapper that makes any file system fail on purpose, by rules that come and go at run time and a seeded Random.
 *
 * A rule says which operations on which paths, how often, and what goes wrong: EIO and ENOSPC before anything happened, a
 * write of which only a part is taken, a sync that fails and syncs nothing, one flipped bit in what was read, a delay.
 * Beside the rules a budget of free bytes makes the disk fill up as a real one does: short write first, then ENOSPC.
 * One thread only: workers would go around the wrapper.
 */
import { Random } from '../base/random.ts';
import { FaultHandle } from './fault-handle.ts';
import { type FaultKind, type FaultOperation, type FaultRule, FaultRules } from './fault-rules.ts';
import type { DirectoryLock, FileHandle, FileStatus, FileSystem, OpenMode } from './file-system.ts';
import { SpaceBudget } from './space-budget.ts';

export interface FaultOptions {
  readonly random?: Random;
  /** What a `latency` fault does: move a simulated clock, block, count. Default: nothing. */
  readonly delay?: (operation: FaultOperation, path: string) => void;
}

export class FaultFs implements FileSystem {
  readonly name: string;
  readonly threads = 'none';
  readonly #inner: FileSystem;
  readonly #rules: FaultRules;
  readonly #budget: SpaceBudget;

  constructor(inner: FileSystem, options: FaultOptions = {}) {
    this.#inner = inner;
    this.name = `faulty ${inner.name}`;
    this.#rules = new FaultRules(options.random ?? new Random(1), options.delay ?? (() => undefined));
    this.#budget = new SpaceBudget(inner);
  }

  /** Faults so far, by kind; the budget counts under `shortWrite` and `ENOSPC`. */
  get injected(): Readonly<Record<FaultKind, number>> {
    return this.#rules.injected;
  }

  /** Puts a rule in force; the result takes it out again. */
  add(rule: FaultRule): () => void {
    return this.#rules.add(rule);
  }

  /** Takes all rules and the budget out. */
  heal(): void {
    this.#rules.clear();
    this.#budget.free = undefined;
  }

  /** Bytes that files may still grow by; undefined without a budget. Removing and cutting files gives bytes back. */
  get freeBytes(): number | undefined {
    return this.#budget.free;
  }

  set freeBytes(bytes: number | undefined) {
    this.#budget.free = bytes;
  }

  open(path: string, mode: OpenMode): FileHandle {
    this.#rules.before(mode === 'create' ? 'create' : 'open', path);
    if (mode === 'create' && this.#budget.room(1) === 0) throw this.#rules.full('open', path);
    return new FaultHandle(this.#inner.open(path, mode), this.#rules, this.#budget);
  }

  status(path: string): FileStatus | undefined {
    this.#rules.before('status', path);
    return this.#inner.status(path);
  }

  list(path: string): string[] {
    this.#rules.before('list', path);
    return this.#inner.list(path);
  }

  makeDirectory(path: string): void {
    this.#rules.before('makeDirectory', path);
    this.#inner.makeDirectory(path);
  }

  remove(path: string): void {
    this.#rules.before('remove', path);
    this.#budget.freeing(path, () => this.#inner.remove(path));
  }

  removeDirectory(path: string): void {
    this.#rules.before('removeDirectory', path);
    this.#inner.removeDirectory(path);
  }

  rename(from: string, to: string): void {
    this.#rules.before('rename', from);
    this.#budget.freeing(to, () => this.#inner.rename(from, to), from);
  }

  link(from: string, to: string): void {
    this.#rules.before('link', from);
    this.#inner.link(from, to);
    this.#budget.linked(to);
  }

  syncDirectory(path: string): void {
    this.#rules.before('syncDirectory', path);
    this.#inner.syncDirectory(path);
  }

  async lock(directory: string): Promise<DirectoryLock> {
    this.#rules.before('lock', directory);
    return this.#inner.lock(directory);
  }
}
