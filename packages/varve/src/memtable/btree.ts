/**
 * The memtable as a B+tree over the shared pool: adding, and the point read. For databases that one thread has to itself.
 *
 * Write path: the commit pipeline reserves, appends to the log, then calls `add` for every operation. Read path: `get` goes
 * down to a leaf, and to an entry only when the leaf has the head of its key. Keys that come in order cost no search.
 * Layout and invariants: memtable/entry-record.ts and btree-node.ts; search: btree-search.ts; growth: btree-split.ts; versions of a
 * key: versions.ts; range tombstones: range-deletes.ts.
 *
 * One thread writes and reads; an iterator that stands somewhere stays right when entries are added between its moves. An
 * attached tree (`attach`) is another thread's view of one that is written no more.
 */
import { Arena } from '../arena/arena.ts';
import type { Run, SegmentPool } from '../arena/segment-pool.ts';
import { assert } from '../base/assert.ts';
import { compareRanges } from '../base/bytes.ts';
import type { EntryIterator, PointResult } from '../base/entry.ts';
import { KIND_DELETE, KIND_RANGE_DELETE } from '../base/kinds.ts';
import type { FragmentedTombstones } from '../base/range-tombstones.ts';
import { BatchEntries } from './batch-entries.ts';
import {
  BTREE_DESCRIPTOR_BYTES,
  clearDescriptor,
  readDescriptor,
  writeDescriptor,
} from './btree-descriptor.ts';
import type { BTreeState } from './btree-descriptor.ts';
import {
  KIND_MAX,
  lendEntry,
  RECORD_OVERHEAD_MAX,
  replaceValue,
  sequenceOf,
  writeEntry,
} from './entry-record.ts';
import { NodeMemory } from './node-memory.ts';
import { RangeDeletes, writeRangeDelete } from './range-deletes.ts';
import type { MemtableHandle } from './memtable-handle.ts';
import { BTreeIterator } from './btree-iterator.ts';
import { BOUND, CHANGES, ENTRIES, insertSlot, LEAF_MAX, NEXT, SIZE } from './btree-node.ts';
import type { BTreeRoot } from './btree-node.ts';
import { BTreePlace, compareToEntry, findPlace } from './btree-search.ts';
import { codeOf } from '../base/offset-value.ts';
import { makeRoot, splitLeaf } from './btree-split.ts';
import { nodesForAdds } from './btree-growth.ts';
import { FIRST_WORDS, LATER_WORDS, linkFirst, linkVersion, versionAt } from './versions.ts';

const ENTRY_OVERHEAD_MAX = RECORD_OVERHEAD_MAX + 4 * LATER_WORDS;
/** The descriptor, the empty value that deletes share, and rounding. */
const ROOT_BYTES: number = BTREE_DESCRIPTOR_BYTES + 16;

export class BTree {
  readonly #pool: SegmentPool;
  /** Undefined in an attached tree. */
  readonly #arena: Arena | undefined;
  readonly #nodes: NodeMemory | undefined;
  readonly #rangeDeletes: RangeDeletes;
  /** Entries of the batch that is being added, for its own range deletes. */
  readonly #batch = new BatchEntries();
  readonly #root: BTreeRoot = { node: 0, height: 0, inners: 0, firstLeaf: 0, lastLeaf: 0 };
  #newestRangeDelete = 0;
  /** Room for the descriptor, taken with the first add: describing needs no memory that may be missing. */
  #descriptor = 0;
  /** Value record of deletes by a range of their own batch. */
  #emptyValue = 0;
  readonly #place = new BTreePlace();
  readonly #scratch = new BTreePlace();
  /** Where the last insert went, and whether it went right behind the one before. */
  #leaf = 0;
  #slot = 0;
  #isAscending = false;
  #entries = 0;
  #batchSequence = 0;
  #firstSequence = 0;
  #lastSequence = 0;
  readonly #attachedBytes: number;

