/**
 * The value of a key that a transaction has merged to: its operands on what it has put itself, or on what its snapshot has.
 */
import { cloneRange } from '../base/bytes.ts';
import { operatorMissing, runMerge } from '../base/merge-operator.ts';
import type { Session } from '../engine/core.ts';
import { findValue } from '../engine/find-value.ts';
import type { ReadPoint } from '../engine/read-point.ts';
import type { Tree } from '../engine/tree.ts';
import type { OwnMerge } from './write-set.ts';

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
