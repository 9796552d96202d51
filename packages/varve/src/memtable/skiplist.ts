/**
 * The memtable as a skiplist over the shared pool: adding, and the point read.
 *
 * Write path: the commit pipeline reserves, appends to the log, then calls `add` for every operation. Read path: `get`
 * searches from the top level down. Ascending keys cost no search: behind the last insert is tried first.
 * Layout and invariants: memtable/node.ts; search: search.ts; linking: link.ts; range tombstones: range-deletes.ts.
 *
 * All state lies in the pool, in the descriptor and behind it: any number of objects on any threads are attached to one list.
 * What an object keeps of its own (the place of its last insert, the entries of its batch, built tombstones) is checked
 * against the words before use. One writer at a time, who has the write lock; readers beside it without any.
 * Invariants: (1) the bytes of an entry are complete before anything points to it, (2) the same key and sequence again
 * gets a new value record and one store of its VALUE, (3) nothing is freed one by one, (4) the list is whole after every
 * single store, and adding a batch again whose writer died completes it.
 */
import type { Run, SegmentPool } from '../arena/segment-pool.ts';
import { RUN_HEADER_BYTES, SharedArena } from '../arena/shared-arena.ts';
import { assert } from '../base/assert.ts';
import { compareRanges } from '../base/bytes.ts';
import type { EntryIterator, PointResult } from '../base/entry.ts';
import { busy } from '../base/errors.ts';
import { KIND_DELETE, KIND_RANGE_DELETE } from '../base/kinds.ts';
import type { FragmentedTombstones } from '../base/range-tombstones.ts';
import { BatchEntries } from './batch-entries.ts';
import {
  ENTRIES,
  FIRST_SEQUENCE,
  LAST_SEQUENCE,
  loadSequence,
  NEWEST_RANGE_DELETE,
  storeSequence,
} from './descriptor.ts';
import {
  KEY,
  KEY_LENGTH,
  KIND_MAX,
  lendEntry,
  RECORD_OVERHEAD_MAX,
  replaceValue,
  sequenceOf,
  VALUE,
  writeEntry,
} from './entry-record.ts';
import { addToFilter, clearFilter, FILTER_BYTES, mayHold } from './key-filter.ts';
import { linkEntry, linkTower, repairCopy } from './link.ts';
import type { MemtableHandle } from './memtable-handle.ts';
import {
  BACK,
  DESCRIPTOR_BYTES,
  ENTRY_ARENA,
  FILTER,
  HEAD,
  HEIGHT_MAX,
  initDescriptor,
  NEXT,
  OWN_WORDS,
  RANDOM,
  TOWER_ARENA,
} from './node.ts';
import { RangeDeletes, writeRangeDelete } from './range-deletes.ts';
import { isNextTo, Place, search } from './search.ts';
import { SkipListIterator } from './skiplist-iterator.ts';

const ENTRY_OVERHEAD_MAX = RECORD_OVERHEAD_MAX + 4 * OWN_WORDS;

/** Entry memory from which on a list has a filter of its keys: a smaller one is searched as fast. */
const FILTERED_BYTES = 2 * 1024 * 1024;

export class SkipList {
  readonly #pool: SegmentPool;
  readonly #arena: SharedArena;
  /** Memory of the towers, for them to lie close together. */
  readonly #towers: SharedArena;
  readonly #rangeDeletes: RangeDeletes;
  /** Entries of the batch that is being added, for its own range deletes. */
  readonly #batch = new BatchEntries();
  /** Where the last insert went. */
  readonly #place = new Place();
  /** Where the last point read went. */
  readonly #scratch = new Place();
  /** 0 until the first write: an empty list holds no memory. */
  #descriptor = 0;
  #batchSequence = 0;
  /** The batch was begun before, maybe by a writer that died: entries of its sequence may be there. */
  #isAgain = false;
  /** ENTRIES after this object's last insert: while it stays so, nobody inserted since, and `#place` is right. */
  #seen = -1;

  /** An empty list, which takes no memory until it is written. */
  constructor(pool: SegmentPool) {
    this.#pool = pool;
    this.#arena = new SharedArena(pool);
    this.#towers = new SharedArena(pool);
    this.#rangeDeletes = new RangeDeletes(pool);
  }