  constructor(pool: SegmentPool, attached?: BTreeState) {
    this.#pool = pool;
    this.#arena = attached === undefined ? new Arena(pool) : undefined;
    this.#nodes = this.#arena === undefined ? undefined : new NodeMemory(this.#arena);
    this.#rangeDeletes = new RangeDeletes(pool);
    this.#attachedBytes = attached?.bytes ?? 0;
    if (attached === undefined) return;
    Object.assign(this.#root, attached.root);
    this.#newestRangeDelete = attached.newestRangeDelete;
    this.#entries = attached.entries;
    this.#firstSequence = attached.firstSequence;
    this.#lastSequence = attached.lastSequence;
  }

  /** A described tree, in place. */
  static attach(pool: SegmentPool, descriptor: number): BTree {
    const tree = new BTree(pool, readDescriptor(pool, descriptor));
    tree.#descriptor = descriptor;
    return tree;
  }

  get descriptor(): number {
    return this.#descriptor;
  }

  get entries(): number {
    return this.#entries;
  }

  get bytes(): number {
    return this.#arena === undefined ? this.#attachedBytes : this.#arena.bytes;
  }

  get firstSequence(): number {
    return this.#firstSequence;
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  reserve(bytes: number, ops: number): boolean {
    this.#writable();
    const nodes = this.#nodes!;
    const wanted = nodesForAdds(this.#pool.words, this.#root, nodes.taken, ops);
    return nodes.reserve(wanted, bytes + ops * ENTRY_OVERHEAD_MAX + ROOT_BYTES);
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
    if (sequence !== this.#batchSequence) this.#startBatch(sequence);
    if (kind === KIND_RANGE_DELETE) {
      this.#addRange(arena, sequence, key, keyStart, keyEnd, value, valueStart, valueEnd);
      return;
    }
    const pool = this.#pool;
    const { words } = pool;
    const root = this.#root;
    if (root.node === 0) makeRoot(pool, this.#nodes!, root);
    const place = this.#place;
    if (!this.#isAscending || !this.#isBehindLast(key, keyStart, keyEnd)) {
      findPlace(pool, root, key, keyStart, keyEnd, place);
    }
    let { leaf, slot, code } = place;
    if (place.isSameKey) {
      this.#addVersion(leaf, slot, sequence, kind, key, keyStart, keyEnd, value, valueStart, valueEnd);
      return;
    }

    const entry = writeEntry(
      arena,
      FIRST_WORDS,
      sequence,
      kind,
      key,
      keyStart,
      keyEnd,
      value,
      valueStart,
      valueEnd,
    );
    linkFirst(words, entry);
    const isBehindLast = leaf === this.#leaf && slot === this.#slot + 1;
    if (words[leaf + SIZE] === LEAF_MAX) {
      let cut = LEAF_MAX >>> 1;
      if (isBehindLast && slot === LEAF_MAX) cut = LEAF_MAX;
      else if (leaf === this.#leaf && slot === 0 && this.#slot === 0) cut = 0;
      splitLeaf(pool, this.#nodes!, root, leaf, cut, entry, key, keyStart, keyEnd);
      if (slot > cut || cut === LEAF_MAX) {
        leaf = words[leaf + NEXT]!;
        slot -= cut;
        // The key is the lower bound of its leaf.
        if (slot === 0) code = 0;
      }
    }
    insertSlot(pool, leaf, ENTRIES, slot, entry, code);
    words[leaf + CHANGES]!++;
    this.#isAscending = isBehindLast;
    this.#leaf = leaf;
    this.#slot = slot;
    this.#batch.add(entry);
    this.#entries++;
  }

  get(key: Uint8Array, keyStart: number, keyEnd: number, sequence: number, out: PointResult): boolean {
    const pool = this.#pool;
    const root = this.#root;
    if (root.node === 0) return false;
    const place = this.#scratch;
    findPlace(pool, root, key, keyStart, keyEnd, place);
    if (!place.isSameKey) return false;
    const entry = versionAt(pool.words, pool.words[place.leaf + ENTRIES + place.slot]!, sequence);
    if (entry === 0) return false;
    lendEntry(pool, entry, out);
    return true;
  }

  iterator(isWhole = false): EntryIterator {
    return new BTreeIterator(this.#pool, this.#root, isWhole);
  }

  rangeTombstones(): FragmentedTombstones | undefined {
    return this.#rangeDeletes.fragments(this.#newestRangeDelete);
  }

  coveringSequence(key: Uint8Array, keyStart: number, keyEnd: number, sequence: number): number {
    const newest = this.#newestRangeDelete;
    return newest === 0 ? 0 : this.#rangeDeletes.coveringSequence(newest, key, keyStart, keyEnd, sequence);
  }

  describe(): number {
    if (this.#descriptor !== 0 && this.#arena !== undefined) {
      writeDescriptor(this.#pool, this.#descriptor, {
        root: this.#root,
        newestRangeDelete: this.#newestRangeDelete,
        entries: this.#entries,
        bytes: this.bytes,
        firstSequence: this.#firstSequence,
        lastSequence: this.#lastSequence,
      });
    }
    return this.#descriptor;
  }

  handle(): MemtableHandle {
    return { pool: this.#pool.handle(), descriptor: this.describe() };
  }

  runs(): readonly Run[] {
    return this.#writable().runs();
  }

  release(): void {
    this.#writable().release();
    this.#nodes!.clear();
    this.#rangeDeletes.clear();
    this.#batch.clear();
    Object.assign(this.#root, { node: 0, height: 0, inners: 0, firstLeaf: 0, lastLeaf: 0 });
    this.#newestRangeDelete = 0;
    this.#descriptor = 0;
    this.#batchSequence = 0;
    this.#emptyValue = 0;
    this.#leaf = 0;
    this.#isAscending = false;
    this.#entries = 0;
  }

  #writable(): Arena {
    const arena = this.#arena;
    assert(arena !== undefined, 'an attached memtable is read only');
    return arena;
  }

  #startBatch(sequence: number): void {
    if (this.#descriptor === 0) {
      this.#descriptor = this.#arena!.allocate(BTREE_DESCRIPTOR_BYTES) >>> 2;
      clearDescriptor(this.#pool, this.#descriptor);
    }
    if (this.#entries === 0 || sequence < this.#firstSequence) this.#firstSequence = sequence;
    if (sequence > this.#lastSequence) this.#lastSequence = sequence;
    this.#batchSequence = sequence;
    this.#batch.clear();
  }

  /** Does the key belong right behind the last insert, or there? Then `#place` is made to say what a search would have. */
  #isBehindLast(key: Uint8Array, start: number, end: number): boolean {
    const pool = this.#pool;
    const { words } = pool;
    const leaf = this.#leaf;
    const slot = this.#slot;
    const place = this.#place;
    if (compareToEntry(pool, words[leaf + ENTRIES + slot]!, key, start, end, 0, place) <= 0) return false;
    const code = codeOf(key, start, end, place.shared);
    const above = slot + 1 < words[leaf + SIZE]! ? words[leaf + ENTRIES + slot + 1]! : words[leaf + BOUND]!;
    if (above !== 0 && compareToEntry(pool, above, key, start, end, 0, place) >= 0) return false;
    place.leaf = leaf;
    place.slot = slot + 1;
    place.isSameKey = false;
    place.code = code;
    return true;
  }

  #addRange(
    arena: Arena,
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
    if (this.#emptyValue === 0) {
      this.#emptyValue = arena.allocate(4);
      pool.words[this.#emptyValue >>> 2] = 0;
    }
    this.#newestRangeDelete = writeRangeDelete(
      arena,
      this.#newestRangeDelete,
      sequence,
      key,
      keyStart,
      keyEnd,
      value,
      valueStart,
      valueEnd,
    );
    this.#entries++;
    const deleted = this.#emptyValue | KIND_DELETE;
    this.#batch.replaceValues(pool, key, keyStart, keyEnd, value, valueStart, valueEnd, deleted);
  }

  #addVersion(
    leaf: number,
    slot: number,
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
    const { words } = this.#pool;
    const newest = words[leaf + ENTRIES + slot]!;
    const older = versionAt(words, newest, sequence);
    if (older !== 0 && sequenceOf(words, older) === sequence) {
      replaceValue(arena, older, kind, value, valueStart, valueEnd);
      return;
    }
    const entry = writeEntry(
      arena,
      LATER_WORDS,
      sequence,
      kind,
      key,
      keyStart,
      keyEnd,
      value,
      valueStart,
      valueEnd,
    );
    linkVersion(words, newest, older, entry);
    if (older === newest) words[leaf + ENTRIES + slot] = entry;
    this.#batch.add(entry);
    this.#entries++;
  }
}
