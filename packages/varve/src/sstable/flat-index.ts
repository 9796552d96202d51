/**
 * One block of the index, unpacked for searching: key fragments and handles as plain numbers. A search of the block itself,
 * with its way through the cache, takes about five times as long. 24 bytes of memory per entry, made at the first use.
 *
 * Where the fragments do not decide (base/key-fragments.ts) the caller asks the block, so the answer is always that of
 * BlockView.search. Immutable but for the slots, which are hints; one thread.
 */
import { KeyFragments } from '../base/key-fragments.ts';
import type { BlockView } from './block.ts';

/** Leaves offset and length of the block that an index entry names. */
interface HandleReader {
  readHandle(view: BlockView, index: number): void;
  readonly handleOffset: number;
  readonly handleLength: number;
}

/** Words of an entry: offset (f64), length, slot; so that a lookup reads one line of them. */
const ENTRY_WORDS = 4;
const LENGTH = 2;
const SLOT = 3;

export class FlatIndex {
  readonly count: number;
  readonly keys: KeyFragments;
  readonly #words: Uint32Array;
  readonly #offsets: Float64Array;

  /** Unpacks the index block that `view` looks at. */
  constructor(view: BlockView, handles: HandleReader) {
    const { count, bytes, prefixStart, prefixLength } = view;
    this.count = count;
    this.keys = new KeyFragments(bytes.slice(prefixStart, prefixStart + prefixLength), count);
    this.#words = new Uint32Array(count * ENTRY_WORDS);
    this.#offsets = new Float64Array(this.#words.buffer);
    for (let i = 0; i < count; i++) {
      this.keys.set(i, bytes, view.suffixStart(i), view.suffixStart(i + 1));
      handles.readHandle(view, i);
      this.#offsets[i * 2] = handles.handleOffset;
      this.#words[i * ENTRY_WORDS + LENGTH] = handles.handleLength;
    }
  }

  /** Where the block of an entry lies in the file. */
  offset(entry: number): number {
    return this.#offsets[entry * 2]!;
  }

  /** Its stored length. */
  length(entry: number): number {
    return this.#words[entry * ENTRY_WORDS + LENGTH]!;
  }

  /** Where in the cache it was last found. */
  slot(entry: number): number {
    return this.#words[entry * ENTRY_WORDS + SLOT]!;
  }

  setSlot(entry: number, slot: number): void {
    this.#words[entry * ENTRY_WORDS + SLOT] = slot;
  }

  get memoryBytes(): number {
    return 128 + this.keys.memoryBytes + 4 * ENTRY_WORDS * this.count;
  }
}
