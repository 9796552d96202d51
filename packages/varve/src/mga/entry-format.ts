/**
 * Keys and values of an index in its keyspace.
 *
 * Key: the index key, then the row id for all rows of a key but the one that came first.
 *
 *   head       index key, encoded
 *   overflow   index key, encoded; row id, u64 big-endian
 *
 * The encoded index key is its bytes when all keys have the same length (`keyBytes`), else each 00 of them as 00 ff and 00 00 behind:
 * it keeps the order, and none is the beginning of another.
 *
 * Value: whose lives it has, then the lives, the newest first.
 *
 *   size    type    field
 *      1    u8      FLAGS     1 head, 2 there may be overflow entries, 4 a head of no row; others 0
 *      8    u64     tid       big-endian; of a head that has a row
 *   then for each life
 *    1-8    varint  xmin      0: by a transaction that everybody sees
 *    1-8    varint  xmax      0: not removed
 *    1-5    varint  length    of the payload
 *      n    bytes   payload
 *
 * PERSISTED: flags and order never change their meaning. Invariants: (1) a row of a key is in its head when that has its tid, else in
 * an overflow entry, never in both. (2) While there are overflow entries that have lives, there is a head with flag 2. (3) Only a head
 * with flag 2 has no lives. (4) A life ended (xmax) before the next newer one began.
 */
import { KEY_BYTES_MAX } from '../base/entry.ts';
import { corruption } from '../base/errors.ts';
import { cloneRange, copyRange, EMPTY } from '../base/bytes.ts';
import { ByteReader, putVarint, varintLength } from '../base/varint.ts';
import type { Tid, Xid } from './types.ts';

export const HEAD = 1;
export const MORE = 2;
export const NO_ROW = 4;
export const TID_BYTES = 8;
/** Of a head's key: further rows of the key have their ids behind it. */
export const HEAD_BYTES_MAX: number = KEY_BYTES_MAX - TID_BYTES;
const HALF = 4294967296;

export interface Life {
  xmin: Xid;
  xmax: Xid;
  payload: Uint8Array;
}

/** A value, decoded. */
export interface StoredEntry {
  flags: number;
  /** Of a head that has a row, else 0. */
  tid: Tid;
  lives: Life[];
}

export function decodeEntry(bytes: Uint8Array): StoredEntry {
  const reader = new ByteReader(bytes);
  const flags = reader.byte();
  let tid: Tid = 0;
  if (flags > 7) throw damaged('its flags', bytes);
  if ((flags & (HEAD | NO_ROW)) === HEAD) {
    const at = reader.skip(TID_BYTES);
    if (at < 0) throw damaged('its row id', bytes);
    tid = tidAt(bytes, at);
  }
  const lives: Life[] = [];
  while (!reader.failed && reader.at < bytes.length) {
    const xmin = reader.varint();
    const xmax = reader.varint();
    const length = reader.varint();
    const at = reader.skip(length);
    if (reader.failed || at < 0) break;
    lives.push({ xmin, xmax, payload: length === 0 ? EMPTY : cloneRange(bytes, at, at + length) });
  }
  if (reader.failed) throw damaged('its lives', bytes);
  return { flags, tid, lives };
}

export function encodeEntry({ flags, tid, lives }: StoredEntry): Uint8Array {
  const hasTid = (flags & (HEAD | NO_ROW)) === HEAD;
  let length = hasTid ? 1 + TID_BYTES : 1;
  for (const { xmin, xmax, payload } of lives) {
    length += varintLength(xmin) + varintLength(xmax) + varintLength(payload.length) + payload.length;
  }
  const bytes = new Uint8Array(length);
  bytes[0] = flags;
  let at = 1;
  if (hasTid) {
    putTid(bytes, 1, tid);
    at += TID_BYTES;
  }
  for (const { xmin, xmax, payload } of lives) {
    at = putVarint(bytes, at, xmin);
    at = putVarint(bytes, at, xmax);
    at = putVarint(bytes, at, payload.length);
    copyRange(payload, 0, payload.length, bytes, at);
    at += payload.length;
  }
  return bytes;
}

/** The value of a head whose row has one life, in `into` when that has the length. */
export function encodeFresh(tid: Tid, xmin: Xid, payload: Uint8Array, into: Uint8Array): Uint8Array {
  const { length } = payload;
  const size = 2 + TID_BYTES + varintLength(xmin) + varintLength(length) + length;
  const bytes = into.length === size ? into : new Uint8Array(size);
  bytes[0] = HEAD;
  bytes[1 + TID_BYTES + varintLength(xmin)] = 0;
  putTid(bytes, 1, tid);
  const at = putVarint(bytes, putVarint(bytes, 1 + TID_BYTES, xmin) + 1, length);
  copyRange(payload, 0, length, bytes, at);
  return bytes;
}

function damaged(what: string, bytes: Uint8Array): Error {
  return corruption(`an entry of an MGA index does not end where ${what} do`, { bytes: bytes.length });
}

export function putTid(bytes: Uint8Array, at: number, tid: Tid): void {
  const isNumber = typeof tid === 'number';
  const high = isNumber ? Math.floor(tid / HALF) : Number(tid >> 32n);
  const low = isNumber ? tid % HALF : Number(tid & 0xffff_ffffn);
  putWord(bytes, at, high);
  putWord(bytes, at + 4, low);
}

function putWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}

export function tidAt(bytes: Uint8Array, at: number): Tid {
  const high = wordAt(bytes, at);
  const low = wordAt(bytes, at + 4);
  const tid = high * HALF + low;
  return tid <= Number.MAX_SAFE_INTEGER ? tid : (BigInt(high) << 32n) | BigInt(low);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** The head's key, of the bytes of an index key. */
export function escapeKey(key: Uint8Array): Uint8Array {
  let zeros = 0;
  for (let i = 0; i < key.length; i++) if (key[i] === 0) zeros++;
  const bytes = new Uint8Array(key.length + zeros + 2);
  let at = 0;
  for (let i = 0; i < key.length; i++) {
    const byte = key[i]!;
    bytes[at++] = byte;
    if (byte === 0) bytes[at++] = 0xff;
  }
  return bytes;
}

/** The index key in [0, end) of a stored one, a copy; of nothing, which no stored one is: empty. */
export function unescapeKey(stored: Uint8Array, end: number): Uint8Array {
  if (end < 2) return new Uint8Array();
  let zeros = 0;
  // Each zero byte but the two at the end stands before an ff.
  for (let i = 0; i < end - 2; i++) if (stored[i] === 0) zeros++;
  const key = new Uint8Array(end - 2 - zeros);
  for (let i = 0, at = 0; at < key.length; i++, at++) {
    key[at] = stored[i]!;
    if (stored[i] === 0) i++;
  }
  return key;
}

/** The key of an overflow entry of the head `head`. */
export function overflowKey(head: Uint8Array, tid: Tid): Uint8Array {
  const key = new Uint8Array(head.length + TID_BYTES);
  copyRange(head, 0, head.length, key, 0);
  putTid(key, head.length, tid);
  return key;
}

/** The largest key that an overflow entry of the head can have. */
export function lastOverflowKey(head: Uint8Array): Uint8Array {
  const key = new Uint8Array(head.length + TID_BYTES).fill(0xff);
  key.set(head);
  return key;
}
