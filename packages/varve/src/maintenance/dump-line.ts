/**
 * One line of a dump, and how it shows keys, values and times.
 *
 * Keys and values are text when their bytes are plain UTF-8, else '0x' and hex digits. Invariant: what is shown can be taken
 * back to its bytes. Text that begins with '0x' itself is shown in hex for that reason, and so is text with control
 * characters other than tab and line end, which also keeps it from driving a terminal.
 */

import { EXPIRY_BYTES, expiryOf } from '../base/expiry.ts';
import type { ExpiryFacts } from '../base/expiry-tally.ts';
import { KIND_MERGE, KIND_PUT_EXPIRY } from '../base/kinds.ts';
import { eachOperand } from '../base/operands.ts';

/** One line of a dump. */
export interface DumpLine {
  /** Byte offset in the file: of the record, the operation, the block, or the block that holds the entry. */
  offset: number;
  /** 'batch', 'put', 'delete', 'keyspace', 'footer', 'data', 'edit', 'add-file', 'damage', 'tail' ... */
  kind: string;
  /**
   * Numbers, strings, booleans and lists of numbers by name. Keys and values are text, or '0x' and hex digits when they are
   * no plain text; of a value over 1,024 bytes only the beginning stands there, and `valueBytes` is its length.
   */
  detail: Record<string, unknown>;
}

/** Bytes of a value that are shown. */
const VALUE_BYTES_MAX = 1024;
/** Operands of a merge that are shown. */
const OPERANDS_MAX = 16;

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const notPlain = /^0x|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;

/** [start, end) as text or hex. */
export function showBytes(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  const part = bytes.subarray(start, end);
  try {
    const text = strict.decode(part);
    if (!notPlain.test(text)) return text;
  } catch {
    // Not UTF-8: hex.
  }
  return showHex(part);
}

export function showHex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}`;
}

/** The members of a detail that show the stored value of an entry: that of one that expires with the time at which it does. */
export function storedDetail(
  kind: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): {
  expires?: string | number;
  value?: string;
  valueBytes?: number;
  operands?: string[];
  operandCount?: number;
} {
  if (kind === KIND_MERGE) return operandsDetail(bytes, start, end);
  if (kind !== KIND_PUT_EXPIRY) return valueDetail(bytes, start, end);
  return { expires: showTime(expiryOf(bytes, start)), ...valueDetail(bytes, start + EXPIRY_BYTES, end) };
}

/** The first operands of a merge, and how many there are when that are more. */
function operandsDetail(
  bytes: Uint8Array,
  start: number,
  end: number,
): { operands: string[]; operandCount?: number } {
  const operands: string[] = [];
  let operandCount = 0;
  eachOperand(bytes, start, end, (from, to) => {
    operandCount++;
    if (operands.length < OPERANDS_MAX) operands.push(valueDetail(bytes, from, to).value);
  });
  return operandCount > operands.length ? { operands, operandCount } : { operands };
}

/** The members of a detail that show the value in [start, end): all of it, or the beginning and the length. */
export function valueDetail(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): { value: string; valueBytes?: number } {
  if (end - start <= VALUE_BYTES_MAX) return { value: showBytes(bytes, start, end) };
  let cut = start + VALUE_BYTES_MAX;
  // Not inside a character of UTF-8, whose later bytes are 10xxxxxx.
  for (let back = 0; back < 3 && (bytes[cut]! & 0xc0) === 0x80; back++) cut--;
  return { value: showBytes(bytes, start, cut), valueBytes: end - start };
}

/** Milliseconds since 1970 as ISO 8601; as they are when they are no time. */
export function showTime(ms: number): string | number {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? ms : time.toISOString();
}

/** The members of a detail that say how many entries of a table expire, and when. */
export function expiryDetail(facts: ExpiryFacts): Record<string, unknown> {
  return {
    expiring: facts.expiring,
    earliestExpiry: showTime(facts.earliestExpiry),
    latestExpiry: showTime(facts.latestExpiry),
  };
}
