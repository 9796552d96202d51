/**
 * The two-level index of a table under construction: partitions that fill up are handed to the writer at once, so that
 * memory stays at one partition and the top level whatever the table's size. Entry format in block.ts.
 */
import { sharedPrefix } from '../base/bytes.ts';
import { BlockBuilder } from './block-builder.ts';
import { putBlockHandle } from './format.ts';

/** Index entries carry no kind of their own; this keeps the kind column away (KIND_PUT). */
const INDEX_KIND = 1;

/** Stores a finished block; leaves its handle in `offset` and `length`. */
export interface BlockSink {
  writeBlock(builder: BlockBuilder, type: number): void;
  readonly lastOffset: number;
  readonly lastLength: number;
}

export class IndexBuilder {
  readonly #sink: BlockSink;
  readonly #partitionType: number;
  readonly #blockBytes: number;
  readonly #partition = new BlockBuilder();
  readonly #top = new BlockBuilder();
  readonly #handle = new Uint8Array(16);
  #lastKey = new Uint8Array(64);
  #lastLength = 0;
  #lastSequence = 0;
  partitions = 0;

  constructor(sink: BlockSink, partitionType: number, blockBytes: number) {
    this.#sink = sink;
    this.#partitionType = partitionType;
    this.#blockBytes = blockBytes;
  }

  /** Bytes that are not handed over yet. */
  get pendingBytes(): number {
    return this.#partition.bytes + this.#top.bytes;
  }

  /** Adds a data block whose entries lie at or before (key, sequence) in internal order. */
  add(key: Uint8Array, length: number, sequence: number, offset: number, blockLength: number): void {
    const handleEnd = putBlockHandle(this.#handle, 0, offset, blockLength);
    const partition = this.#partition;
    const handle = this.#handle;
    const limit = this.#blockBytes;
    const shared = sharedPrefix(this.#lastKey, 0, this.#lastLength, key, 0, length);
    if (!partition.addWithin(limit, shared, key, 0, length, sequence, INDEX_KIND, handle, 0, handleEnd)) {
      this.#cut();
      // The cut has used the same memory for the handle of the partition.
      putBlockHandle(handle, 0, offset, blockLength);
      partition.add(key, 0, length, sequence, INDEX_KIND, handle, 0, handleEnd);
    }
    if (length > this.#lastKey.length) this.#lastKey = new Uint8Array(length * 2);
    this.#lastKey.set(key.subarray(0, length));
    this.#lastLength = length;
    this.#lastSequence = sequence;
  }

  #cut(): void {
    this.#sink.writeBlock(this.#partition, this.#partitionType);
    const end = putBlockHandle(this.#handle, 0, this.#sink.lastOffset, this.#sink.lastLength);
    this.#top.add(this.#lastKey, 0, this.#lastLength, this.#lastSequence, INDEX_KIND, this.#handle, 0, end);
    this.partitions++;
  }

  /** Hands over the last partition and returns the top level. */
  finish(): BlockBuilder {
    if (this.#partition.count > 0) this.#cut();
    return this.#top;
  }
}
