/**
 * Writing and reading the fields of manifest records: varints, length-prefixed bytes and text, 64-bit floats.
 *
 * The reader trusts nothing: every length is checked against the range before it is used, and whatever does not fit raises
 * `corruption` with the file and the offset of the record. Used by version-edit.ts and file-meta.ts, not per entry.
 */
import { cloneRange } from '../base/bytes.ts';
import { corruption } from '../base/errors.ts';
import { ByteReader, putVarint } from '../base/varint.ts';

const VARINT_BYTES_MAX = 8;

/** Where a record stands, for error messages. */
export interface RecordPlace {
  readonly file: string;
  readonly offset: number;
}

/** Fields appended to a growable buffer. */
export class FieldWriter {
  #bytes: Uint8Array = new Uint8Array(256);
  #length = 0;

  varint(value: number): this {
    this.#reserve(VARINT_BYTES_MAX);
    this.#length = putVarint(this.#bytes, this.#length, value);
    return this;
  }

  /** Little-endian IEEE 754. */
  f64(value: number): this {
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value, true);
    this.#length += 8;
    return this;
  }

  /** Without a length: the reader knows it. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** With its length before it. */
  blob(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes);
  }

  text(text: string): this {
    return this.blob(new TextEncoder().encode(text));
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#length + bytes, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** Reads fields from [start, end) of `bytes`. */
export class FieldReader {
  readonly place: RecordPlace;
  readonly #reader: ByteReader;

  constructor(bytes: Uint8Array, start: number, end: number, place: RecordPlace) {
    this.#reader = new ByteReader(bytes, start, end);
    this.place = place;
  }

  get atEnd(): boolean {
    return this.#reader.at === this.#reader.end;
  }

  varint(what: string): number {
    const value = this.#reader.varint();
    if (this.#reader.failed) throw this.bad(`${what} is cut or overlong`);
    return value;
  }

  f64(what: string): number {
    const start = this.#skip(8, what);
    const { buffer, byteOffset } = this.#reader.bytes;
    return new DataView(buffer, byteOffset + start, 8).getFloat64(0, true);
  }

  /** A fresh copy of `length` bytes. */
  raw(length: number, what: string): Uint8Array {
    const start = this.#skip(length, what);
    return cloneRange(this.#reader.bytes, start, start + length);
  }

  /** A fresh copy of bytes with their length before them. */
  blob(what: string, bytesMax: number): Uint8Array {
    const length = this.varint(what);
    if (length > bytesMax) throw this.bad(`${what} has ${length} bytes, at most ${bytesMax} are allowed`);
    return this.raw(length, what);
  }

  text(what: string, bytesMax: number): string {
    const bytes = this.blob(what, bytesMax);
    try {
      // Without ignoreBOM a leading U+FEFF would be taken away, and a name would change.
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (cause) {
      throw corruption(`a manifest record is damaged: ${what} is not UTF-8`, { ...this.place }, cause);
    }
  }

  /** A reader of the next `length` bytes, which this one goes past. */
  nested(length: number, what: string): FieldReader {
    const start = this.#skip(length, what);
    return new FieldReader(this.#reader.bytes, start, start + length, this.place);
  }

  /** Throws unless everything was read. */
  finish(what: string): void {
    if (!this.atEnd) throw this.bad(`bytes follow the end of ${what}`);
  }

  bad(what: string): Error {
    return corruption(`a manifest record is damaged: ${what}`, { ...this.place });
  }

  #skip(length: number, what: string): number {
    const start = this.#reader.skip(length);
    if (start < 0) throw this.bad(`${what} is cut`);
    return start;
  }
}
