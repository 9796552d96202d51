/**
 * The byte form of a write batch: what `db.batch()` fills, what the log stores as the body of a batch record, and what the
 * commit pipeline and recovery apply to the memtables. It is the one form in which writes travel.
 *
 *   offset  size     type    field
 *        0     4     u32     count of operations
 *        4           ...     operations, in the order of the calls:
 *              1     u8      kind (base/kinds)
 *            1-8     varint  keyspaceId
 *            1-3     varint  keyLength
 *                    bytes   key; of a range delete the start
 *            1-5     varint  valueLength       not for a delete
 *                    bytes   value; of a range delete the end, exclusive; of a put with expiry that first (base/expiry); of a
 *                            merge a list of operands (base/operands)
 *
 * Invariants: (1) the operations fill the range exactly and are as many as counted; (2) keys and range ends are at most
 * KEY_BYTES_MAX bytes. Writer and reader allocate nothing per operation. Any thread, each with its own objects.
 */
import { EMPTY } from '../base/bytes.ts';
import { KEY_BYTES_MAX } from '../base/entry.ts';
import { corruption, invalid, type VarveError } from '../base/errors.ts';
import { EXPIRY_BYTES, expiryOf, isExpiryIntact, stampExpiry } from '../base/expiry.ts';
import { getU32, putU32 } from '../base/fixed.ts';
import {
  isReadableKind,
  KIND_DELETE,
  KIND_MERGE,
  KIND_PUT_EXPIRY,
  KIND_RANGE_DELETE,
  kindName,
} from '../base/kinds.ts';
import { isOperandList } from '../base/operands.ts';
import { ownBytes } from '../base/write-memory.ts';
import { ByteReader, putVarint } from '../base/varint.ts';

const COUNT_BYTES = 4;
const INITIAL_BYTES = 1024;
/** A buffer that grew past this is given back when the batch is cleared. */
const KEPT_BYTES_MAX: number = 1024 * 1024;
/** What a buffer holds at most: its places are 32-bit numbers. */
export const BUFFER_BYTES_MAX: number = 2 ** 31 - 1;
/** Kind and three varints at their longest. */
const OPERATION_OVERHEAD = 1 + 8 + 8 + 8;

/** Where an operation lies that was just encoded: it is applied from there without being read again. */
export class EncodedOperation {
  bytes: Uint8Array = EMPTY;
  /** Where the operation, or the batch that it is alone in, begins. */
  start = 0;
  kind = 0;
  keyspaceId = 0;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;

  /**
   * Encodes an operation at `at` of `bytes`, which have room for it; returns the offset behind it. The value is ignored for
   * a delete; for a range delete it is the exclusive end.
   */
  encode(
    bytes: Uint8Array,
    start: number,
    kind: number,
    keyspaceId: number,
    key: Uint8Array,
    value: Uint8Array,
  ): number {
    const keyLength = key.length;
    let at = start;
    bytes[at++] = kind;
    at = putVarint(bytes, at, keyspaceId);
    at = putVarint(bytes, at, keyLength);
    this.bytes = bytes;
    this.start = start;
    this.kind = kind;
    this.keyspaceId = keyspaceId;
    this.keyStart = at;
    // Whole arrays: a range would cost a view, which costs more than the copy.
    bytes.set(key, at);
    at += keyLength;
    this.keyEnd = at;
    this.valueStart = at;
    if (kind !== KIND_DELETE) {
      const valueLength = value.length;
      at = putVarint(bytes, at, valueLength);
      this.valueStart = at;
      bytes.set(value, at);
      at += valueLength;
    }
    this.valueEnd = at;
    return at;
  }

  /** The same as a batch of its own. */
  encodeBatch(
    bytes: Uint8Array,
    start: number,
    kind: number,
    keyspaceId: number,
    key: Uint8Array,
    value: Uint8Array,
  ): number {
    putU32(bytes, start, 1);
    const end = this.encode(bytes, start + COUNT_BYTES, kind, keyspaceId, key, value);
    this.start = start;
    return end;
  }
}

/** Most bytes of a batch of one operation beside its key and value. */
export const BATCH_OVERHEAD_MAX: number = COUNT_BYTES + OPERATION_OVERHEAD;

