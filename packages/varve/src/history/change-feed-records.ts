/**
 * Records of the log as operations of changes: one function a kind of record. What a filter leaves out is not made; undefined
 * stands for a record of which nothing is shown.
 *
 * Keys and values are decoded out of the window that the log is read through, and are the caller's own.
 */
import { cloneRange } from '../base/bytes.ts';
import { EXPIRY_BYTES, expiryOf } from '../base/expiry.ts';
import {
  KIND_DELETE,
  KIND_MERGE,
  KIND_PUT,
  KIND_PUT_EXPIRY,
  KIND_RANGE_DELETE,
  kindName,
} from '../base/kinds.ts';
import { eachOperand } from '../base/operands.ts';
import { invalid } from '../base/errors.ts';
import type { ChangeOperation } from '../engine/change-types.ts';
import { decodeKey, decodeValue } from '../engine/codecs/codec.ts';
import { decodeKeyspaceChange } from '../engine/keyspace-change.ts';
import { BatchReader } from '../record/batch.ts';
import { decodeDecision } from '../record/prepared.ts';
import type { RecordWindow } from '../wal/record-window.ts';
import type { ChangeFilter, Selection } from './change-feed-filter.ts';

export type Operation = ChangeOperation<unknown, unknown>;

/** The operations of a batch, which begins at `start` of the record. @throws NAME_UNKNOWN and what decoding throws */
export function batchOperations(
  record: RecordWindow,
  reader: BatchReader,
  filter: ChangeFilter,
  start: number = record.bodyStart,
): Operation[] | undefined {
  let operations: Operation[] | undefined;
  reader.reset(record.bytes, start, record.bodyEnd, {
    file: record.path,
    offset: record.offset,
  });
  while (reader.next()) {
    const selection = filter.of(reader.keyspaceId);
    if (selection === null) continue;
    const operation = operationOf(reader, selection, filter);
    if (operation === undefined) continue;
    if (operations === undefined) operations = [operation];
    else operations.push(operation);
  }
  return operations;
}

function operationOf(reader: BatchReader, selection: Selection, filter: ChangeFilter): Operation | undefined {
  const { bytes, kind, keyStart, keyEnd, valueStart, valueEnd } = reader;
  const { name: keyspace, key: keyCodec } = selection;
  if (kind === KIND_RANGE_DELETE) {
    const from = cloneRange(bytes, keyStart, keyEnd);
    const to = cloneRange(bytes, valueStart, valueEnd);
    if (!filter.meets(from, to)) return undefined;
    const gte = decodeKey(keyCodec, from, 0, from.length);
    return { type: 'deleteRange', keyspace, range: { gte, lt: decodeKey(keyCodec, to, 0, to.length) } };
  }
  if (!filter.hasKey(bytes, keyStart, keyEnd)) return undefined;
  return pointOperation(selection, kind, bytes, keyStart, keyEnd, bytes, valueStart, valueEnd);
}

/** Of one key: as it stands in a batch or in a table. */
export function pointOperation(
  { name: keyspace, key: keyCodec, value: valueCodec }: Selection,
  kind: number,
  keyBytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
  bytes: Uint8Array,
  valueStart: number,
  valueEnd: number,
): Operation {
  const key = decodeKey(keyCodec, keyBytes, keyStart, keyEnd);
  switch (kind) {
    case KIND_PUT:
      return { type: 'put', keyspace, key, value: decodeValue(valueCodec, bytes, valueStart, valueEnd) };
    case KIND_DELETE:
      return { type: 'delete', keyspace, key };
    case KIND_PUT_EXPIRY:
      return {
        type: 'put',
        keyspace,
        key,
        value: decodeValue(valueCodec, bytes, valueStart + EXPIRY_BYTES, valueEnd),
        expiresAt: expiryOf(bytes, valueStart),
      };
    case KIND_MERGE: {
      const operands: unknown[] = [];
      eachOperand(bytes, valueStart, valueEnd, (start, end) =>
        operands.push(decodeValue(valueCodec, bytes, start, end)),
      );
      return { type: 'merge', keyspace, key, operands };
    }
    default:
      throw invalid('UNSUPPORTED_KIND', `a change feed does not know operations of kind ${kindName(kind)}`, {
        kind,
      });
  }
}

/** What a prepared transaction wrote, when it was committed: the record of that has it whole. */
export function decisionOperations(
  record: RecordWindow,
  reader: BatchReader,
  filter: ChangeFilter,
): Operation[] | undefined {
  const where = { file: record.path, offset: record.offset };
  const { batchStart } = decodeDecision(record.bytes, record.bodyStart, record.bodyEnd, where);
  // An empty transaction has no batch.
  if (batchStart === undefined || batchStart === record.bodyEnd) return undefined;
  return batchOperations(record, reader, filter, batchStart);
}

/** The operation of a keyspace change. */
export function keyspaceOperations(record: RecordWindow, filter: ChangeFilter): Operation[] | undefined {
  const body = cloneRange(record.bytes, record.bodyStart, record.bodyEnd);
  const change = decodeKeyspaceChange(body, { file: record.path, offset: record.offset });
  // How much of its past a keyspace keeps, and whose operands, is nothing that it holds.
  if (change.change === 'retain' || change.change === 'code') return undefined;
  if (change.change === 'drop') filter.dropped(change.id, change.name ?? `#${change.id}`);
  const selection = filter.of(change.id);
  if (selection === null) return undefined;
  const { name: keyspace } = selection;
  if (change.change === 'drop') return [{ type: 'dropKeyspace', keyspace }];
  const { keyCodec, valueCodec } = change;
  return [{ type: 'createKeyspace', keyspace, keyCodec, valueCodec }];
}
