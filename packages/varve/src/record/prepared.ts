/**
 * The records of two-phase commit: what the log holds of a transaction that is prepared, and how it was decided.
 *
 * Body of a record of kind prepare:
 *   size     type    field
 *     1-2    varint  length of the id          at most PREPARED_ID_BYTES_MAX
 *            bytes   id, utf8
 *     1-8    varint  when it was prepared, milliseconds since 1970; 0 without timestamps
 *     1-8    varint  number of locks beside those on what it writes
 *                    each: varint keyspace, u8 end (0: the key `from` alone, 1: up to `to`, 2: to the end),
 *                    varint length and bytes of `from`, the same of `to` when end is 1
 *            bytes   batch (record/batch.ts), its times to live not stamped yet
 *
 * Body of a record of kind commit:
 *       1    u8      1: committed, 2: rolled back
 *     1-2    varint  length of the id, and its bytes
 *            bytes   when committed the batch again, stamped: it is applied at this record's sequence
 *
 * So what is committed stands whole in its own record, and the log may let go of the prepare record.
 */
import { cloneRange } from '../base/bytes.ts';
import { corruption } from '../base/errors.ts';
import { ByteReader, putVarint, varintLength } from '../base/varint.ts';
import { BatchReader, type BatchSource } from './batch.ts';

export const PREPARED_ID_BYTES_MAX = 255;

const COMMITTED = 1;
const ROLLED_BACK = 2;

const END_KEY = 0;
const END_BEFORE = 1;
const END_NONE = 2;

/** Keys of a keyspace that stay locked: `from` alone, or those from it on up to `to`. */
export interface LockedKeys {
  readonly keyspaceId: number;
  readonly from: Uint8Array;
  /** 'key': `from` alone; undefined: to the end of the keyspace. */
  readonly to: Uint8Array | 'key' | undefined;
}

export interface PreparedRecord {
  readonly id: string;
  /** When it was prepared, milliseconds since 1970; 0 without timestamps. */
  readonly time: number;
  readonly locks: readonly LockedKeys[];
  /** In the form of record/batch.ts. */
  readonly batch: Uint8Array;
}

export interface DecisionRecord {
  readonly id: string;
  /** Where the batch begins in the bytes that it was decoded from; undefined: rolled back. */
  readonly batchStart: number | undefined;
}

export function encodePrepared({ id: text, time, locks, batch }: PreparedRecord): Uint8Array {
  const id = new TextEncoder().encode(text);
  let length = varintLength(id.length) + id.length + varintLength(time);
  length += varintLength(locks.length) + batch.length;
  for (const { keyspaceId, from, to } of locks) {
    length += varintLength(keyspaceId) + 1 + varintLength(from.length) + from.length;
    if (to instanceof Uint8Array) length += varintLength(to.length) + to.length;
  }
  const bytes = new Uint8Array(length);
  let at = putBlob(bytes, 0, id);
  at = putVarint(bytes, at, time);
  at = putVarint(bytes, at, locks.length);
  for (const { keyspaceId, from, to } of locks) {
    at = putVarint(bytes, at, keyspaceId);
    bytes[at++] = to === 'key' ? END_KEY : to === undefined ? END_NONE : END_BEFORE;
    at = putBlob(bytes, at, from);
    if (to instanceof Uint8Array) at = putBlob(bytes, at, to);
  }
  bytes.set(batch, at);
  return bytes;
}

/** @throws VarveError `CORRUPTION` */
export function decodePrepared(
  bytes: Uint8Array,
  start: number,
  end: number,
  where: BatchSource,
): PreparedRecord {
  const reader = new ByteReader(bytes, start, end);
  const id = idOf(reader, where);
  const time = reader.varint();
  const locks: LockedKeys[] = [];
  for (let left = reader.varint(); left > 0 && !reader.failed; left--) {
    const keyspaceId = reader.varint();
    const kind = reader.byte();
    if (kind > END_NONE) throw damaged('a prepare record has a lock of an unknown form', where);
    const from = blobOf(reader);
    const to = kind === END_KEY ? 'key' : kind === END_NONE ? undefined : blobOf(reader);
    locks.push({ keyspaceId, from, to });
  }
  if (reader.failed) throw damaged('a prepare record is shorter than its lengths say', where);
  // Read to its end: what is wrong with it is not to be found at the commit.
  const batch = new BatchReader();
  batch.reset(bytes, reader.at, end, where);
  while (batch.next());
  return { id, time, locks, batch: cloneRange(bytes, reader.at, end) };
}

/** The part of a decision before the batch. */
export function encodeDecision(text: string, isCommitted: boolean): Uint8Array {
  const id = new TextEncoder().encode(text);
  const bytes = new Uint8Array(1 + varintLength(id.length) + id.length);
  bytes[0] = isCommitted ? COMMITTED : ROLLED_BACK;
  putBlob(bytes, 1, id);
  return bytes;
}

/** @throws VarveError `CORRUPTION` */
export function decodeDecision(
  bytes: Uint8Array,
  start: number,
  end: number,
  where: BatchSource,
): DecisionRecord {
  const reader = new ByteReader(bytes, start, end);
  const outcome = reader.byte();
  const id = idOf(reader, where);
  if (outcome !== COMMITTED && outcome !== ROLLED_BACK)
    throw damaged('a commit record has an unknown outcome', where);
  return { id, batchStart: outcome === COMMITTED ? reader.at : undefined };
}

const text = new TextDecoder('utf-8', { ignoreBOM: true });

/** The id of a prepared transaction from its stored bytes: what it was given as, also with a byte order mark in front. */
export function preparedIdOf(bytes: Uint8Array): string {
  return text.decode(bytes);
}

function idOf(reader: ByteReader, where: BatchSource): string {
  const bytes = blobOf(reader);
  if (reader.failed || bytes.length === 0 || bytes.length > PREPARED_ID_BYTES_MAX)
    throw damaged('a record of a prepared transaction has no id', where);
  return preparedIdOf(bytes);
}

function blobOf(reader: ByteReader): Uint8Array {
  const length = reader.varint();
  const from = reader.skip(length);
  return reader.failed ? new Uint8Array(0) : cloneRange(reader.bytes, from, from + length);
}

function putBlob(bytes: Uint8Array, start: number, blob: Uint8Array): number {
  const at = putVarint(bytes, start, blob.length);
  bytes.set(blob, at);
  return at + blob.length;
}

function damaged(what: string, where: BatchSource): Error {
  return corruption(what, { file: where.file, offset: where.offset });
}
