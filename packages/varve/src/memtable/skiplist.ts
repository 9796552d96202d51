/**
 * The memtable as a skiplist over the shared pool: the insert, and the point read.
 *
 * Write path: the commit pipeline reserves, appends to the log, then calls `add` for every operation. Read path: `get`
 * searches from the top level; an 8-byte key prefix inside each node decides most comparisons without touching key bytes.
 * Ascending keys cost no search: the place of the last insert is kept (`#path`) and tried first.
 *
 * Invariants: those of memtable/node.ts, and (1) the bytes of an entry are complete before anything points to it, (2) an
 * entry of the same key and sequence gets a new value record and one store of its VALUE, (3) nothing is freed one by one.
 * One writer; readers on the same thread at any time. An attached list (`attach`) is another thread's view of a list that
 * is written no more.
 */
import { Arena, LARGE_BYTES } from '../arena/arena.ts';
import { SegmentPool } from '../arena/segment-pool.ts';
import type { SegmentPoolHandle } from '../arena/segment-pool.ts';
import { assert } from '../base/assert.ts';
import { compareRanges, copyRange, EMPTY } from '../base/bytes.ts';
import type { EntryIterator, PointResult } from '../base/entry.ts';
import { KIND_DELETE, KIND_RANGE_DELETE } from '../base/kinds.ts';
import type { FragmentedTombstones } from '../base/range-tombstones.ts';
import { BatchNodes } from './batch-nodes.ts';
import {
  BACK,
  ENTRY_OVERHEAD_MAX,
  findBefore,
  hasKey,
  HEIGHT_MAX,
  isBefore,
  KEY,
  KEY_LENGTH,
  prefixHigh,
  PREFIX_HIGH,
  prefixLow,
  PREFIX_LOW,
  SEQUENCE_HIGH,
  SEQUENCE_LOW,
  sequenceOf,
  VALUE,
  WORD_MAX,
} from './node.ts';
import type { ListRoot } from './node.ts';
import { RangeDeletes } from './range-deletes.ts';
import { SkipListIterator } from './skiplist-iterator.ts';

/** A list that is written no more, as plain data for another thread. */
export interface SkipListHandle {
  readonly pool: SegmentPoolHandle;
  readonly head: number;
  readonly height: number;
  readonly newestRangeDelete: number;
  readonly entries: number;
  readonly bytes: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
}

export class SkipList {
  readonly #pool: SegmentPool;
  /** Undefined in an attached list. */
  readonly #arena: Arena | undefined;
  readonly #rangeDeletes: RangeDeletes;
  /** Nodes of the batch that is being added, for its own range deletes. */
  readonly #batch = new BatchNodes();
  /** Where the last insert went: the last node before it on every level. */
  readonly #path = new Int32Array(HEIGHT_MAX);
  /** Like it, for searches that insert nothing. */
  readonly #scratch = new Int32Array(HEIGHT_MAX);
  /** Its head is 0 until the first write: an empty list holds no memory. */
  readonly #root: ListRoot = { head: 0, height: 1, base: EMPTY };
  #random = 0x2545f491;
  #entries = 0;
  #batchSequence = 0;
  #firstSequence = 0;
  #lastSequence = 0;
  readonly #attachedBytes: number;

  constructor(pool: SegmentPool, attached?: SkipListHandle) {
    this.#pool = pool;
    this.#arena = attached === undefined ? new Arena(pool) : undefined;
    this.#rangeDeletes = new RangeDeletes(pool, attached?.newestRangeDelete ?? 0);
    this.#attachedBytes = attached?.bytes ?? 0;
    if (attached === undefined) return;
    this.#root.head = attached.head;
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
    return this.#arena === undefined ? this.#attachedBytes : this.#arena.bytes;
  }

