/**
 * Writes a blob file: one record after the other, in the order in which its table takes them, and the footer at the end.
 * What a reference needs is in `offset` and `length` after each `add`. A job's thread; layout in blob-format.ts.
 */
import { assert } from '../base/assert.ts';
import { copyRange, EMPTY } from '../base/bytes.ts';
import { putU32 } from '../base/fixed.ts';
import { type FileHandle, writeFully } from '../fs/file-system.ts';
import {
  BLOB_HEADER_BYTES,
  BLOB_PAYLOAD_BYTES,
  BLOB_PREFIX_BYTES,
  encodeBlobFooter,
  encodeBlobHeader,
  putBlobHead,
} from './blob-format.ts';
import { type CompressionName, compressRange, TRANSFORM_NONE, writableTransform } from './compression.ts';
import { BLOCK_BLOB, TRAILER_BYTES, UNIQUE_ID_BYTES } from './format.ts';
import { sealBlock, TableSeed } from './stored-block.ts';

export interface BlobWriterOptions {
  /** Empty, opened for writing. */
  readonly file: FileHandle;
  /** 16 bytes that no other file has. */
  readonly uniqueId: Uint8Array;
  readonly compression?: CompressionName;
}

/** What a finished blob file holds. Plain data. */
export interface BlobSummary {
  readonly bytes: number;
  readonly records: number;
  readonly recordBytes: number;
  readonly uniqueId: Uint8Array;
}

/** Unit of writes; a longer value gets a longer buffer for the moment. */
const BUFFER_BYTES = 256 * 1024;
/** Bytes that may be written and not synced: as for tables (writer.ts). */
const UNSYNCED_BYTES_MAX = 8 * 1024 * 1024;

export class BlobWriter {
  /** Of the block of the record added last. */
  offset = 0;
  length = 0;
  readonly #file: FileHandle;
  readonly #uniqueId: Uint8Array;
  readonly #seed: TableSeed;
  readonly #transform: number;
  #out: Uint8Array = new Uint8Array(BUFFER_BYTES);
  #outEnd = 0;
  #outOffset = 0;
  #synced = 0;
  #records = 0;

  /** @throws VarveError `CODEC_UNAVAILABLE` (invalid): the runtime can not write the asked compression. */
  constructor({ file, uniqueId, compression = 'none' }: BlobWriterOptions) {
    assert(uniqueId.length === UNIQUE_ID_BYTES, 'the id of a blob file has 16 bytes');
    this.#transform = writableTransform(compression);
    this.#file = file;
    this.#uniqueId = uniqueId.slice();
    this.#seed = new TableSeed(uniqueId);
    this.#out.set(encodeBlobHeader(uniqueId));
    this.#outEnd = BLOB_HEADER_BYTES;
  }

  /** What a record takes in the file whose block is so long. */
  static recordBytes(length: number): number {
    return BLOB_PREFIX_BYTES + length;
  }

  /** Length of the file so far. */
  get bytes(): number {
    return this.#outOffset + this.#outEnd;
  }

  add(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const raw = BLOB_PAYLOAD_BYTES + (keyEnd - keyStart) + (valueEnd - valueStart);
    this.#reserve(BLOB_PREFIX_BYTES + raw + TRAILER_BYTES);
    const prefixAt = this.#outEnd;
    const start = prefixAt + BLOB_PREFIX_BYTES;
    const out = this.#out;
    let end = putBlobHead(out, start, keyEnd - keyStart, valueEnd - valueStart);
    copyRange(key, keyStart, keyEnd, out, end);
    end += keyEnd - keyStart;
    copyRange(value, valueStart, valueEnd, out, end);
    end += valueEnd - valueStart;
    let transform = TRANSFORM_NONE;
    if (this.#transform !== TRANSFORM_NONE) {
      const packed = compressRange(this.#transform, out, start, end);
      if (packed !== undefined) {
        out.set(packed, start);
        end = start + packed.length;
        transform = this.#transform;
      }
    }
    this.offset = this.#outOffset + start;
    this.#outEnd = sealBlock(out, start, end, BLOCK_BLOB, transform, raw, this.#seed, this.offset);
    this.length = this.#outEnd - start;
    putU32(out, prefixAt, this.length);
    this.#records++;
  }

  /** Writes the rest, syncs and closes the file. The caller syncs the directory. */
  finish(): BlobSummary {
    const recordBytes = this.bytes - BLOB_HEADER_BYTES;
    const footer = encodeBlobFooter({ records: this.#records, recordBytes }, this.#uniqueId);
    this.#reserve(footer.length);
    this.#out.set(footer, this.#outEnd);
    this.#outEnd += footer.length;
    this.#flush();
    this.#file.sync();
    this.abandon();
    return { bytes: this.#outOffset, records: this.#records, recordBytes, uniqueId: this.#uniqueId };
  }

  /** Closes the file as it is. Idempotent. */
  abandon(): void {
    this.#out = EMPTY;
    this.#file.close();
  }

  #reserve(bytes: number): void {
    if (this.#outEnd + bytes <= this.#out.length) return;
    this.#flush();
    if (this.#outOffset - this.#synced >= UNSYNCED_BYTES_MAX) {
      this.#file.dataSync();
      this.#synced = this.#outOffset;
    }
    const wanted = Math.max(bytes, BUFFER_BYTES);
    if (wanted > this.#out.length || this.#out.length > BUFFER_BYTES) this.#out = new Uint8Array(wanted);
  }

  #flush(): void {
    writeFully(this.#file, this.#out, 0, this.#outEnd, this.#outOffset);
    this.#outOffset += this.#outEnd;
    this.#outEnd = 0;
  }
}
