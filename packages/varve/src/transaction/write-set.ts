/**
 * What a transaction has written so far: a write batch, in the form in which it will be committed, and an index over its
 * operations by key, so that reads find the newest one. Savepoints are marks in the batch.
 *
 * As in a batch the last operation on a key wins, and a range delete covers what came before it. The index is a hash table
 * with linear probing over numbers; below FEW operations it is a look at each of them.
 */
import { cloneOf, cloneRange, compareBytes, compareRanges } from '../base/bytes.ts';
import { hashKey } from '../base/hash.ts';
import { EXPIRY_BYTES } from '../base/expiry.ts';
import { KIND_MERGE, KIND_PUT, KIND_PUT_EXPIRY, KIND_RANGE_DELETE } from '../base/kinds.ts';
import { copyOperands } from '../base/operands.ts';
import { ownNumbers } from '../base/write-memory.ts';
import { keyChangedSince, rangeChangedSince } from '../engine/changed-since.ts';
import type { Tree } from '../engine/tree.ts';
import { BatchBuffer, type BatchMark } from '../record/batch.ts';
import type { Conflict } from './read-set.ts';
import { WriteOrder } from './write-order.ts';

const FEW = 8;
/** What is kept for the next transaction. */
const KEPT_FIELDS_MAX = 16 * 1024;
/** Numbers of one operation: kind, keyspace, the ends of key and value in the batch, of a merge the operation before on its key. */
const FIELDS = 7;
const KIND = 0;
const KEYSPACE = 1;
const KEY_START = 2;
const KEY_END = 3;
const VALUE_START = 4;
const VALUE_END = 5;
const BEFORE = 6;

export interface WriteMark extends BatchMark {
  readonly operations: number;
}

/** The newest operations on the keys of a range, in key order, as they were when it was made. */
export interface Overlay {
  readonly bytes: Uint8Array;
  /** Positions of operations. */
  readonly order: readonly number[];
  readonly kind: (position: number) => number;
  readonly key: (position: number) => Uint8Array;
  readonly value: (position: number) => Uint8Array;
  /** Of a merge: its operands and what they stand on. */
  readonly merge: (position: number) => OwnMerge;
  /** Has the transaction deleted the range in which this key lies? */
  covers(key: Uint8Array): boolean;
}

/** What a transaction has merged to a key. */
export interface OwnMerge {
  /** The oldest first. */
  readonly operands: readonly Uint8Array[];
  /** What it has put itself below them; undefined when it has deleted the key. */
  readonly existing: Uint8Array | undefined;
  /** It has written nothing below them: they stand on what the snapshot has. */
  readonly standsOnSnapshot: boolean;
}

export class WriteSet {
  readonly batch: BatchBuffer = new BatchBuffer();
  #fields = new Int32Array(FEW * FIELDS);
  #count = 0;
  /** Operation + 1 by hash of keyspace and key; empty while there are few. */
  #slots = new Int32Array(0);
  #rangeDeletes: number[] = [];
  /** Once a range was walked. */
  #order: WriteOrder | undefined;
  /** What operands have made, by the operation up to which: the next ones go on from there. */
  readonly #merged = new Map<number, Uint8Array>();

  get count(): number {
    return this.#count;
  }

