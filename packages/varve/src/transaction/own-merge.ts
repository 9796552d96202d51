/**
 * The value of a key that a transaction has written: what it has put, or its operands on that or on what its snapshot has.
 */
import { cloneRange } from '../base/bytes.ts';
import { EXPIRY_BYTES } from '../base/expiry.ts';
import { KIND_MERGE, KIND_PUT_EXPIRY } from '../base/kinds.ts';
import { operatorMissing, runMerge } from '../base/merge-operator.ts';
import type { Session } from '../engine/core.ts';
import { findValue } from '../engine/find-value.ts';
import type { ReadPoint } from '../engine/read-point.ts';
import type { Tree } from '../engine/tree.ts';
import { givesValue, type OwnMerge, type WriteSet } from './write-set.ts';

/** Encoded, lent until the next write; undefined when it has deleted the key. `merged` gives what operands make. */
export function ownValue(
  writes: WriteSet,
  operation: number,
  merged: (key: Uint8Array, merge: OwnMerge) => Uint8Array,
): Uint8Array | undefined {
  const kind = writes.kindOf(operation);
  if (kind === KIND_MERGE) {
    const value = merged(writes.keyOf(operation), writes.mergeOf(operation));
    writes.keepMerged(operation, value);
    return value;
  }
  if (!givesValue(kind)) return undefined;
  const from = writes.valueStart(operation) + (kind === KIND_PUT_EXPIRY ? EXPIRY_BYTES : 0);
  return writes.batch.bytes.subarray(from, writes.valueEnd(operation));
}

/** `read` is asked for the point when the snapshot is read. @throws invalid `MERGE_OPERATOR_MISSING`, `MERGE_FAILED` */
export function ownMergedValue(
  { state, found }: Session,
  tree: Tree,
  key: Uint8Array,
  merge: OwnMerge,
  read: () => ReadPoint,
): Uint8Array {
  const { operator } = tree.code;
  if (operator === undefined) throw operatorMissing(tree.name, key, undefined);
  let { existing } = merge;
  if (merge.standsOnSnapshot) {
    const { sequence, time } = read();
    state.entered(() => {
      if (!findValue(tree, key, sequence, found, time)) return;
      existing = cloneRange(found.value, found.valueStart, found.valueEnd);
    });
  }
  return runMerge(operator, tree.name, key, existing, merge.operands);
}
