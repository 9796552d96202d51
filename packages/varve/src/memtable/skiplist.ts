/**
 * The memtable as a skiplist over the shared pool: adding, and the point read.
 *
 * Write path: the commit pipeline reserves, appends to the log, then calls `add` for every operation. Read path: `get`
 * searches from the top level down. Ascending keys cost no search: behind the last insert is tried first.
 * Layout and invariants: memtable/node.ts; search: search.ts; linking: link.ts; range tombstones: range-deletes.ts.
 *
 * Invariants: (1) the bytes of an entry are complete before anything points to it, (2) the same key and sequence again
 * gets a new value record and one store of its VALUE, (3) nothing is freed one by one.
 * One writer; readers on its thread at any time. An attached list (`attach`) is another thread's view of a list that is
 * written no more.
 */
import { Arena } from '../arena/arena.ts';
import { SegmentPool } from '../arena/segment-pool.ts';
import type { SegmentPoolHandle } from '../arena/segment-pool.ts';
import { assert } from '../base/assert.ts';
import { compareRanges } from '../base/bytes.ts';
import type { EntryIterator, PointResult } from '../base/entry.ts';
import { KIND_DELETE, KIND_RANGE_DELETE } from '../base/kinds.ts';
import type { FragmentedTombstones } from '../base/range-tombstones.ts';
import { BatchEntries } from './batch-entries.ts';
import { HEAD_BYTES, linkEntry, linkTower, makeHeads } from './link.ts';
import {
  KIND_MAX,
  lendEntry,
  RECORD_OVERHEAD_MAX,
  replaceValue,
  sequenceOf,
  VALUE,
  writeEntry,
} from './entry-record.ts';
import { BACK, HEIGHT_MAX, OWN_WORDS } from './node.ts';
import type { ListRoot } from './node.ts';
import { RangeDeletes } from './range-deletes.ts';
import { isNextTo, Place, search } from './search.ts';
import { SkipListIterator } from './skiplist-iterator.ts';

/** A list that is written no more, as plain data for another thread. */
export interface SkipListHandle {
  readonly type: 'skiplist';
  readonly pool: SegmentPoolHandle;
  readonly head: number;
  readonly tower: number;
  readonly height: number;
  readonly newestRangeDelete: number;
  readonly entries: number;
  readonly bytes: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
}

const ENTRY_OVERHEAD_MAX = RECORD_OVERHEAD_MAX + 4 * OWN_WORDS;

export class SkipList {
  readonly #pool: SegmentPool;
  /** Undefined in an attached list. */
  readonly #arena: Arena | undefined;
  /** Memory of the towers, for them to lie close together. */
  readonly #towers: Arena | undefined;
  readonly #rangeDeletes: RangeDeletes;
  /** Entries of the batch that is being added, for its own range deletes. */
  readonly #batch = new BatchEntries();
  /** Where the last insert went. */
  readonly #place = new Place();
  /** Where the last point read went. */
  readonly #scratch = new Place();
  /** Its head is 0 until the first write: an empty list holds no memory. */
  readonly #root: ListRoot = { head: 0, tower: 0, height: 1 };
  #random = 0x2545f491;
  #entries = 0;
  #batchSequence = 0;
  #firstSequence = 0;
  #lastSequence = 0;
  readonly #attachedBytes: number;

  constructor(pool: SegmentPool, attached?: SkipListHandle) {
    this.#pool = pool;
    this.#arena = attached === undefined ? new Arena(pool) : undefined;
    this.#towers = attached === undefined ? new Arena(pool) : undefined;
    this.#rangeDeletes = new RangeDeletes(pool, attached?.newestRangeDelete ?? 0);
    this.#attachedBytes = attached?.bytes ?? 0;
    if (attached === undefined) return;
    this.#root.head = attached.head;
    this.#root.tower = attached.tower;
    this.#root.height = attached.height;
    this.#entries = attached.entries;
    this.#firstSequence = attached.firstSequence;
    this.#lastSequence = attached.lastSequence;
  }

  /** Another thread's list, in place. */
  static attach(handle: SkipListHandle): SkipList {
    return new SkipList(SegmentPool.attach(handle.pool), handle);
  }

