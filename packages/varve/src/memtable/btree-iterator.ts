/**
 * A walk over a B+tree, on the memory of the tree itself: an entry is lent where it lies (base/entry.ts).
 *
 * It stands on an entry, which never moves, and remembers leaf and slot; when the slots of that leaf have moved since
 * (CHANGES), it looks for the entry's key again at the next move. So entries that are added while it stands somewhere are
 * met when they lie ahead. Only on the thread that writes, or once nobody does; not after the tree was released.
 */
import type { SegmentPool } from '../arena/segment-pool.ts';
import { assert } from '../base/assert.ts';
import type { EntryIterator } from '../base/entry.ts';
import { KEY, KEY_LENGTH, sequenceOf, VALUE } from './entry-record.ts';
import { CHANGES, ENTRIES, NEXT, OLDER, PREV, SIZE } from './btree-node.ts';
import type { BTreeRoot } from './btree-node.ts';
import { BTreePlace, findPlace } from './btree-search.ts';
import { newerThan, oldestFrom, versionAt } from './versions.ts';

/** Lines of 64 bytes that an entry with a value of usual size lies on. */
const ENTRY_LINES = 3;
const LINE_WORDS = 16;

/** Where `fetchEntries` leaves what it read: reads without a use would be left out. */
const fetched = new Int32Array(1);

/**
 * Reads the first lines of all entries of a leaf: entries lie where they were written, so a walk in the order of keys waits
 * for memory at each. Here no read depends on another one, and the processor waits for many at a time.
 */
function fetchEntries(words: Int32Array, leaf: number): void {
  const from = leaf + ENTRIES;
  const to = from + words[leaf + SIZE]!;
  let used = 0;
  for (let slot = from; slot < to; slot++) {
    const entry = words[slot]!;
    for (let line = 0; line < ENTRY_LINES; line++) used ^= words[entry + line * LINE_WORDS]!;
  }
  fetched[0] = used;
}

export class BTreeIterator implements EntryIterator {
  valid = false;
  readonly key: Uint8Array;
  keyStart = 0;
  keyEnd = 0;
  sequence = 0;
  kind = 0;
  readonly value: Uint8Array;
  valueStart = 0;
  valueEnd = 0;
  readonly #pool: SegmentPool;
  readonly #words: Int32Array;
  readonly #root: BTreeRoot;
  readonly #place = new BTreePlace();
  #entry = 0;
  #leaf = 0;
  #slot = 0;
  #changes = 0;
  readonly #isWhole: boolean;

  /** @param isWhole all of the tree will be walked */
  constructor(pool: SegmentPool, root: BTreeRoot, isWhole: boolean) {
    this.#isWhole = isWhole;
    this.key = pool.bytes;
    this.value = pool.bytes;
    this.#pool = pool;
    this.#words = pool.words;
    this.#root = root;
  }

  first(): void {
    this.#enter(this.#root.firstLeaf, 0);
  }

  last(): void {
    const { lastLeaf } = this.#root;
    this.#enterBack(lastLeaf, lastLeaf === 0 ? 0 : this.#words[lastLeaf + SIZE]! - 1);
  }

  seek(key: Uint8Array, start: number, end: number, sequence: number): void {
    if (this.#root.node === 0) return;
    this.#find(key, start, end);
    if (!this.#place.isSameKey) {
      this.#enter(this.#leaf, this.#slot);
      return;
    }
    const words = this.#words;
    const entry = versionAt(words, words[this.#leaf + ENTRIES + this.#slot]!, sequence);
    if (entry === 0) this.#enter(this.#leaf, this.#slot + 1);
    else this.#show(entry);
  }

  seekBefore(key: Uint8Array, start: number, end: number): void {
    if (this.#root.node === 0) return;
    this.#find(key, start, end);
    this.#enterBack(this.#leaf, this.#slot - 1);
  }

  next(): void {
    assert(this.valid, 'next of an iterator that stands nowhere');
    const words = this.#words;
    const older = words[this.#entry + OLDER]!;
    if (older !== 0) {
      this.#show(older);
      return;
    }
    if (words[this.#leaf + CHANGES] !== this.#changes) this.#find(this.key, this.keyStart, this.keyEnd);
    this.#enter(this.#leaf, this.#slot + 1);
  }

  prev(): void {
    assert(this.valid, 'prev of an iterator that stands nowhere');
    const words = this.#words;
    const newer = newerThan(words, this.#entry);
    if (newer !== 0) {
      this.#show(newer);
      return;
    }
    if (words[this.#leaf + CHANGES] !== this.#changes) this.#find(this.key, this.keyStart, this.keyEnd);
    this.#enterBack(this.#leaf, this.#slot - 1);
  }

  /** Stands in the leaf and slot of the key, or of the first key above. */
  #find(key: Uint8Array, start: number, end: number): void {
    const place = this.#place;
    findPlace(this.#pool, this.#root, key, start, end, place);
    this.#leaf = place.leaf;
    this.#slot = place.slot;
    this.#changes = this.#words[place.leaf + CHANGES]!;
  }

  /** To the newest version in a slot, or in the first of the next leaf when the slot is behind the last. */
  #enter(leaf: number, slot: number): void {
    const words = this.#words;
    let at = leaf;
    let index = slot;
    if (at !== 0 && index >= words[at + SIZE]!) {
      at = words[at + NEXT]!;
      index = 0;
      if (this.#isWhole && at !== 0) fetchEntries(words, at);
    }
    this.#stand(at, index);
    this.#show(at === 0 ? 0 : words[at + ENTRIES + index]!);
  }

  /** To the oldest version in a slot, or in the last of the leaf before when the slot is -1. */
  #enterBack(leaf: number, slot: number): void {
    const words = this.#words;
    let at = leaf;
    let index = slot;
    if (at !== 0 && index < 0) {
      at = words[at + PREV]!;
      index = at === 0 ? 0 : words[at + SIZE]! - 1;
    }
    this.#stand(at, index);
    this.#show(at === 0 ? 0 : oldestFrom(words, words[at + ENTRIES + index]!));
  }

  #stand(leaf: number, slot: number): void {
    this.#leaf = leaf;
    this.#slot = slot;
    if (leaf !== 0) this.#changes = this.#words[leaf + CHANGES]!;
  }

  #show(entry: number): void {
    this.#entry = entry;
    this.valid = entry !== 0;
    if (entry === 0) return;
    const words = this.#words;
    const keyStart = (entry + KEY) * 4;
    this.keyStart = keyStart;
    this.keyEnd = keyStart + words[entry + KEY_LENGTH]!;
    this.sequence = sequenceOf(words, entry);
    const reference = words[entry + VALUE]!;
    const record = (reference & ~7) >>> 0;
    this.kind = reference & 7;
    this.valueStart = record + 4;
    this.valueEnd = record + 4 + words[record >>> 2]!;
  }
}
