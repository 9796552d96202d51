/** The open file of the fault-injecting wrapper: faults that need the bytes (short writes, flipped bits, a full disk). */
import type { FaultRules } from './fault-rules.ts';
import type { FileHandle } from './file-system.ts';
import type { SpaceBudget } from './space-budget.ts';

export class FaultHandle implements FileHandle {
  readonly path: string;
  readonly #inner: FileHandle;
  readonly #rules: FaultRules;
  readonly #budget: SpaceBudget;

  constructor(inner: FileHandle, rules: FaultRules, budget: SpaceBudget) {
    this.path = inner.path;
    this.#inner = inner;
    this.#rules = rules;
    this.#budget = budget;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    this.#rules.before('read', this.path);
    const got = this.#inner.read(target, offset, length, position);
    if (got > 0 && this.#rules.strikes('bitFlip', 'read', this.path))
      target[offset + this.#rules.random.below(got)]! ^= 1 << this.#rules.random.below(8);
    return got;
  }

  write(source: Uint8Array, offset: number, length: number, position: number): number {
    this.#rules.before('write', this.path);
    let taken = length;
    if (length > 1 && this.#rules.strikes('shortWrite', 'write', this.path))
      taken = 1 + this.#rules.random.below(length - 1);
    if (this.#budget.free === undefined) return this.#inner.write(source, offset, taken, position);
    const size = this.#inner.size();
    const growth = Math.max(0, position + taken - size);
    const fits = taken - (growth - this.#budget.room(growth));
    if (fits <= 0 && taken > 0) throw this.#rules.full('write', this.path);
    if (fits < taken) this.#rules.injected.shortWrite++;
    const written = this.#inner.write(source, offset, fits, position);
    this.#budget.grew(Math.max(0, position + written - size));
    return written;
  }

  size(): number {
    return this.#inner.size();
  }

  truncate(length: number): void {
    this.#rules.before('truncate', this.path);
    if (this.#budget.free === undefined) return this.#inner.truncate(length);
    const size = this.#inner.size();
    if (length > size && this.#budget.room(length - size) < length - size)
      throw this.#rules.full('ftruncate', this.path);
    this.#inner.truncate(length);
    this.#budget.grew(length - size);
  }

  sync(): void {
    this.#rules.before('sync', this.path);
    this.#inner.sync();
  }

  dataSync(): void {
    this.#rules.before('dataSync', this.path);
    this.#inner.dataSync();
  }

  close(): void {
    this.#inner.close();
  }
}
