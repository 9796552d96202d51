/**
 * One keyspace inside the engine: its LSM tree. Holds the current read view and the facts that flush and log release ask.
 *
 * Rotation turns the memtable into the newest immutable; a flush removes the oldest immutables and adds tables in one
 * replacement of the view. Owner's thread only; every method here runs to its end without letting anything else in.
 */
import type { Run } from '../arena/segment-pool.ts';
import type { PointResult } from '../base/entry.ts';
import { KIND_PUT, KIND_PUT_EXPIRY } from '../base/kinds.ts';
import type { RowCache } from '../cache/row-cache.ts';
import type { KeyspaceRecord } from '../manifest/version-edit.ts';
import { emptyKeyspace, holdsExpiring, type KeyspaceVersion } from '../manifest/version.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import { DeadRanges } from '../iterator/dead-ranges.ts';
import type { Memtable } from '../memtable/memtable.ts';
import type { ResolvedKeyspaceSettings } from '../options/resolve.ts';
import type { TableCache } from '../sstable/table-cache.ts';
import { answersFrom, FollowedViews } from './followed-views.ts';
import type { RegisteredReaders } from './held-readers.ts';
import { pointGet, takeUnexpired } from './get.ts';
import type { ManyGets } from './get-many.ts';
import { TreeCode } from './merging/tree-code.ts';
import type { ReadPoint } from './read-point.ts';
import { fencesOf, type ReadView, viewOf } from './read-view.ts';
import { IdleSources } from './scan.ts';
import type { SharedViews } from './sharing/shared-views.ts';

/** The words of the open database that a tree reads and raises (state.ts). */
interface TreeState {
  readonly visible: number;
  readonly hasExpiring: boolean;
  readonly time: { now(): number };
  generation: number;
  versions: number;
  readonly leaving: Set<Tree>;
  exclusive<T>(step: () => T): T;
}