  /** An empty list that has its descriptor; undefined when the pool is exhausted. */
  static create(pool: SegmentPool): SkipList | undefined {
    const list = new SkipList(pool);
    return list.#create(0) ? list : undefined;
  }

  /** The list of a descriptor, in place. */
  static attach(pool: SegmentPool, descriptor: number): SkipList {
    const list = new SkipList(pool);
    list.#descriptor = descriptor;
    list.#arena.attach(descriptor + ENTRY_ARENA);
    list.#towers.attach(descriptor + TOWER_ARENA);
    return list;
  }

  get descriptor(): number {
    return this.#descriptor;
  }

  get entries(): number {
    return this.#descriptor === 0 ? 0 : this.#pool.words[this.#descriptor + ENTRIES]!;
  }

  get bytes(): number {
    return this.#descriptor === 0 ? 0 : this.#arena.bytes + this.#towers.bytes;
  }

  get firstSequence(): number {
    return this.#descriptor === 0 ? 0 : loadSequence(this.#pool, this.#descriptor + FIRST_SEQUENCE);
  }

  get lastSequence(): number {
    return this.#descriptor === 0 ? 0 : loadSequence(this.#pool, this.#descriptor + LAST_SEQUENCE);
  }

  reserve(bytes: number, ops: number): boolean {
    const wanted = bytes + ops * ENTRY_OVERHEAD_MAX;
    return this.#descriptor === 0 ? this.#create(wanted) : this.#arena.reserve(wanted);
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
    assert(kind <= KIND_MAX, 'a memtable has 3 bits for the kind');
    if (sequence !== this.#batchSequence) this.#startBatch(sequence);
    if (kind === KIND_RANGE_DELETE) {
      this.#addRange(sequence, key, keyStart, keyEnd, value, valueStart, valueEnd);
      return;
    }
    const pool = this.#pool;
    const { words } = pool;
    const arena = this.#arena;
    const list = this.#descriptor;
    const place = this.#place;
    const entries = words[list + ENTRIES]!;
    const isAtHand = entries === this.#seen && isNextTo(pool, list, key, keyStart, keyEnd, sequence, place);
    if (!isAtHand) {
      do search(pool, list, key, keyStart, keyEnd, sequence, place);
      while (repairCopy(words, place));
    }
    if (place.isSameKey && sequenceOf(words, place.after) === sequence) {
      replaceValue(arena, place.after, kind, value, valueStart, valueEnd);
      if (this.#isAgain) this.#batch.add(place.after);
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
    words[list + ENTRIES] = entries + 1;
    const filter = words[list + FILTER]!;
    if (filter !== 0) addToFilter(words, filter, key, keyStart, keyEnd);
    else if ((entries & 1023) === 1023 && arena.bytes >= FILTERED_BYTES)
      this.#makeFilter(key, keyStart, keyEnd);
    linkEntry(pool, list, place, entry);
    const levels = this.#randomLevels();
    if (levels > 1) linkTower(pool, this.#towers, list, place, entry, levels, isAtHand);
    this.#batch.add(entry);
    this.#seen = entries + 1;
  }

  get(key: Uint8Array, keyStart: number, keyEnd: number, sequence: number, out: PointResult): boolean {
    const list = this.#descriptor;
    if (list === 0) return false;
    const pool = this.#pool;
    const filter = pool.words[list + FILTER]!;
    if (filter !== 0 && !mayHold(pool.words, filter, key, keyStart, keyEnd)) return false;
    const place = this.#scratch;
    search(pool, list, key, keyStart, keyEnd, sequence, place);
    if (!place.isSameKey) return false;
    lendEntry(pool, place.after, out);
    return true;
  }

  iterator(): EntryIterator {
    return new SkipListIterator(this.#pool, this);
  }

  rangeTombstones(): FragmentedTombstones | undefined {
    const list = this.#descriptor;
    if (list === 0) return undefined;
    return this.#rangeDeletes.fragments(this.#pool.words[list + NEWEST_RANGE_DELETE]!);
  }

  coveringSequence(key: Uint8Array, keyStart: number, keyEnd: number, sequence: number): number {
    const list = this.#descriptor;
    const newest = list === 0 ? 0 : this.#pool.words[list + NEWEST_RANGE_DELETE]!;
    return newest === 0 ? 0 : this.#rangeDeletes.coveringSequence(newest, key, keyStart, keyEnd, sequence);
  }

  describe(): number {
    return this.#descriptor;
  }

  handle(): MemtableHandle {
    return { pool: this.#pool.handle(), descriptor: this.#descriptor };
  }

  runs(): Run[] {
    return this.#descriptor === 0 ? [] : [...this.#arena.runs(), ...this.#towers.runs()];
  }

  release(): void {
    for (const run of this.runs()) this.#pool.free(run.start, run.bytes);
    this.#descriptor = 0;
    this.#rangeDeletes.clear();
    this.#batch.clear();
    this.#batchSequence = 0;
    this.#seen = -1;
  }

  /** Gives the list its descriptor, with room for `bytes` behind it; false when the pool has no such run. */
  #create(bytes: number): boolean {
    const pool = this.#pool;
    const size = pool.runBytes(RUN_HEADER_BYTES + DESCRIPTOR_BYTES + bytes);
    const start = pool.allocate(size);
    if (start < 0) return false;
    const descriptor = (start + RUN_HEADER_BYTES) >>> 2;
    initDescriptor(pool.words, descriptor);
    this.#towers.create(descriptor + TOWER_ARENA);
    this.#arena.create(descriptor + ENTRY_ARENA);
    this.#arena.adopt(start, size, DESCRIPTOR_BYTES);
    this.#descriptor = descriptor;
    return true;
  }

  #startBatch(sequence: number): void {
    if (this.#descriptor === 0 && !this.#create(0)) {
      throw busy('MEMTABLE_MEMORY', 'no memory is left for another memtable', { used: this.#pool.bytesUsed });
    }
    const pool = this.#pool;
    const list = this.#descriptor;
    const first = loadSequence(pool, list + FIRST_SEQUENCE);
    const last = loadSequence(pool, list + LAST_SEQUENCE);
    this.#isAgain = sequence <= last;
    // Before anything of that sequence is linked.
    if (first === 0 || sequence < first) storeSequence(pool, list + FIRST_SEQUENCE, sequence);
    if (sequence > last) storeSequence(pool, list + LAST_SEQUENCE, sequence);
    this.#batch.clear();
    this.#batchSequence = sequence;
  }

  #addRange(
    sequence: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    if (compareRanges(key, keyStart, keyEnd, value, valueStart, valueEnd) >= 0) return;
    const pool = this.#pool;
    const { words } = pool;
    const list = this.#descriptor;
    const record = writeRangeDelete(
      this.#arena,
      words[list + NEWEST_RANGE_DELETE]!,
      sequence,
      key,
      keyStart,
      keyEnd,
      value,
      valueStart,
      valueEnd,
    );
    const entries = words[list + ENTRIES]!;
    words[list + ENTRIES] = entries + 1;
    if (this.#seen === entries) this.#seen = entries + 1;
    Atomics.store(words, list + NEWEST_RANGE_DELETE, record);
    const deleted = words[list + HEAD + VALUE]! | KIND_DELETE;
    this.#batch.replaceValues(pool, key, keyStart, keyEnd, value, valueStart, valueEnd, deleted);
  }

  /** The list has become large: a filter of all its keys and the one that is being added; none when there is no room for it. */
  #makeFilter(key: Uint8Array, keyStart: number, keyEnd: number): void {
    const towers = this.#towers;
    if (!towers.reserve(FILTER_BYTES)) return;
    const { words, bytes } = this.#pool;
    const list = this.#descriptor;
    const filter = clearFilter(words, towers.allocate(FILTER_BYTES));
    for (let at = words[list + HEAD + NEXT]!; at !== 0; at = words[at + NEXT]!) {
      const start = (at + KEY) * 4;
      addToFilter(words, filter, bytes, start, start + words[at + KEY_LENGTH]!);
    }
    addToFilter(words, filter, key, keyStart, keyEnd);
    Atomics.store(words, list + FILTER, filter);
  }

  /** 1 with probability 1/2, one more with 1/2 each. */
  #randomLevels(): number {
    const { words } = this.#pool;
    const at = this.#descriptor + RANDOM;
    let x = words[at]!;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[at] = x;
    return Math.min(HEIGHT_MAX, 1 + Math.clz32(x));
  }
}
