/**
 * Which memtables each keyspace of a shared database has: a row of words a keyspace, changed under the write lock, with the
 * generation odd meanwhile (shared-views.ts). Rows are given out by the owner and name a keyspace for good.
 *
 *   word   field
 *   r + 0  ID           of the keyspace
 *   r + 1  IS_DROPPED   1 once it was dropped
 *   r + 2  ACTIVE       descriptor of the memtable that takes the writes; 0: none yet
 *   r + 3  IMMUTABLES   descriptor of the newest memtable that waits to be flushed, which names the next older one; 0: none
 *   r + 4  MEMTABLE_KIB bytes / 1024 at which the active one is to be rotated; stored by the owner, at any time
 *   r + 6  TTL          milliseconds that puts live that do not say it, as one i64; 0: for good; stored by the owner, at
 *                       any time
 */
import { busy } from '../../base/errors.ts';
import { KEYSPACES_USED } from './control-words.ts';

const ROW_WORDS = 8;
const ID = 0;
const IS_DROPPED = 1;
const ACTIVE = 2;
const IMMUTABLES = 3;
const MEMTABLE_KIB = 4;
const TTL = 6;
const ROWS_MAX = 16_384;
export const KEYSPACE_WORDS: number = ROWS_MAX * ROW_WORDS;

export class KeyspaceWords {
  readonly #control: Int32Array;
  readonly #rows: Int32Array;
  /** The same, for what takes 64 bits. */
  readonly #longs: BigInt64Array;
  /** Rows by keyspace, as far as they were looked through. */
  readonly #known = new Map<number, number>();
  #seen = 0;

  constructor(control: Int32Array, rows: Int32Array) {
    this.#control = control;
    this.#rows = rows;
    this.#longs = new BigInt64Array(rows.buffer);
  }

  /** A row for another keyspace; owner only. @throws busy `TOO_MANY_KEYSPACES` */
  add(id: number): void {
    const row = Atomics.load(this.#control, KEYSPACES_USED);
    if (row === ROWS_MAX) {
      throw busy('TOO_MANY_KEYSPACES', `a shared database makes at most ${ROWS_MAX} keyspaces`, {
        max: ROWS_MAX,
      });
    }
    Atomics.store(this.#rows, row * ROW_WORDS + ID, id);
    Atomics.store(this.#control, KEYSPACES_USED, row + 1);
  }

  /** Does the keyspace have a row? */
  has(id: number): boolean {
    return this.#row(id) >= 0;
  }

  isDropped(id: number): boolean {
    return Atomics.load(this.#rows, this.#row(id) + IS_DROPPED) !== 0;
  }

  active(id: number): number {
    return Atomics.load(this.#rows, this.#row(id) + ACTIVE);
  }

  immutables(id: number): number {
    return Atomics.load(this.#rows, this.#row(id) + IMMUTABLES);
  }

  setActive(id: number, descriptor: number): void {
    Atomics.store(this.#rows, this.#row(id) + ACTIVE, descriptor);
  }

  setImmutables(id: number, descriptor: number): void {
    Atomics.store(this.#rows, this.#row(id) + IMMUTABLES, descriptor);
  }

  memtableBytes(id: number): number {
    return Atomics.load(this.#rows, this.#row(id) + MEMTABLE_KIB) * 1024;
  }

  setMemtableBytes(id: number, bytes: number): void {
    Atomics.store(this.#rows, this.#row(id) + MEMTABLE_KIB, Math.ceil(bytes / 1024));
  }

  ttl(id: number): number | undefined {
    const ttlMs = Number(Atomics.load(this.#longs, (this.#row(id) + TTL) / 2));
    return ttlMs === 0 ? undefined : ttlMs;
  }

  setTtl(id: number, ttlMs: number | undefined): void {
    Atomics.store(this.#longs, (this.#row(id) + TTL) / 2, BigInt(ttlMs ?? 0));
  }

  setDropped(id: number): void {
    Atomics.store(this.#rows, this.#row(id) + IS_DROPPED, 1);
  }

  /** Index of the first word of a keyspace's row; -1 when it has none. */
  #row(id: number): number {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const used = Atomics.load(this.#control, KEYSPACES_USED);
    for (; this.#seen < used; this.#seen++) {
      const row = this.#seen * ROW_WORDS;
      this.#known.set(Atomics.load(this.#rows, row + ID), row);
    }
    return this.#known.get(id) ?? -1;
  }
}
