/**
 * A batch in which a key is merged to more than once, or put or deleted and then merged to, in the form in which it is written:
 * each such key once. What operands stand on in their own batch is merged with them at once; operands of one key become one list.
 *
 * So (key, sequence) stays one entry everywhere: adding a batch again, as recovery and the thread that finds a dead writer's
 * batch do, gives the same and needs no user code. Runs before anything of the batch is written, and before the write lock: the
 * operator may throw (`MERGE_FAILED`), and nothing has happened then.
 *
 * As in memtables a range delete takes what came before it in the batch: operands behind it stand on nothing of the batch.
 */
import { cloneRange } from '../../base/bytes.ts';
import { EXPIRY_BYTES, expiryOf, withTtl } from '../../base/expiry.ts';
import { KIND_DELETE, KIND_MERGE, KIND_PUT, KIND_PUT_EXPIRY, KIND_RANGE_DELETE } from '../../base/kinds.ts';
import { operatorMissing, runMerge } from '../../base/merge-operator.ts';
import { copyOperands, joinLists } from '../../base/operands.ts';
import { BatchBuffer, BatchReader } from '../../record/batch.ts';
import type { Tree } from '../tree.ts';
import { LatestCovers } from './latest-covers.ts';
import { storedOperator } from './merged-value.ts';

interface Operation {
  readonly kind: number;
  readonly keyspace: number;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** Of a merge: the operation of this batch that it stands on. */
  before: Operation | undefined;
  /** Another one stands on it: it is written as part of that. */
  isJoined: boolean;
}

/** Does the batch have anything to join? */
export function mayJoin({ merges, count }: BatchBuffer): boolean {
  return merges > 0 && count > 1;
}

/** The batch as it is written; itself when every key that is merged to is there once. */
export function joinedBatch(batch: BatchBuffer, trees: ReadonlyMap<number, Tree>): BatchBuffer {
  // After a write that was refused late, they hold times.
  batch.unstamp();
  const operations = linked(batch);
  if (operations.every(({ isJoined }) => !isJoined)) return batch;
  const { bytes } = batch;
  const joined = new BatchBuffer(batch.length);
  for (const operation of operations) {
    if (operation.isJoined) continue;
    const { kind, keyspace, keyStart, keyEnd, valueStart, valueEnd } = operation;
    const key = bytes.subarray(keyStart, keyEnd);
    if (operation.before === undefined) joined.add(kind, keyspace, key, bytes.subarray(valueStart, valueEnd));
    else addMerged(joined, bytes, operation, key, trees.get(keyspace));
  }
  return joined;
}

function linked(batch: BatchBuffer): Operation[] {
  const operations: Operation[] = [];
  const newest = new Map<string, Operation>();
  const rangeDeletes = new Map<number, LatestCovers>();
  const reader = new BatchReader();
  reader.reset(batch.bytes, 0, batch.length, undefined);
  const places = new Map<Operation, number>();
  while (reader.next()) {
    const { kind, keyspaceId: keyspace, keyStart, keyEnd, valueStart, valueEnd } = reader;
    const operation: Operation = {
      kind,
      keyspace,
      keyStart,
      keyEnd,
      valueStart,
      valueEnd,
      before: undefined,
      isJoined: false,
    };
    const at = operations.push(operation) - 1;
    if (kind === KIND_RANGE_DELETE) {
      let covers = rangeDeletes.get(keyspace);
      if (covers === undefined) rangeDeletes.set(keyspace, (covers = new LatestCovers()));
      covers.add(batch.bytes.subarray(keyStart, keyEnd), batch.bytes.subarray(valueStart, valueEnd), at);
      continue;
    }
    const name = `${keyspace}/${latin1(batch.bytes, keyStart, keyEnd)}`;
    const before = newest.get(name);
    newest.set(name, operation);
    places.set(operation, at);
    if (kind !== KIND_MERGE || before === undefined) continue;
    const deletedAt = rangeDeletes.get(keyspace)?.over(batch.bytes.subarray(keyStart, keyEnd));
    if (deletedAt !== undefined && deletedAt > places.get(before)!) continue;
    operation.before = before;
    before.isJoined = true;
  }
  return operations;
}

function addMerged(
  joined: BatchBuffer,
  bytes: Uint8Array,
  last: Operation,
  key: Uint8Array,
  tree: Tree | undefined,
): void {
  const operations: KeyOperation[] = [];
  for (
    let at: Operation | undefined = last;
    at !== undefined;
    at = at.kind === KIND_MERGE ? at.before : undefined
  ) {
    operations.push({ kind: at.kind, value: bytes.subarray(at.valueStart, at.valueEnd) });
  }
  operations.reverse();
  // Without a tree the keyspace was dropped, and the write is refused for that.
  const { kind, value } = tree === undefined ? operations.at(-1)! : joinedOperation(tree, key, operations);
  joined.add(kind, last.keyspace, key, value);
}

/** What was done to a key, in the form that batches have it. */
export interface KeyOperation {
  readonly kind: number;
  readonly value: Uint8Array;
}

/**
 * The operation that does as much as several on one key, the oldest first: all merges, but for the first, which may be a put or
 * a delete. The value may be what the operator has given, lent until its next call.
 *
 * @throws invalid `MERGE_OPERATOR_MISSING`, `MERGE_FAILED`
 */
export function joinedOperation(
  tree: Tree,
  key: Uint8Array,
  operations: readonly KeyOperation[],
): KeyOperation {
  const { kind, value: below } = operations[0]!;
  const lists = operations.map(({ value }) => value);
  if (kind === KIND_MERGE) return { kind, value: joinLists(lists) };
  const { operator } = tree.code;
  if (operator === undefined) throw operatorMissing(tree.name, undefined, storedOperator(tree));
  const operands: Uint8Array[] = [];
  for (const list of lists.slice(1)) copyOperands(list, 0, list.length, operands);
  const isExpiring = kind === KIND_PUT_EXPIRY;
  const existing =
    kind === KIND_DELETE ? undefined : cloneRange(below, isExpiring ? EXPIRY_BYTES : 0, below.length);
  const value = runMerge(operator, tree.name, key.slice(), existing, operands);
  // As it stands there: a time to live, or a time.
  if (isExpiring) return { kind, value: withTtl(value, expiryOf(below, 0)) };
  return { kind: KIND_PUT, value };
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}
