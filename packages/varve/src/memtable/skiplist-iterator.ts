/**
 * A walk over a skiplist, on the memory of the list itself: an entry is lent where it lies (base/entry.ts).
 *
 * Forward is a link, back is the entry's BACK word (memtable/node.ts, invariant 3). Entries that are added while it stands
 * somewhere are met when they lie ahead. On any thread, beside the writer; not after the list was released.
 */
import type { SegmentPool } from '../arena/segment-pool.ts';
import { assert } from '../base/assert.ts';
import { SEQUENCE_MAX } from '../base/entry.ts';
import type { EntryIterator } from '../base/entry.ts';
import { KEY, KEY_LENGTH, sequenceOf, VALUE } from './entry-record.ts';
import { HEAD, NEXT, stepBack } from './node.ts';
import { Place, search } from './search.ts';

/** The list, whose descriptor is 0 until it is first written. */
export interface ListRef {
  readonly descriptor: number;
}

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
  readonly #pool: SegmentPool;
  readonly #words: Int32Array;
  readonly #list: ListRef;
  readonly #place = new Place();
  #entry = 0;

  constructor(pool: SegmentPool, list: ListRef) {
    this.key = pool.bytes;
    this.value = pool.bytes;
    this.#pool = pool;
    this.#words = pool.words;
    this.#list = list;
  }

  first(): void {
    const { descriptor } = this.#list;
    this.#show(descriptor === 0 ? 0 : this.#words[descriptor + HEAD + NEXT]!);
  }

  last(): void {
    const { descriptor } = this.#list;
    this.#showUnlessHead(descriptor === 0 ? 0 : stepBack(this.#words, descriptor + HEAD, 0));
  }

  seek(key: Uint8Array, start: number, end: number, sequence: number): void {
    this.#find(key, start, end, sequence);
    this.#show(this.#place.after);
  }

  seekBefore(key: Uint8Array, start: number, end: number): void {
    this.#find(key, start, end, SEQUENCE_MAX);
    this.#showUnlessHead(this.#place.before);
  }

  next(): void {
    assert(this.valid, 'next of an iterator that stands nowhere');
    this.#show(this.#words[this.#entry + NEXT]!);
  }

  prev(): void {
    assert(this.valid, 'prev of an iterator that stands nowhere');
    this.#showUnlessHead(stepBack(this.#words, this.#list.descriptor + HEAD, this.#entry));
  }

  #find(key: Uint8Array, start: number, end: number, sequence: number): void {
    const { descriptor } = this.#list;
    if (descriptor !== 0) search(this.#pool, descriptor, key, start, end, sequence, this.#place);
  }

  #showUnlessHead(entry: number): void {
    this.#show(entry === this.#list.descriptor + HEAD ? 0 : entry);
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