  get firstSequence(): number {
    return this.#firstSequence;
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  reserve(bytes: number, ops: number): boolean {
    // One more entry for the head, which the first write makes.
    return this.#writable().reserve(bytes + (ops + 1) * ENTRY_OVERHEAD_MAX);
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
    const root = this.#root;
    if (root.head === 0) this.#makeHead(arena);
    if (sequence !== this.#batchSequence) this.#startBatch(sequence);
    if (kind === KIND_RANGE_DELETE) {
      if (compareRanges(key, keyStart, keyEnd, value, valueStart, valueEnd) >= 0) return;
      this.#rangeDeletes.add(arena, sequence, key, keyStart, keyEnd, value, valueStart, valueEnd);
      this.#entries++;
      const deleted = this.#pool.words[root.head + VALUE]! | KIND_DELETE;
      this.#batch.replaceValues(this.#pool, key, keyStart, keyEnd, value, valueStart, valueEnd, deleted);
      return;
    }
    const { words, bytes } = this.#pool;
    const high = prefixHigh(root.base, key, keyStart, keyEnd);
    const low = prefixLow(root.base, key, keyStart, keyEnd);
    const path = this.#path;
    let before = path[0]!;
    let after = words[before - 1]!;
    // Once the place is right on level 0 it is right on all levels: they only leave nodes out.
    const isHere =
      (before === root.head || isBefore(words, bytes, before, high, low, key, keyStart, keyEnd, sequence)) &&
      (after === 0 || !isBefore(words, bytes, after, high, low, key, keyStart, keyEnd, sequence));
    if (!isHere) {
      before = findBefore(words, bytes, root, key, keyStart, keyEnd, sequence, path);
      after = words[before - 1]!;
    }
    const length = valueEnd - valueStart;
    if (
      after !== 0 &&
      words[after + PREFIX_HIGH] === high &&
      sequenceOf(words, after) === sequence &&
      hasKey(words, bytes, after, key, keyStart, keyEnd)
    ) {
      const record = arena.allocate(4 + length);
      writeValue(words, bytes, record, value, valueStart, valueEnd);
      Atomics.store(words, after + VALUE, record | kind);
      return;
    }

    const height = this.#randomHeight();
    const nodeBytes = 4 * (2 * height + KEY) + keyEnd - keyStart;
    const isApart = length > LARGE_BYTES;
    const valueAt = (nodeBytes + 7) & ~7;
    const block = arena.allocate(isApart ? nodeBytes : valueAt + 4 + length);
    const record = isApart ? arena.allocate(4 + length) : block + valueAt;
    const node = (block >>> 2) + 2 * height;
    words[node + PREFIX_HIGH] = high;
    words[node + PREFIX_LOW] = low;
    words[node + BACK] = before;
    words[node + VALUE] = record | kind;
    words[node + SEQUENCE_LOW] = sequence;
    words[node + SEQUENCE_HIGH] = sequence / 4294967296;
    words[node + KEY_LENGTH] = keyEnd - keyStart;
    copyRange(key, keyStart, keyEnd, bytes, (node + KEY) * 4);
    writeValue(words, bytes, record, value, valueStart, valueEnd);
    this.#link(node, height, after);
    this.#batch.add(node);
    this.#entries++;
  }

  get(key: Uint8Array, keyStart: number, keyEnd: number, sequence: number, out: PointResult): boolean {
    const { words, bytes } = this.#pool;
    const root = this.#root;
    if (root.head === 0) return false;
    const before = findBefore(words, bytes, root, key, keyStart, keyEnd, sequence, this.#scratch);
    const node = words[before - 1]!;
    if (node === 0 || !hasKey(words, bytes, node, key, keyStart, keyEnd)) return false;
    const reference = words[node + VALUE]!;
    const record = (reference & ~7) >>> 0;
    out.kind = reference & 7;
    out.sequence = sequenceOf(words, node);
    out.value = bytes;
    out.valueStart = record + 4;
    out.valueEnd = record + 4 + words[record >>> 2]!;
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
      pool: this.#pool.handle(),
      head: this.#root.head,
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

  #makeHead(arena: Arena): void {
    const { words } = this.#pool;
    const block = arena.allocate(4 * (2 * HEIGHT_MAX + KEY));
    const head = (block >>> 2) + 2 * HEIGHT_MAX;
    words.fill(0, block >>> 2, head + KEY);
    for (let level = 0; level < HEIGHT_MAX; level++) words[head - 2 - 2 * level] = WORD_MAX;
    words[head + BACK] = head;
    // The head's value is the empty one that deletes share.
    const empty = arena.allocate(4);
    words[empty >>> 2] = 0;
    words[head + VALUE] = empty;
    this.#path.fill(head);
    this.#root.head = head;
  }

  #startBatch(sequence: number): void {
    if (this.#entries === 0 || sequence < this.#firstSequence) this.#firstSequence = sequence;
    if (sequence > this.#lastSequence) this.#lastSequence = sequence;
    this.#batchSequence = sequence;
    this.#batch.clear();
  }

  /** Links a complete node behind `#path`, bottom up, and makes it the place of the next insert. */
  #link(node: number, height: number, after: number): void {
    const { words } = this.#pool;
    const root = this.#root;
    const path = this.#path;
    if (height > root.height) root.height = height;
    for (let level = 0; level < height; level++) {
      words[node - 1 - 2 * level] = words[path[level]! - 1 - 2 * level]!;
      words[node - 2 - 2 * level] = words[path[level]! - 2 - 2 * level]!;
    }
    const hint = words[node + PREFIX_HIGH]!;
    for (let level = 0; level < height; level++) {
      const at = path[level]! - 1 - 2 * level;
      Atomics.store(words, at - 1, hint);
      Atomics.store(words, at, node);
      path[level] = node;
    }
    words[(after === 0 ? root.head : after) + BACK] = node;
  }

  /** 1 with probability 1/2, one more with 1/2 each. */
  #randomHeight(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return Math.min(HEIGHT_MAX, 1 + Math.clz32(x));
  }
}

function writeValue(
  words: Int32Array,
  bytes: Uint8Array,
  record: number,
  value: Uint8Array,
  start: number,
  end: number,
): void {
  words[record >>> 2] = end - start;
  copyRange(value, start, end, bytes, record + 4);
}
