/**
 * A walk over a skiplist, on the memory of the list itself: an entry is lent where it lies (base/entry.ts).
 *
 * Forward is a link, back is the node's BACK word (memtable/node.ts, invariant 3). Entries that are added while it stands
 * somewhere are met when they lie ahead. On any thread that may read the list; not after the list was released.
 */
import type { SegmentPool } from '../arena/segment-pool.ts';
import { assert } from '../base/assert.ts';
import { SEQUENCE_MAX } from '../base/entry.ts';
import type { EntryIterator } from '../base/entry.ts';
import { findBefore, HEIGHT_MAX, KEY, KEY_LENGTH, sequenceOf, stepBack, VALUE } from './node.ts';
import type { ListRoot } from './node.ts';

export class SkipListIterator implements EntryIterator {
  valid = false;
  readonly key: Uint8Array;
  keyStart = 0;
  keyEnd = 0;
  sequence = 0;
  kind = 0;
  readonly value: Uint8Array;
  valueStart = 0;
  valueEnd = 0;
  readonly #words: Int32Array;
  readonly #root: ListRoot;
  readonly #path = new Int32Array(HEIGHT_MAX);
  #node = 0;

  constructor(pool: SegmentPool, root: ListRoot) {
    this.key = pool.bytes;
    this.value = pool.bytes;
    this.#words = pool.words;
    this.#root = root;
  }

  first(): void {
    const { head } = this.#root;
    this.#show(head === 0 ? 0 : this.#words[head - 1]!);
  }

  last(): void {
    const { head } = this.#root;
    this.#showUnlessHead(head === 0 ? 0 : stepBack(this.#words, head, 0));
  }

  seek(key: Uint8Array, start: number, end: number, sequence: number): void {
    const before = this.#find(key, start, end, sequence);
    this.#show(before === 0 ? 0 : this.#words[before - 1]!);
  }

  seekBefore(key: Uint8Array, start: number, end: number): void {
    this.#showUnlessHead(this.#find(key, start, end, SEQUENCE_MAX));
  }

  next(): void {
    assert(this.valid, 'next of an iterator that stands nowhere');
    this.#show(this.#words[this.#node - 1]!);
  }

  prev(): void {
    assert(this.valid, 'prev of an iterator that stands nowhere');
    this.#showUnlessHead(stepBack(this.#words, this.#root.head, this.#node));
  }

  #find(key: Uint8Array, start: number, end: number, sequence: number): number {
    if (this.#root.head === 0) return 0;
    return findBefore(this.#words, this.key, this.#root, key, start, end, sequence, this.#path);
  }

  #showUnlessHead(node: number): void {
    this.#show(node === this.#root.head ? 0 : node);
  }

  #show(node: number): void {
    this.#node = node;
    this.valid = node !== 0;
    if (node === 0) return;
    const words = this.#words;
    const keyStart = (node + KEY) * 4;
    this.keyStart = keyStart;
    this.keyEnd = keyStart + words[node + KEY_LENGTH]!;
    this.sequence = sequenceOf(words, node);
    const reference = words[node + VALUE]!;
    const record = (reference & ~7) >>> 0;
    this.kind = reference & 7;
    this.valueStart = record + 4;
    this.valueEnd = record + 4 + words[record >>> 2]!;
  }
}
