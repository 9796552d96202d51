/**
 * The resident memory of this process over two baselines: what it weighed before it opened the database (`bare`), which is
 * what a user compares with the budget, and what it weighs once threads run and code is compiled, less what the engine then
 * says it uses (`warm`), which leaves the threads' own heaps out.
 */
import type { Database } from 'varve';

export interface ResidentBytes {
  readonly bare: number;
  readonly warm: number;
  /** The most that was seen, all in all. */
  readonly most: number;
  /** The most that the engine itself accounts for: memtables, cache, indexes and filters. */
  readonly accounted: number;
}

export class Resident {
  readonly #bare = process.memoryUsage.rss();
  #warm = 0;
  #most = 0;
  #accounted = 0;

  get bytes(): ResidentBytes {
    return { bare: this.#bare, warm: this.#warm, most: this.#most, accounted: this.#accounted };
  }

  /** The database has done a little of all that it will do. */
  warmedUp(db: Database): void {
    this.#warm = process.memoryUsage.rss() - accountedBytes(db);
  }

  /** Looks, and tells the bytes over the bare process. */
  look(db: Database): number {
    const bytes = process.memoryUsage.rss();
    this.#accounted = Math.max(this.#accounted, accountedBytes(db));
    this.#most = Math.max(this.#most, bytes);
    return bytes - this.#bare;
  }
}

function accountedBytes(db: Database): number {
  const { memtables, pool, cache, indexes } = db.stats().memoryBytes;
  return Math.max(memtables, pool) + cache + indexes;
}
