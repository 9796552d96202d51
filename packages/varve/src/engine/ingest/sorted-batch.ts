/**
 * The operations of a batch in the order of tables: by keyspace, then by key, and of each key only those that decide: the last
 * one, and when that is a merge what it stands on.
 *
 * A merge sort of numbers, bottom-up, in steps: a batch of many millions of operations would hold the thread for seconds
 * otherwise. Nothing of the batch is copied, and nothing is allocated for an operation but its numbers. Owner's thread.
 */
import { compareRanges } from '../../base/bytes.ts';
import { invalid } from '../../base/errors.ts';
import { KIND_MERGE, KIND_RANGE_DELETE } from '../../base/kinds.ts';
import { ownNumbers } from '../../base/write-memory.ts';
import { type BatchBuffer, BatchReader } from '../../record/batch.ts';
import type { KeyOperation } from '../merging/join-batch.ts';

/** Numbers of one operation: kind, keyspace, the ends of key and value in the batch. */
const FIELDS = 6;
const KIND = 0;
const KEYSPACE = 1;
const KEY_START = 2;
const KEY_END = 3;
const VALUE_START = 4;
const VALUE_END = 5;
/** Operations between two steps. */
const STEP = 64;

export class SortedBatch {
  readonly bytes: Uint8Array;
  /** Of the operation that it stands at. */
  kind = 0;
  keyspace = 0;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  readonly #batch: BatchBuffer;
  readonly #fields: Int32Array;
  #order: Int32Array<ArrayBuffer>;
  /** Operations that decide. */
  #count = 0;
  /** Of the key that it stands at. */
  #first = 0;
  #end = 0;

  /** @throws busy `OUT_OF_MEMORY` */
  constructor(batch: BatchBuffer) {
    this.#batch = batch;
    this.bytes = batch.bytes;
    this.#fields = ownNumbers(batch.count * FIELDS);
    this.#order = ownNumbers(batch.count);
  }

  /** Reads and sorts the batch; to be walked to its end first. @throws invalid `BATCH_TOO_LARGE` for a range delete; busy `OUT_OF_MEMORY` */
  *sort(): Generator<void, void> {
    const { bytes, length } = this.#batch;
    const reader = new BatchReader();
    reader.reset(bytes, 0, length, undefined);
    for (let operation = 0; reader.next(); operation++) {
      if (reader.kind === KIND_RANGE_DELETE) throw refusedRangeDelete(length);
      const at = operation * FIELDS;
      this.#fields[at + KIND] = reader.kind;
      this.#fields[at + KEYSPACE] = reader.keyspaceId;
      this.#fields[at + KEY_START] = reader.keyStart;
      this.#fields[at + KEY_END] = reader.keyEnd;
      this.#fields[at + VALUE_START] = reader.valueStart;
      this.#fields[at + VALUE_END] = reader.valueEnd;
      this.#order[operation] = operation;
      if (operation % STEP === 0) yield;
    }
    yield* this.#mergeRuns();
    yield* this.#leaveOut();
  }

  /** To the next key, and the last operation on it; false behind the last one. */
  next(): boolean {
    if (this.#end === this.#count) return false;
    const order = this.#order;
    this.#first = this.#end++;
    while (this.#end < this.#count && this.#compareKeys(order[this.#first]!, order[this.#end]!) === 0) {
      this.#end++;
    }
    const fields = this.#fields;
    const at = order[this.#end - 1]! * FIELDS;
    this.kind = fields[at + KIND]!;
    this.keyspace = fields[at + KEYSPACE]!;
    this.keyStart = fields[at + KEY_START]!;
    this.keyEnd = fields[at + KEY_END]!;
    this.valueStart = fields[at + VALUE_START]!;
    this.valueEnd = fields[at + VALUE_END]!;
    return true;
  }

  /** Are there several operations on the key that decide? */
  get isJoined(): boolean {
    return this.#end - this.#first > 1;
  }

  /** Those, the oldest first; their values are lent. */
  operations(): KeyOperation[] {
    return Array.from(this.#order.subarray(this.#first, this.#end), (operation) => {
      const at = operation * FIELDS;
      const value = this.bytes.subarray(this.#fields[at + VALUE_START], this.#fields[at + VALUE_END]);
      return { kind: this.#fields[at + KIND]!, value };
    });
  }

  /** Leaves out what a later put or delete of its key has made void. */
  *#leaveOut(): Generator<void, void> {
    const order = this.#order;
    let count = 0;
    for (let at = 0; at < order.length; at++) {
      if (at % STEP === 0) yield;
      const operation = order[at]!;
      const isMerge = this.#fields[operation * FIELDS + KIND] === KIND_MERGE;
      // Each is taken out once at most.
      while (!isMerge && count > 0 && this.#compareKeys(order[count - 1]!, operation) === 0) count--;
      order[count++] = operation;
    }
    this.#count = count;
  }

  /** Stable: operations on one key stay in the order of the batch. */
  *#mergeRuns(): Generator<void, void> {
    const { length } = this.#order;
    let from = this.#order;
    let to = ownNumbers(length);
    for (let width = 1; width < length; width *= 2) {
      for (let start = 0; start < length; start += 2 * width) {
        const middle = Math.min(start + width, length);
        const end = Math.min(start + 2 * width, length);
        let left = start;
        let right = middle;
        for (let at = start; at < end; at++) {
          if (at % STEP === 0) yield;
          const takesLeft =
            left < middle && (right === end || this.#compareKeys(from[left]!, from[right]!) <= 0);
          to[at] = takesLeft ? from[left++]! : from[right++]!;
        }
      }
      [from, to] = [to, from];
    }
    this.#order = from;
  }

  #compareKeys(a: number, b: number): number {
    const { bytes } = this;
    const fields = this.#fields;
    const [x, y] = [a * FIELDS, b * FIELDS];
    const order = fields[x + KEYSPACE]! - fields[y + KEYSPACE]!;
    if (order !== 0) return order;
    const [xStart, xEnd] = [fields[x + KEY_START]!, fields[x + KEY_END]!];
    return compareRanges(bytes, xStart, xEnd, bytes, fields[y + KEY_START]!, fields[y + KEY_END]!);
  }
}

/** Range tombstones have their sequences in the table itself: there is none that a table without one could give them. */
function refusedRangeDelete(bytes: number): Error {
  const message =
    'a transaction over batchBytesMax can not delete ranges: delete the keys one by one, or the range in a transaction of its own';
  return invalid('BATCH_TOO_LARGE', message, { reason: 'deleteRange', got: bytes });
}
