/**
 * The step of a read behind operands: collects them with what they stand on (merge-chain.ts) and asks the merge operator what
 * the value is.
 *
 * The operator is user code: nothing is read behind its call, and reads that it makes itself, which it should not, do not count
 * as part of an attempt (sstable/cold-reads.ts). Only who wants the value comes here: `has`, counts and walks over keys need
 * no operator, because a key with operands always has a value.
 */
import { cloneOf } from '../../base/bytes.ts';
import type { PointResult } from '../../base/entry.ts';
import { KIND_PUT } from '../../base/kinds.ts';
import { operatorMissing, runMerge } from '../../base/merge-operator.ts';
import type { Tree } from '../tree.ts';
import { MergeChain } from './merge-chain.ts';

/** Operands in a read from which on what they made is worth remembering. */
const REMEMBERED_MIN = 2;

/** The name that the keyspace's operands are stored under; undefined: nothing is stored. */
export function storedOperator({ code, view }: Tree): string | undefined {
  return (code.storedOperator ?? view.version.record.mergeOperator)?.name;
}

/**
 * Takes the operands in `found`, the newest ones of the key for a reader at `sequence` and `time`, and leaves the value there
 * as a put of their sequence; lent until the next read of anything.
 *
 * @throws invalid `MERGE_OPERATOR_MISSING`, `MERGE_FAILED`; those of a read
 */
export function loadMerged(
  tree: Tree,
  borrowedKey: Uint8Array,
  sequence: number,
  time: number | undefined,
  found: PointResult,
): void {
  const { code, tables } = tree;
  const { operator } = code;
  if (operator === undefined) throw operatorMissing(tree.name, borrowedKey, storedOperator(tree));
  const key = cloneOf(borrowedKey);
  const newest = found.sequence;
  const view = tree.viewAt(sequence, time);
  const chain = new MergeChain(view, tables, key, sequence, time ?? tree.now(), code);
  const operands = chain.operands.reverse();
  let value = chain.existing;
  if (operands.length > 0) {
    const { cold } = tables;
    const outer = cold.attempt;
    cold.attempt = undefined;
    try {
      value = runMerge(operator, tree.name, key, chain.existing, operands);
    } finally {
      cold.attempt = outer;
    }
    if (operands.length >= REMEMBERED_MIN && chain.expiry === undefined) {
      code.remember(key, newest, value);
    }
  }
  found.kind = KIND_PUT;
  found.sequence = newest;
  found.value = value!;
  found.valueStart = 0;
  found.valueEnd = value!.length;
}

/** Does what the operands of a key stand on, which a reader has seen at `from`, expire by `to`? */
export function mergeBaseExpires(
  tree: Tree,
  key: Uint8Array,
  sequence: number,
  from: number,
  to: number,
): boolean {
  const nothing = { find: () => undefined };
  const { expiry } = new MergeChain(tree.viewAt(sequence, from), tree.tables, key, sequence, from, nothing);
  return expiry !== undefined && expiry > from && expiry <= to;
}