export class Tree {
  readonly record: KeyspaceRecord;
  readonly tables: TableCache;
  /** Its merge operator and filter, in this thread. */
  readonly code: TreeCode = new TreeCode();
  readonly #rows: RowCache;
  #settings: ResolvedKeyspaceSettings;
  /** Bytes at which the memtable is rotated: `memtableBytes`, unless nobody gave it; then it follows the write rate. */
  flushBytes: number;
  /** Bytes of the memtables that were rotated since the open. */
  #rotatedBytes = 0;
  /** How many of the oldest immutables a running flush has taken. */
  flushing = 0;
  /** Of the batch that the commit pipeline is reserving room for; zero in between. */
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
  /** Where cursors have found nothing; told of every put. Undefined once other threads put as well. */
  dead: DeadRanges | undefined;
  /** For cursors over the whole keyspace. */
  readonly idleSources: IdleSources = new IdleSources();
  readonly #state: TreeState;
  readonly #newMemtable: () => Memtable;
  /** Undefined: no other thread has the memtables. */
  #shared: SharedViews | undefined;
  #ownersTtl: (() => number | undefined) | undefined;
  /** Of a tree that follows another process's: views for readers below `#floor` or before `#since`, which the current one starts at. */
  #followed: FollowedViews | undefined;
  #floor = 0;
  #since = 0;
  isDropped = false;
  /** Somebody has named the keyspace since the open, so its settings are known; until then `settings` are mere defaults. */
  isNamed = false;

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
    this.dead = new DeadRanges(() => state.visible);
    this.record = record;
    this.#settings = settings;
    this.flushBytes = settings.memtableBytes;
    this.tables = tables;
    this.#rows = rows;
    this.#newMemtable = newMemtable;
    const versionId = ++state.versions;
    this.#view = viewOf(version, versionId);
  }

  get id(): number {
    return this.record.id;
  }

  get name(): string {
    return this.record.name;
  }

  get settings(): ResolvedKeyspaceSettings {
    return this.#settings;
  }

  set settings(settings: ResolvedKeyspaceSettings) {
    this.isNamed = true;
    this.#settings = settings;
    this.flushBytes = settings.memtableBytes;
  }

  /** How long puts without a time to live of their own live; undefined: for good. */
  get ttlMs(): number | undefined {
    return this.#ownersTtl === undefined ? this.#settings.ttlMs : this.#ownersTtl();
  }

  get view(): ReadView {
    return this.#view;
  }

  /** The memtable that takes the next write, made on first use. */
  writable(): Memtable {
    let memtable = this.#view.memtable;
    if (memtable === undefined) {
      memtable = this.#shared === undefined ? this.#newMemtable() : this.#shared.begin(this.id);
      this.#replace({ ...this.#view, memtable });
    }
    return memtable;
  }

  /**
   * From now on the memtables are in `views`, where other threads find them. What is there is rotated: it may be of a
   * structure that only one thread writes. With the write lock.
   */
  share(views: SharedViews): void {
    this.dead = undefined;
    if (!this.rotate() && this.#view.memtable !== undefined) {
      this.#view.memtable.release();
      this.#replace({ ...this.#view, memtable: undefined });
    }
    this.#shared = views;
    views.publish(this.id, this.#view.immutables, this.#rotatedAt);
  }

  /** The tree of an attached thread: its memtables are those in `views`, and the owner says how long its entries live. */
  join(views: SharedViews, ttl: () => number | undefined): void {
    this.#shared = views;
    this.#ownersTtl = ttl;
    this.dead = undefined;
  }

  /** The keyspace was dropped by the owner: this thread's tree shows nothing any more. */
  leave(): void {
    this.isDropped = true;
    this.#replace({ ...this.#view, memtable: undefined, immutables: [] });
  }

  /** The memtables and tables are these now. */
  show(memtable: Memtable | undefined, immutables: readonly Memtable[], version: KeyspaceVersion): void {
    const versionId = this.#idOf(version);
    if (version !== this.#view.version) this.code.forget();
    const fences = version === this.#view.version ? this.#view.fences : fencesOf(version, this.#view.fences);
    this.#replace({ memtable, immutables, version, versionId, fences });
  }

  /** The memtable becomes the newest immutable; false when it holds nothing. */
  rotate(): boolean {
    return this.#state.exclusive(() => this.#rotate());
  }

  #rotate(): boolean {
    const memtable = this.#view.memtable;
    if (memtable === undefined || memtable.entries === 0) return false;
    this.#rotatedAt = [this.#state.visible, ...this.#rotatedAt];
    this.#shared?.rotate(this.id, memtable, this.#rotatedAt[0]!);
    this.#rotatedBytes += memtable.bytes;
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
    this.#state.exclusive(() => this.#installFlush(count, version));
  }

  #installFlush(count: number, version: KeyspaceVersion): void {
    const keep = this.#view.immutables.length - count;
    const gone = this.#view.immutables.slice(keep);
    this.#rotatedAt = this.#rotatedAt.slice(0, keep);
    this.flushing = 0;
    this.#shared?.cut(this.id, this.#view.immutables[keep - 1]);
    this.show(this.#view.memtable, this.#view.immutables.slice(0, keep), version);
    this.#release(gone);
  }

  installVersion(version: KeyspaceVersion): void {
    const { memtable, immutables } = this.#view;
    if (version !== this.#view.version) this.show(memtable, immutables, version);
  }

  /**
   * The writer in another process has flushed through `flushed`, and what it wrote up to there is not applied any more: what
   * comes behind the gap goes into a memtable of its own. One that lacks writes in its middle would hide those in tables.
   */
  setAside(flushed: number): void {
    const { memtable, immutables } = this.#view;
    if (memtable === undefined || memtable.entries === 0 || memtable.firstSequence > flushed) return;
    this.#replace({ ...this.#view, memtable: undefined, immutables: [memtable, ...immutables] });
  }

  /**
   * The tree of the writer in another process has this version now, and `from` has the memtables that belong to it (this tree
   * itself when they only grew). Memtables that are wholly in tables go; what is in part was set aside, so that it does not
   * grow any more and goes as a whole later. `storedTime`: that writer's clock; what had expired by then may be gone.
   */
  follow(
    version: KeyspaceVersion,
    from: Tree,
    storedTime: number,
    readers: readonly RegisteredReaders[],
  ): void {
    this.dead?.clear();
    const before = { view: this.#view, since: this.#since };
    const { memtable: active, immutables } = from.view;
    const flushed = version.flushedSequence;
    const isLeft = (memtable: Memtable): boolean => memtable.entries > 0 && memtable.lastSequence > flushed;
    const left = [...(active === undefined ? [] : [active]), ...immutables].filter(isLeft);
    const takesMore =
      left[0] !== undefined && left[0] === active && active.bytes < this.settings.memtableBytes;
    this.show(takesMore ? active : undefined, takesMore ? left.slice(1) : left, version);
    this.#followed ??= new FollowedViews();
    this.#floor = answersFrom(version);
    if (this.#state.hasExpiring || holdsExpiring(before.view.version)) this.#since = storedTime;
    const after = { view: this.#view, since: this.#since };
    for (const memtable of this.#followed.replace(before, after, readers)) memtable.release();
  }

  /** The stored clock. */
  now(): number {
    return this.#state.time.now();
  }

  /** What a registered reader looks at: the current view, or one that was kept for it. */
  viewAt(sequence: number, time: number = this.now()): ReadView {
    if (sequence >= this.#floor && time >= this.#since) return this.#view;
    // Without one it was not there yet.
    const none = emptyKeyspace(this.record);
    return this.#followed?.find(sequence, time) ?? viewOf(none, ++this.#state.versions);
  }

  /** Tables that readers of the current view or of kept ones may open. */
  filesInUse(): FileMeta[] {
    return [...this.#view.version.levels.flat(), ...(this.#followed?.files() ?? [])];
  }

  /** The same for blob files, by number. */
  blobsInUse(): number[] {
    return [...this.#view.version.blobs.keys(), ...(this.#followed?.blobs() ?? [])];
  }

  /** Gives back all memory but what a running flush reads; the tree takes no part in anything any more. */
  drop(): void {
    this.#state.exclusive(() => this.#drop());
  }

  #drop(): void {
    this.isDropped = true;
    const kept = new Set(this.#followed?.clear());
    const { memtable, immutables } = this.#view;
    this.#shared?.drop(this.id);
    this.#replace({ ...this.#view, memtable: undefined, immutables: [] });
    const free = immutables.length - this.flushing;
    this.#release([...(memtable === undefined ? [] : [memtable]), ...immutables.slice(0, free)]);
    this.#held = immutables.slice(free);
    if (this.#held.length > 0 || this.#pins > 0) this.#state.leaving.add(this);
    if (memtable !== undefined) kept.delete(memtable);
    for (const each of immutables) kept.delete(each);
    for (const each of kept) each.release();
  }

  /** The running flush has ended and is not installed: it failed, or the tree was dropped meanwhile. */
  flushEnded(): void {
    this.flushing = 0;
    this.#release(this.#held);
    this.#held = [];
    this.#left();
  }

  /** Keeps the memory of the view's immutables until the function that is returned is called, once. */
  pin(): () => void {
    this.#pins++;
    return () => {
      if (--this.#pins > 0) return;
      this.#release(this.#pinned.splice(0));
      this.#left();
    };
  }

  /** Of a dropped tree: nothing reads its memtables any more. */
  #left(): void {
    if (this.#held.length === 0 && this.#pins === 0) this.#state.leaving.delete(this);
  }

  /** Gives memtables back that no view names any more, once nobody reads them. */
  #release(memtables: readonly Memtable[]): void {
    if (this.#pins > 0) this.#pinned.push(...memtables);
    else if (this.#shared === undefined) for (const memtable of memtables) memtable.release();
    else this.#shared.release(memtables);
  }

  /** What of the pool its memtables hold. */
  runs(): Run[] {
    const { memtable, immutables } = this.#view;
    const active = memtable === undefined ? [] : [memtable];
    const held = [...active, ...immutables, ...this.#held, ...this.#pinned];
    return held.flatMap((each) => [...each.runs()]);
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

  /** Memtable memory that writes have taken since the open. */
  get writtenBytes(): number {
    return this.#rotatedBytes + this.activeBytes;
  }

  /**
   * Sequence of the oldest write that is only in memtables, not counting the `flushed` oldest immutables; undefined when
   * there is none.
   */
  oldestUnflushed(flushed = 0): number | undefined {
    const oldest = this.#view.immutables.at(-1 - flushed) ?? this.#view.memtable;
    return oldest === undefined || oldest.entries === 0 ? undefined : oldest.firstSequence;
  }

  /**
   * The read path's first hop: true when `key` has a value at `sequence`; it is lent through `out`, as its kind says the
   * value, a reference to it, or the newest operands of a merge. `time` is that of a reader who is registered, by the stored clock; without one it is now.
   */
  get(
    key: Uint8Array,
    start: number,
    end: number,
    sequence: number,
    out: PointResult,
    time?: number,
  ): boolean {
    const seesAll = sequence === this.#state.visible;
    const isKept =
      time === undefined ? !seesAll && sequence < this.#floor : sequence < this.#floor || time < this.#since;
    const view = isKept ? this.viewAt(sequence, time) : this.#view;
    const all = seesAll && !isKept;
    const isFound = pointGet(view, this.tables, this.#rows, key, start, end, sequence, all, out);
    // The clock is asked here and nowhere before, but where a view was kept.
    if (!isFound || out.kind === KIND_PUT) return isFound;
    return out.kind !== KIND_PUT_EXPIRY || takeUnexpired(out, time ?? this.now());
  }

  /** The same for all keys of the batch in `many`, which has the values then. */
  getMany(many: ManyGets, { sequence, time }: ReadPoint, ownResults: boolean): void {
    const seesAll = sequence === this.#state.visible;
    many.run(this.viewAt(sequence, time), this.tables, this.#rows, sequence, time, seesAll, ownResults);
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