/** A place in a batch that is being filled. */
export interface BatchMark {
  readonly length: number;
  readonly count: number;
  readonly expiries: number;
  readonly merges: number;
}

/** A batch being filled; grows by doubling. */
export class BatchBuffer {
  bytes: Uint8Array;
  /** Bytes used, the count included. */
  length: number = COUNT_BYTES;
  count = 0;
  /** Merges among them. */
  merges = 0;
  /** The operation that was added last. */
  readonly last: EncodedOperation = new EncodedOperation();
  /** Of each put that expires where its expiry stands, and the time to live that it was added with. */
  #expiries: { readonly at: number; readonly ttlMs: number }[] = [];

  readonly #bytesMax: number;

  /** @param bytes room that it begins with */
  constructor(bytes: number = INITIAL_BYTES, bytesMax: number = BUFFER_BYTES_MAX) {
    this.bytes = new Uint8Array(bytes);
    this.#bytesMax = bytesMax;
  }

  /**
   * Appends one operation (EncodedOperation.encode); a value that expires comes with its time to live (`withTtl`).
   *
   * @throws invalid `BATCH_TOO_LARGE`, busy `OUT_OF_MEMORY`, and nothing was appended
   */
  add(kind: number, keyspaceId: number, key: Uint8Array, value: Uint8Array): void {
    const wanted = this.length + OPERATION_OVERHEAD + key.length + value.length;
    if (wanted > this.bytes.length) this.#grow(wanted);
    this.length = this.last.encode(this.bytes, this.length, kind, keyspaceId, key, value);
    this.count++;
    putU32(this.bytes, 0, this.count);
    if (kind === KIND_PUT_EXPIRY)
      this.#expiries.push({ at: this.last.valueStart, ttlMs: expiryOf(value, 0) });
    else if (kind === KIND_MERGE) this.merges++;
  }

