/**
 * The memtables of all keyspaces as every thread of a shared database finds them: from a keyspace's row (keyspace-words.ts) to
 * the descriptors of its memtables (memtable/descriptor.ts), the active one and the chain of those that wait for a flush.
 *
 * The owner rotates and cuts the chain when a flush is installed; any thread may begin a memtable for a keyspace that has none,
 * because its first write needs one. All of it under the write lock, with the generation odd meanwhile (thread-access.ts).
 * What was cut off is released by the owner once no thread can be reading it.
 */
import type { SegmentPool } from '../../arena/segment-pool.ts';
import { busy } from '../../base/errors.ts';
import { olderMemtable, setOlderMemtable, setRotatedAt } from '../../memtable/descriptor.ts';
import { attachMemtableAt, makeSharedMemtable, type Memtable } from '../../memtable/memtable.ts';
import type { KeyspaceWords } from './keyspace-words.ts';
import type { ThreadAccess } from './thread-access.ts';

export class SharedViews {
  readonly #pool: SegmentPool;
  readonly #rows: KeyspaceWords;
  readonly #access: ThreadAccess;
  readonly #retire: (free: () => void) => void;

  /** @param retire runs what gives memory back once no thread can be reading it; owner only */
  constructor(
    pool: SegmentPool,
    rows: KeyspaceWords,
    access: ThreadAccess,
    retire: (free: () => void) => void,
  ) {
    this.#pool = pool;
    this.#rows = rows;
    this.#access = access;
    this.#retire = retire;
  }

  /** The memtable that takes the next write to a keyspace that has none. @throws busy `BUSY` */
  begin(id: number): Memtable {
    const memtable = makeSharedMemtable(this.#pool);
    if (memtable === undefined) {
      throw busy('BUSY', 'no memtable memory is left', { reason: 'memtable-memory' });
    }
    this.#access.changeViews(() => this.#rows.setActive(id, memtable.descriptor));
    return memtable;
  }

  /** A keyspace's first words: no active memtable, and these to be flushed, newest first. Owner only. */
  publish(id: number, immutables: readonly Memtable[], rotatedAt: readonly number[]): void {
    immutables.forEach((memtable, i) => {
      const descriptor = memtable.describe();
      setRotatedAt(this.#pool, descriptor, rotatedAt[i]!);
      setOlderMemtable(this.#pool, descriptor, immutables[i + 1]?.describe() ?? 0);
    });
    this.#access.changeViews(() => {
      this.#rows.add(id);
      this.#rows.setImmutables(id, immutables[0]?.descriptor ?? 0);
    });
  }

  /** The active memtable becomes the newest one that waits. Owner only. */
  rotate(id: number, memtable: Memtable, sequence: number): void {
    const { descriptor } = memtable;
    setRotatedAt(this.#pool, descriptor, sequence);
    setOlderMemtable(this.#pool, descriptor, this.#rows.immutables(id));
    this.#access.changeViews(() => {
      this.#rows.setImmutables(id, descriptor);
      this.#rows.setActive(id, 0);
    });
  }

  /** What is older than `oldest` is in tables; everything is without one. Owner only. */
  cut(id: number, oldest: Memtable | undefined): void {
    this.#access.changeViews(() => {
      if (oldest === undefined) this.#rows.setImmutables(id, 0);
      else setOlderMemtable(this.#pool, oldest.descriptor, 0);
    });
  }

  /** The keyspace is no more. Owner only. */
  drop(id: number): void {
    this.#access.changeViews(() => {
      this.#rows.setDropped(id);
      this.#rows.setActive(id, 0);
      this.#rows.setImmutables(id, 0);
    });
  }

  /** No view names them any more. Owner only. */
  release(memtables: readonly Memtable[]): void {
    if (memtables.length === 0) return;
    this.#retire(() => this.#access.exclusive(() => memtables.forEach((memtable) => memtable.release())));
  }

  /** Descriptors of a keyspace's memtables as they stand now: the active one or 0, then those that wait, newest first. */
  descriptors(id: number): number[] {
    const found = [this.#rows.active(id)];
    for (let at = this.#rows.immutables(id); at !== 0; at = olderMemtable(this.#pool, at)) found.push(at);
    return found;
  }

  attach(descriptor: number): Memtable {
    return attachMemtableAt(this.#pool, descriptor);
  }
}