  /** @throws those of the batch, busy `OUT_OF_MEMORY`, and nothing was added */
  add(kind: number, keyspace: number, key: Uint8Array, value: Uint8Array): void {
    const before = kind === KIND_MERGE ? this.find(keyspace, key) : -1;
    this.#makeRoom(this.#count + 1);
    this.batch.add(kind, keyspace, key, value);
    const { keyStart, keyEnd, valueStart, valueEnd } = this.batch.last;
    const at = this.#count * FIELDS;
    const fields = this.#fields;
    fields[at + KIND] = kind;
    fields[at + KEYSPACE] = keyspace;
    fields[at + KEY_START] = keyStart;
    fields[at + KEY_END] = keyEnd;
    fields[at + VALUE_START] = valueStart;
    fields[at + VALUE_END] = valueEnd;
    fields[at + BEFORE] = before;
    const operation = this.#count++;
    if (kind === KIND_RANGE_DELETE) this.#rangeDeletes.push(operation);
    else if (this.#slots.length > 0) this.#index(operation);
  }

  /** The operation that decides what the key is, a range delete too; -1 when the transaction has not written it. */
  find(keyspace: number, key: Uint8Array): number {
    const point = this.#findPoint(keyspace, key);
    for (let i = this.#rangeDeletes.length - 1; i >= 0; i--) {
      const operation = this.#rangeDeletes[i]!;
      if (operation < point) break;
      if (this.#field(operation, KEYSPACE) === keyspace && this.#covers(operation, key)) return operation;
    }
    return point;
  }

  kindOf(operation: number): number {
    return this.#field(operation, KIND);
  }

  keyspaceOf(operation: number): number {
    return this.#field(operation, KEYSPACE);
  }

  /** Operands of a merge and of those that it stands on, as far as it is not known what these have made. */
  mergeOf(operation: number): OwnMerge {
    return mergeIn(this.#fields, this.batch.bytes, operation, this.#merged);
  }

  /** What the operands up to this operation have made, and what they stand on. */
  keepMerged(operation: number, value: Uint8Array): void {
    const before = this.#field(operation, BEFORE);
    if (before >= 0) this.#merged.delete(before);
    this.#merged.set(operation, cloneOf(value));
  }

  /** Ends of its value in `batch.bytes`; of a range delete the end of the range. */
  valueStart(operation: number): number {
    return this.#field(operation, VALUE_START);
  }

  valueEnd(operation: number): number {
    return this.#field(operation, VALUE_END);
  }

  keyStart(operation: number): number {
    return this.#field(operation, KEY_START);
  }

  keyEnd(operation: number): number {
    return this.#field(operation, KEY_END);
  }

  /** A copy. */
  keyOf(operation: number): Uint8Array {
    return cloneRange(this.batch.bytes, this.keyStart(operation), this.keyEnd(operation));
  }

  mark(): WriteMark {
    return { ...this.batch.mark(), operations: this.#count };
  }

  /** Back to what was there at the mark. Overlays keep what they show. */
  rewind(mark: WriteMark): void {
    this.batch.rewind(mark);
    this.#fields = this.#fields.slice();
    this.#order = undefined;
    this.#merged.clear();
    this.#count = mark.operations;
    this.#rangeDeletes = this.#rangeDeletes.filter((operation) => operation < mark.operations);
    this.#slots.fill(0);
    if (this.#slots.length > 0) this.#indexAll();
  }

  clear(): void {
    this.batch.clear();
    this.#count = 0;
    this.#order = undefined;
    if (this.#merged.size > 0) this.#merged.clear();
    if (this.#rangeDeletes.length > 0) this.#rangeDeletes = [];
    if (this.#fields.length > KEPT_FIELDS_MAX) this.#fields = new Int32Array(FEW * FIELDS);
    if (this.#slots.length > 0) this.#slots = new Int32Array(0);
  }

  /** Of the keys of one keyspace in [lower, upper). */
  overlay(keyspace: number, lower: Uint8Array | undefined, upper: Uint8Array | undefined): Overlay {
    this.#order ??= new WriteOrder(this);
    const order = this.#order.within(keyspace, lower, upper);
    const { bytes } = this.batch;
    const fields = this.#fields;
    const part = (start: number, end: number) => (operation: number) =>
      bytes.subarray(fields[operation * FIELDS + start], fields[operation * FIELDS + end]);
    const key = part(KEY_START, KEY_END);
    const value = part(VALUE_START, VALUE_END);
    const kind = (operation: number): number => fields[operation * FIELDS + KIND]!;
    const deletes = this.#rangeDeletes.filter((operation) => this.#field(operation, KEYSPACE) === keyspace);
    const covers = (shown: Uint8Array): boolean =>
      deletes.some(
        (operation) => compareBytes(shown, key(operation)) >= 0 && compareBytes(shown, value(operation)) < 0,
      );
    const merge = (operation: number): OwnMerge => mergeIn(fields, bytes, operation);
    return { bytes, order, kind, key, value, merge, covers };
  }

  /** A key that is written here and that somebody else has written since; undefined when there is none. With the write lock. */
  changedSince(trees: ReadonlyMap<number, Tree>, since: number): Conflict | undefined {
    const { bytes } = this.batch;
    for (let operation = 0; operation < this.#count; operation++) {
      const tree = trees.get(this.keyspaceOf(operation));
      // The pipeline refuses what was dropped.
      if (tree === undefined) continue;
      const start = this.keyStart(operation);
      const end = this.keyEnd(operation);
      if (this.kindOf(operation) === KIND_RANGE_DELETE) {
        const lower = bytes.subarray(start, end);
        const upper = bytes.subarray(this.valueStart(operation), this.valueEnd(operation));
        const changed = rangeChangedSince(tree, { lower, upper }, since);
        if (changed !== undefined) return { tree, ...changed };
        continue;
      }
      const sequence = keyChangedSince(tree, bytes, start, end, since);
      if (sequence > 0) return { tree, key: bytes.slice(start, end), sequence };
    }
    return undefined;
  }

  #field(operation: number, field: number): number {
    return this.#fields[operation * FIELDS + field]!;
  }

  #findPoint(keyspace: number, key: Uint8Array): number {
    if (this.#slots.length === 0) {
      for (let operation = this.#count - 1; operation >= 0; operation--) {
        if (this.#isOn(operation, keyspace, key)) return operation;
      }
      return -1;
    }
    const mask = this.#slots.length - 1;
    for (let slot = hashOf(keyspace, key, 0, key.length) & mask; ; slot = (slot + 1) & mask) {
      const operation = this.#slots[slot]! - 1;
      if (operation < 0 || this.#isOn(operation, keyspace, key)) return operation;
    }
  }

  #isOn(operation: number, keyspace: number, key: Uint8Array): boolean {
    if (this.#field(operation, KEYSPACE) !== keyspace || this.kindOf(operation) === KIND_RANGE_DELETE)
      return false;
    const { bytes } = this.batch;
    return compareRanges(bytes, this.keyStart(operation), this.keyEnd(operation), key, 0, key.length) === 0;
  }

  #covers(operation: number, key: Uint8Array): boolean {
    const { bytes } = this.batch;
    return (
      compareRanges(key, 0, key.length, bytes, this.keyStart(operation), this.keyEnd(operation)) >= 0 &&
      compareRanges(key, 0, key.length, bytes, this.valueStart(operation), this.valueEnd(operation)) < 0
    );
  }

  /** Makes the operation the newest one of its key. */
  #index(operation: number): void {
    const { bytes } = this.batch;
    const start = this.keyStart(operation);
    const end = this.keyEnd(operation);
    const keyspace = this.keyspaceOf(operation);
    const key = bytes.subarray(start, end);
    const mask = this.#slots.length - 1;
    let slot = hashOf(keyspace, bytes, start, end) & mask;
    for (; this.#slots[slot]! > 0; slot = (slot + 1) & mask) {
      if (this.#isOn(this.#slots[slot]! - 1, keyspace, key)) break;
    }
    this.#slots[slot] = operation + 1;
  }

  /** Whatever has no room for so many operations gets it. */
  #makeRoom(count: number): void {
    if (count * FIELDS > this.#fields.length) this.#fields = grown(this.#fields);
    if (count <= FEW || count * 2 <= this.#slots.length) return;
    let size = 4 * FEW;
    while (size < 4 * count) size *= 2;
    this.#slots = ownNumbers(size);
    this.#indexAll();
  }

  #indexAll(): void {
    for (let operation = 0; operation < this.#count; operation++) {
      if (this.kindOf(operation) !== KIND_RANGE_DELETE) this.#index(operation);
    }
  }
}

/** Does a key have a value by an operation of this kind? */
export function givesValue(kind: number): boolean {
  return kind === KIND_PUT || kind === KIND_PUT_EXPIRY || kind === KIND_MERGE;
}

function mergeIn(
  fields: Int32Array,
  bytes: Uint8Array,
  operation: number,
  merged?: ReadonlyMap<number, Uint8Array>,
): OwnMerge {
  const lists: [start: number, end: number][] = [];
  let at = operation;
  let known: Uint8Array | undefined;
  for (; at >= 0 && fields[at * FIELDS + KIND] === KIND_MERGE; at = fields[at * FIELDS + BEFORE]!) {
    known = merged?.get(at);
    if (known !== undefined) break;
    lists.push([fields[at * FIELDS + VALUE_START]!, fields[at * FIELDS + VALUE_END]!]);
  }
  const operands: Uint8Array[] = [];
  for (const [start, end] of lists.reverse()) copyOperands(bytes, start, end, operands);
  if (known !== undefined) return { operands, existing: known, standsOnSnapshot: false };
  const kind = at < 0 ? -1 : fields[at * FIELDS + KIND]!;
  const isPut = kind === KIND_PUT || kind === KIND_PUT_EXPIRY;
  const from = isPut ? fields[at * FIELDS + VALUE_START]! + (kind === KIND_PUT_EXPIRY ? EXPIRY_BYTES : 0) : 0;
  const existing = isPut ? cloneRange(bytes, from, fields[at * FIELDS + VALUE_END]!) : undefined;
  return { operands, existing, standsOnSnapshot: at < 0 };
}

function hashOf(keyspace: number, key: Uint8Array, start: number, end: number): number {
  return hashKey(key, start, end) ^ Math.imul(keyspace, 0x9e3779b1);
}

function grown(fields: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = ownNumbers(fields.length * 2);
  larger.set(fields);
  return larger;
}
