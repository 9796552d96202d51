/**
 * One keyspace inside the engine: its LSM tree. Holds the current read view and the facts that flush and log release ask.
 *
 * Rotation turns the memtable into the newest immutable; a flush removes the oldest immutables and adds tables in one
 * replacement of the view. Owner's thread only; every method here runs to its end without letting anything else in.
 */
import type { PointResult } from '../base/entry.ts';
import type { RowCache } from '../cache/row-cache.ts';
import type { KeyspaceRecord } from '../manifest/version-edit.ts';
import type { KeyspaceVersion } from '../manifest/version.ts';
import type { Memtable } from '../memtable/memtable.ts';
import type { ResolvedKeyspaceSettings } from '../options/resolve.ts';
import type { TableCache } from '../sstable/table-cache.ts';
import { pointGet } from './get.ts';
import type { ManyGets } from './get-many.ts';
import { fencesOf, type ReadView } from './read-view.ts';
import { IdleSources } from './scan.ts';

/** The words of the open database that a tree reads and raises (state.ts). */
interface TreeState {
  readonly visible: number;
  generation: number;
  versions: number;
}

export class Tree {
  readonly record: KeyspaceRecord;
  readonly tables: TableCache;
  readonly #rows: RowCache;
  settings: ResolvedKeyspaceSettings;
  /** How many of the oldest immutables a running flush has taken. */
  flushing = 0;
  /** Tally of the batch that the commit pipeline is reserving room for; zero in between. */
  pendingOps = 0;
  pendingBytes = 0;
  /** Log sequence at the rotation of each immutable, newest first: what `flushedSequence` becomes with its flush. */
  #rotatedAt: readonly number[] = [];
  /** Immutables of a dropped tree that a running flush still reads. */
  #held: readonly Memtable[] = [];
  /** Jobs that read immutables without being their flush, and what is to be released when there are none. */
  #pins = 0;
  #pinned: Memtable[] = [];
  #view: ReadView;
  /** For cursors over the whole keyspace. */
  readonly idleSources: IdleSources = new IdleSources();
  readonly #state: TreeState;
  readonly #newMemtable: () => Memtable;
  isDropped = false;

  constructor(
    state: TreeState,
    record: KeyspaceRecord,
    settings: ResolvedKeyspaceSettings,
    version: KeyspaceVersion,
    tables: TableCache,
    rows: RowCache,
    newMemtable: () => Memtable,
  ) {
    this.#state = state;
    this.record = record;
    this.settings = settings;
    this.tables = tables;
    this.#rows = rows;
    this.#newMemtable = newMemtable;
    const versionId = ++state.versions;
    this.#view = { memtable: undefined, immutables: [], version, versionId, fences: fencesOf(version, []) };
  }

  get id(): number {
    return this.record.id;
  }

  get name(): string {
    return this.record.name;
  }

  get view(): ReadView {
    return this.#view;
  }

  /** The memtable that takes the next write, made on first use. */
  writable(): Memtable {
    let memtable = this.#view.memtable;
    if (memtable === undefined) {
      memtable = this.#newMemtable();
      this.#replace({ ...this.#view, memtable });
    }
    return memtable;
  }

  /** The memtable becomes the newest immutable; false when it holds nothing. */
  rotate(): boolean {
    const memtable = this.#view.memtable;
    if (memtable === undefined || memtable.entries === 0) return false;
    this.#rotatedAt = [this.#state.visible, ...this.#rotatedAt];
    this.#replace({ ...this.#view, memtable: undefined, immutables: [memtable, ...this.#view.immutables] });
    return true;
  }

  /** Memtables for a flush to take: every immutable, oldest first, and the sequence they reach. */
  takeForFlush(): { memtables: Memtable[]; through: number } {
    const memtables = [...this.#view.immutables].reverse();
    this.flushing = memtables.length;
    return { memtables, through: this.#rotatedAt[0]! };
  }

  /** A flush of the `count` oldest immutables is in the manifest: they leave the view and their memory is given back. */
  installFlush(count: number, version: KeyspaceVersion): void {
    const keep = this.#view.immutables.length - count;
    const gone = this.#view.immutables.slice(keep);
    this.#rotatedAt = this.#rotatedAt.slice(0, keep);
    this.flushing = 0;
    this.#replace({
      memtable: this.#view.memtable,
      immutables: this.#view.immutables.slice(0, keep),
      version,
      versionId: this.#idOf(version),
      fences: fencesOf(version, this.#view.fences),
    });
    for (const memtable of gone) this.#release(memtable);
  }

  installVersion(version: KeyspaceVersion): void {
    if (version !== this.#view.version) {
      const versionId = this.#idOf(version);
      this.#replace({ ...this.#view, version, versionId, fences: fencesOf(version, this.#view.fences) });
    }
  }

  /** Gives back all memory but what a running flush reads; the tree takes no part in anything any more. */
  drop(): void {
    this.isDropped = true;
    const { memtable, immutables } = this.#view;
    this.#replace({ ...this.#view, memtable: undefined, immutables: [] });
    memtable?.release();
    const free = immutables.length - this.flushing;
    for (const each of immutables.slice(0, free)) this.#release(each);
    this.#held = immutables.slice(free);
  }

  /** The running flush has ended and is not installed: it failed, or the tree was dropped meanwhile. */
  flushEnded(): void {
    this.flushing = 0;
    for (const memtable of this.#held) this.#release(memtable);
    this.#held = [];
  }

  /** Keeps the memory of the view's immutables until the function that is returned is called, once. */
  pin(): () => void {
    this.#pins++;
    return () => {
      if (--this.#pins === 0) for (const memtable of this.#pinned.splice(0)) memtable.release();
    };
  }

  #release(memtable: Memtable): void {
    if (this.#pins > 0) this.#pinned.push(memtable);
    else memtable.release();
  }

  /** Bytes of memtable memory, active and immutable. */
  get memtableBytes(): number {
    let bytes = this.activeBytes;
    for (const memtable of this.#view.immutables) bytes += memtable.bytes;
    return bytes;
  }

  get activeBytes(): number {
    return this.#view.memtable?.bytes ?? 0;
  }

  /**
   * Sequence of the oldest write that is only in memtables, not counting the `flushed` oldest immutables; undefined when
   * there is none.
   */
  oldestUnflushed(flushed = 0): number | undefined {
    const oldest = this.#view.immutables.at(-1 - flushed) ?? this.#view.memtable;
    return oldest === undefined || oldest.entries === 0 ? undefined : oldest.firstSequence;
  }

  /** The read path's first hop: true when `key` has a value at `sequence`; it is lent through `out`. */
  get(key: Uint8Array, start: number, end: number, sequence: number, out: PointResult): boolean {
    const seesAll = sequence === this.#state.visible;
    return pointGet(this.#view, this.tables, this.#rows, key, start, end, sequence, seesAll, out);
  }

  /** The same for all keys of the batch in `many`, which has the values then. */
  getMany(many: ManyGets, sequence: number, ownResults: boolean): void {
    const seesAll = sequence === this.#state.visible;
    many.run(this.#view, this.tables, this.#rows, sequence, seesAll, ownResults);
  }

  #idOf(version: KeyspaceVersion): number {
    return version === this.#view.version ? this.#view.versionId : ++this.#state.versions;
  }

  #replace(view: ReadView): void {
    this.#view = view;
    this.idleSources.clear();
    this.#state.generation++;
  }
}
