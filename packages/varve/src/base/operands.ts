/**
 * The value of a merge entry: operands in the order in which they were written, the oldest first.
 *
 *   repeated, at least once                                   PERSISTED
 *     1-5   varint  length
 *           bytes   operand, as the value codec of the keyspace encodes it
 *
 * So the operands of two entries that follow each other are those of both, one list behind the other: joining needs no user
 * code. Decoders check a list with `isOperandList` before they believe it. Log, memtables and tables hold the same form.
 */
import { cloneRange, EMPTY } from './bytes.ts';
import { ByteReader, putVarint, varintLength } from './varint.ts';

const reader = new ByteReader(EMPTY);

/** A list of one operand. */
export function operandList(operand: Uint8Array): Uint8Array {
  const list = new Uint8Array(varintLength(operand.length) + operand.length);
  list.set(operand, putVarint(list, 0, operand.length));
  return list;
}

/** Is [start, end) a list of operands, whole and not empty? */
export function isOperandList(bytes: Uint8Array, start: number, end: number): boolean {
  reader.reset(bytes, start, end);
  while (!reader.failed && reader.at < end) reader.skip(reader.varint());
  // It stays, and would keep the bytes in memory.
  reader.bytes = EMPTY;
  return end > start && !reader.failed;
}

/** Appends copies of the operands of a list to `to`. */
export function copyOperands(bytes: Uint8Array, start: number, end: number, to: Uint8Array[]): void {
  eachOperand(bytes, start, end, (from, until) => to.push(cloneRange(bytes, from, until)));
}

/** Appends copies of the operands of a list to `to`, the newest first. */
export function copyNewestFirst(bytes: Uint8Array, start: number, end: number, to: Uint8Array[]): void {
  // Most lists have one operand, of less than 128 bytes.
  if (bytes[start]! < 128 && start + 1 + bytes[start]! === end) {
    to.push(cloneRange(bytes, start + 1, end));
    return;
  }
  const own: Uint8Array[] = [];
  copyOperands(bytes, start, end, own);
  for (let i = own.length - 1; i >= 0; i--) to.push(own[i]!);
}

/** Calls `use` with the range of each operand of a list. */
export function eachOperand(
  bytes: Uint8Array,
  start: number,
  end: number,
  use: (start: number, end: number) => void,
): void {
  // Not the shared reader: `use` may come here again.
  const own = new ByteReader(bytes, start, end);
  while (own.at < end && !own.failed) {
    const length = own.varint();
    const from = own.skip(length);
    if (!own.failed) use(from, from + length);
  }
}

/** Lists, the oldest first, as one. */
export function joinLists(lists: readonly Uint8Array[]): Uint8Array {
  if (lists.length === 1) return lists[0]!;
  const joined = new Uint8Array(lists.reduce((sum, list) => sum + list.length, 0));
  let at = 0;
  for (const list of lists) {
    joined.set(list, at);
    at += list.length;
  }
  return joined;
}
