/**
 * One block of the index, unpacked for searching: key fragments and handles as plain numbers. A search of the block itself,
 * with its way through the cache, takes about five times as long. 32 bytes of memory per entry, made at the first use.
 *
 * Where the fragments do not decide (base/key-fragments.ts) the caller asks the block, so the answer is always that of
 * BlockView.search. Immutable but for `slots`, which are hints; one thread.
 */
import { KeyFragments } from '../base/key-fragments.ts';
import type { BlockView } from './block.ts';

/** Leaves offset and length of the block that an index entry names. */
interface HandleReader {
  readHandle(view: BlockView, index: number): void;
  readonly handleOffset: number;
  readonly handleLength: number;
}

export class FlatIndex {
  readonly count: number;
  readonly keys: KeyFragments;
  /** Where the blocks lie in the file, and their stored lengths. */
  readonly offsets: Float64Array;
  readonly lengths: Float64Array;
  /** Where in the cache each block was last found. */
  readonly slots: Float64Array;

  /** Unpacks the index block that `view` looks at. */
  constructor(view: BlockView, handles: HandleReader) {
    const { count, bytes, prefixStart, prefixLength } = view;
    this.keys = new KeyFragments(bytes.slice(prefixStart, prefixStart + prefixLength), count);
    this.count = count;
    this.offsets = new Float64Array(count);
    this.lengths = new Float64Array(count);
    this.slots = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      this.keys.set(i, bytes, view.suffixStart(i), view.suffixStart(i + 1));
      handles.readHandle(view, i);
      this.offsets[i] = handles.handleOffset;
      this.lengths[i] = handles.handleLength;
    }
  }

  get memoryBytes(): number {
    return 128 + this.keys.memoryBytes + 24 * this.count;
  }
}