  get entries(): number {
    return this.#entries;
  }

  get bytes(): number {
    return this.#arena === undefined ? this.#attachedBytes : this.#arena.bytes + this.#towers!.bytes;
  }

  get firstSequence(): number {
    return this.#firstSequence;
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  reserve(bytes: number, ops: number): boolean {
    return this.#writable().reserve(bytes + ops * ENTRY_OVERHEAD_MAX + HEAD_BYTES);
  }

  add(
    sequence: number,
    kind: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const arena = this.#writable();
    assert(kind <= KIND_MAX, 'a memtable has 3 bits for the kind');
    const pool = this.#pool;
    const root = this.#root;
    if (root.head === 0) makeHeads(pool, arena, root, this.#place);
    if (sequence !== this.#batchSequence) this.#startBatch(sequence);
    if (kind === KIND_RANGE_DELETE) {
      if (compareRanges(key, keyStart, keyEnd, value, valueStart, valueEnd) >= 0) return;
      this.#rangeDeletes.add(arena, sequence, key, keyStart, keyEnd, value, valueStart, valueEnd);
      this.#entries++;
      const deleted = pool.words[root.head + VALUE]! | KIND_DELETE;
      this.#batch.replaceValues(pool, key, keyStart, keyEnd, value, valueStart, valueEnd, deleted);
      return;
    }
    const { words } = pool;
    const place = this.#place;
    const isAtHand = isNextTo(pool, root, key, keyStart, keyEnd, sequence, place);
    if (!isAtHand) search(pool, root, key, keyStart, keyEnd, sequence, place);
    if (place.isSameKey && sequenceOf(words, place.after) === sequence) {
      replaceValue(arena, place.after, kind, value, valueStart, valueEnd);
      return;
    }

    const entry = writeEntry(
      arena,
      OWN_WORDS,
      sequence,
      kind,
      key,
      keyStart,
      keyEnd,
      value,
      valueStart,
      valueEnd,
    );
    words[entry + BACK] = place.before;
    linkEntry(pool, root, place, entry);
    const levels = this.#randomLevels();
    if (levels > 1) linkTower(pool, this.#towers!, root, place, entry, levels, isAtHand);
    this.#batch.add(entry);
    this.#entries++;
  }

  get(key: Uint8Array, keyStart: number, keyEnd: number, sequence: number, out: PointResult): boolean {
    const pool = this.#pool;
    if (this.#root.head === 0) return false;
    const place = this.#scratch;
    search(pool, this.#root, key, keyStart, keyEnd, sequence, place);
    if (!place.isSameKey) return false;
    lendEntry(pool, place.after, out);
    return true;
  }

  iterator(): EntryIterator {
    return new SkipListIterator(this.#pool, this.#root);
  }

  rangeTombstones(): FragmentedTombstones | undefined {
    return this.#rangeDeletes.fragments();
  }

  handle(): SkipListHandle {
    return {
      type: 'skiplist',
      pool: this.#pool.handle(),
      head: this.#root.head,
      tower: this.#root.tower,
      height: this.#root.height,
      newestRangeDelete: this.#rangeDeletes.newest,
      entries: this.#entries,
      bytes: this.bytes,
      firstSequence: this.#firstSequence,
      lastSequence: this.#lastSequence,
    };
  }

  release(): void {
    this.#writable().release();
    this.#towers!.release();
    this.#rangeDeletes.clear();
    this.#batch.clear();
    this.#root.head = 0;
    this.#root.height = 1;
    this.#entries = 0;
  }

  #writable(): Arena {
    const arena = this.#arena;
    assert(arena !== undefined, 'an attached memtable is read only');
    return arena;
  }

  #startBatch(sequence: number): void {
    if (this.#entries === 0 || sequence < this.#firstSequence) this.#firstSequence = sequence;
    if (sequence > this.#lastSequence) this.#lastSequence = sequence;
    this.#batchSequence = sequence;
    this.#batch.clear();
  }

  /** 1 with probability 1/2, one more with 1/2 each. */
  #randomLevels(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return Math.min(HEIGHT_MAX, 1 + Math.clz32(x));
  }
}
