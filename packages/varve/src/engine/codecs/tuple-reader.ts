/**
 * Reads what tuple.ts writes (its byte table is there). Trusts nothing: every length is checked before it is used, and
 * bytes that no tuple has are KEY_INVALID with their offset in the key. Type codes of the layout that this release does
 * not write (float32, UUID, versionstamp) are refused by their number.
 */
import { cloneRange } from '../../base/bytes.ts';
import type { VarveError } from '../../base/errors.ts';
import { invalid } from '../../base/errors.ts';
import { decodeText } from './utf8.ts';

const DEPTH_MAX = 100;

export class TupleReader {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#at = start;
  }

  /** All elements. */
  all(): unknown[] {
    const elements: unknown[] = [];
    while (this.#at < this.#end) elements.push(this.#element(0));
    return elements;
  }

  #element(depth: number): unknown {
    const code = this.#bytes[this.#at++]!;
    switch (code) {
      case 0x00:
        return null;
      case 0x01:
        return this.#content();
      case 0x02: {
        const at = this.#at;
        const content = this.#content();
        const text = decodeText(content, 0, content.length);
        if (text === undefined) throw this.#damaged('a string that is not UTF-8', at);
        return text;
      }
      case 0x05:
        return this.#nested(depth + 1);
      case 0x0b:
        return this.#big(this.#byte() ^ 0xff, true);
      case 0x14:
        return 0;
      case 0x1d:
        return this.#big(this.#byte(), false);
      case 0x21:
        return this.#float();
      case 0x26:
        return false;
      case 0x27:
        return true;
      default:
        if (code >= 0x0c && code <= 0x13) return this.#integer(0x14 - code, true);
        if (code >= 0x15 && code <= 0x1c) return this.#integer(code - 0x14, false);
        throw this.#damaged(`type code 0x${code.toString(16).padStart(2, '0')}`, this.#at - 1);
    }
  }

  #nested(depth: number): unknown[] {
    if (depth > DEPTH_MAX) throw this.#damaged('too deep a nesting', this.#at);
    const elements: unknown[] = [];
    for (;;) {
      if (this.#at >= this.#end) throw this.#damaged('a nested tuple without end', this.#at);
      if (this.#bytes[this.#at] !== 0x00) elements.push(this.#element(depth));
      else if (this.#at + 1 < this.#end && this.#bytes[this.#at + 1] === 0xff) {
        this.#at += 2;
        elements.push(null);
      } else {
        this.#at++;
        return elements;
      }
    }
  }

  /** Bytes up to the closing 00, with 00 ff turned back to 00. */
  #content(): Uint8Array {
    const from = this.#at;
    let escapes = 0;
    let to = from;
    for (;;) {
      if (to >= this.#end) throw this.#damaged('content without end', from);
      if (this.#bytes[to] !== 0) to++;
      else if (to + 1 < this.#end && this.#bytes[to + 1] === 0xff) {
        escapes++;
        to += 2;
      } else break;
    }
    this.#at = to + 1;
    if (escapes === 0) return cloneRange(this.#bytes, from, to);
    const content = new Uint8Array(to - from - escapes);
    for (let i = from, j = 0; i < to; i++) {
      content[j++] = this.#bytes[i]!;
      if (this.#bytes[i] === 0) i++;
    }
    return content;
  }

  #byte(): number {
    if (this.#at >= this.#end) throw this.#damaged('an element that is cut', this.#at);
    return this.#bytes[this.#at++]!;
  }

  #integer(size: number, negative: boolean): number | bigint {
    if (size > 6) return this.#big(size, negative);
    if (size > this.#end - this.#at) throw this.#damaged('an integer that is cut', this.#at);
    const flip = negative ? 0xff : 0;
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + (this.#bytes[this.#at++]! ^ flip);
    return negative && value !== 0 ? -value : value;
  }

  #big(size: number, negative: boolean): number | bigint {
    if (size > this.#end - this.#at) throw this.#damaged('an integer that is cut', this.#at);
    const flip = negative ? 0xff : 0;
    let value = 0n;
    for (let i = 0; i < size; i++) value = (value << 8n) | BigInt(this.#bytes[this.#at++]! ^ flip);
    if (negative) value = -value;
    const safe = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
    return safe ? Number(value) : value;
  }

  #float(): number {
    if (this.#end - this.#at < 8) throw this.#damaged('a float that is cut', this.#at);
    const view = new DataView(new ArrayBuffer(8));
    const negative = this.#bytes[this.#at]! < 0x80;
    for (let i = 0; i < 8; i++) {
      const byte = this.#bytes[this.#at++]!;
      view.setUint8(i, negative ? byte ^ 0xff : i === 0 ? byte ^ 0x80 : byte);
    }
    return view.getFloat64(0);
  }

  #damaged(what: string, at: number): VarveError {
    const offset = at - this.#start;
    return invalid('KEY_INVALID', `tuple: wanted the bytes of a tuple, got ${what} at offset ${offset}`, {
      codec: 'tuple',
      wanted: 'the bytes of a tuple',
      got: what,
      offset,
    });
  }
}