  /** Puts that expire begin with their time to live again, as when they were added. */
  unstamp(): void {
    for (const { at, ttlMs } of this.#expiries) stampExpiry(this.bytes, at, ttlMs, 0);
  }

  /**
   * The batch is written at `time`: from then on its times to live count. Said again, the last time holds. True when
   * anything in it expires.
   */
  stamp(time: number): boolean {
    for (const { at, ttlMs } of this.#expiries) stampExpiry(this.bytes, at, ttlMs, time);
    return this.#expiries.length > 0;
  }

  /** What is in it now, to go back to. */
  mark(): BatchMark {
    const { length, count, merges } = this;
    return { length, count, expiries: this.#expiries.length, merges };
  }

  /**
   * Takes back what was added since the mark. Whoever holds `bytes` keeps what it has seen: what comes now goes elsewhere.
   *
   * @throws busy `OUT_OF_MEMORY`, and nothing was taken back
   */
  rewind({ length, count, expiries, merges }: BatchMark): void {
    const bytes = ownBytes(this.bytes.length);
    bytes.set(this.bytes);
    this.bytes = bytes;
    this.length = length;
    this.count = count;
    this.merges = merges;
    putU32(this.bytes, 0, count);
    this.#expiries.length = expiries;
    if (count !== 1) return;
    const reader = new BatchReader();
    reader.reset(this.bytes, 0, length, undefined);
    reader.next();
    const { last } = this;
    last.bytes = this.bytes;
    last.start = COUNT_BYTES;
    last.kind = reader.kind;
    last.keyspaceId = reader.keyspaceId;
    last.keyStart = reader.keyStart;
    last.keyEnd = reader.keyEnd;
    last.valueStart = reader.valueStart;
    last.valueEnd = reader.valueEnd;
  }

  /** Back to an empty batch that may be filled again. */
  clear(): void {
    if (this.bytes.length > KEPT_BYTES_MAX) this.bytes = new Uint8Array(INITIAL_BYTES);
    // It may be the only one that still holds a buffer which was given back, or outgrown.
    this.last.bytes = this.bytes;
    putU32(this.bytes, 0, 0);
    this.length = COUNT_BYTES;
    this.count = 0;
    this.merges = 0;
    if (this.#expiries.length > 0) this.#expiries = [];
  }

  #grow(wanted: number): void {
    const max = this.#bytesMax;
    if (wanted > max) {
      const message = `a batch of ${wanted} bytes is over what is held in memory (${max})`;
      throw invalid('BATCH_TOO_LARGE', message, { got: wanted, max });
    }
    const grown = ownBytes(Math.min(max, Math.max(wanted, this.bytes.length * 2)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

/** Where the bytes of a batch come from, for errors; may be one object that the caller changes per batch. */
export interface BatchSource {
  readonly file: string;
  readonly offset: number;
}

/**
 * A walk over the operations of a batch. Believes nothing: what does not decode is `corruption`, a kind of a later
 * release is `invalid` with code UNSUPPORTED_KIND. The fields lend ranges of `bytes`, valid until `reset`.
 */
export class BatchReader {
  bytes: Uint8Array = new Uint8Array(0);
  count = 0;
  kind = 0;
  keyspaceId = 0;
  keyStart = 0;
  keyEnd = 0;
  /** Empty for a delete. */
  valueStart = 0;
  valueEnd = 0;
  readonly #reader: ByteReader = new ByteReader(this.bytes);
  #left = 0;
  #where: BatchSource | undefined;

  /** To before the first operation of the batch in [start, end). */
  reset(bytes: Uint8Array, start: number, end: number, where: BatchSource | undefined): void {
    this.bytes = bytes;
    this.#where = where;
    if (end - start < COUNT_BYTES) throw this.#damaged('has no count');
    this.count = getU32(bytes, start);
    this.#left = this.count;
    this.#reader.reset(bytes, start + COUNT_BYTES, end);
  }

  /** Lets go of the bytes: a reader that is kept would keep them in memory. */
  release(): void {
    this.bytes = EMPTY;
    this.#reader.reset(EMPTY, 0, 0);
  }

  /** To the next operation; false behind the last. */
  next(): boolean {
    const reader = this.#reader;
    if (this.#left === 0) {
      if (reader.at !== reader.end) throw this.#damaged('has bytes behind its last operation');
      return false;
    }
    this.#left--;
    const kind = reader.byte();
    if (!isReadableKind(kind) && !reader.failed) throw this.#unsupported(kind);
    this.kind = kind;
    this.keyspaceId = this.#varint();
    const keyLength = this.#varint();
    this.keyStart = reader.skip(keyLength);
    this.keyEnd = this.keyStart + keyLength;
    this.valueStart = this.keyEnd;
    this.valueEnd = this.keyEnd;
    if (kind !== KIND_DELETE) {
      const valueLength = this.#varint();
      this.valueStart = reader.skip(valueLength);
      this.valueEnd = this.valueStart + valueLength;
      if (kind === KIND_RANGE_DELETE && valueLength > KEY_BYTES_MAX)
        throw this.#damaged('has an oversized range end');
    }
    if (reader.failed) throw this.#damaged('is shorter than its count says');
    if (keyLength > KEY_BYTES_MAX) throw this.#damaged('has an oversized key');
    if (kind === KIND_PUT_EXPIRY && !isExpiryIntact(this.bytes, this.valueStart, this.valueEnd))
      throw this.#damaged(
        `has a put with expiry whose value does not begin with ${EXPIRY_BYTES} bytes of time`,
      );
    if (kind === KIND_MERGE && !isOperandList(this.bytes, this.valueStart, this.valueEnd))
      throw this.#damaged('has a merge without a whole list of operands');
    return true;
  }

  /** Most lengths and ids are below 128: one byte, without the general loop. */
  #varint(): number {
    const reader = this.#reader;
    if (reader.at < reader.end) {
      const byte = this.bytes[reader.at]!;
      if (byte < 128) {
        reader.at++;
        return byte;
      }
    }
    return reader.varint();
  }

  #damaged(what: string): VarveError {
    return corruption(`a write batch ${what}`, this.#context());
  }

  #unsupported(kind: number): VarveError {
    const message = `a write batch holds an operation of kind ${kindName(kind)}, which this release can not read`;
    return invalid('UNSUPPORTED_KIND', message, { kind, ...this.#context() });
  }

  #context(): Record<string, unknown> {
    const where = this.#where;
    return where === undefined ? { at: this.#reader.at } : { file: where.file, offset: where.offset };
  }
}
