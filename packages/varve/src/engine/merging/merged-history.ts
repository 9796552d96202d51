/**
 * Values of the versions of a key for `keyspace.history`: merges among them are what the operator makes of them.
 *
 * One pass from the oldest to the newest, each value being what the operands behind it are merged with: a thousand merges take a
 * thousand steps, and operands of versions that are not shown are merged all at once. What a merge stands on counts as expired by
 * the time of the merge, so from some operand on there may be nothing below them: then all operands since are merged again, without it.
 * Nothing is read here: the operator is user code.
 */
import { cloneOf } from '../../base/bytes.ts';
import { operatorMissing, runMerge } from '../../base/merge-operator.ts';
import { copyOperands } from '../../base/operands.ts';
import type { Tree } from '../tree.ts';
import { storedOperator } from './merged-value.ts';

/** A version, or a delete, of the key. */
interface Version {
  readonly sequence: number;
  readonly kind: 'put' | 'merge' | 'delete' | 'rangeDelete';
  /** Of a merge its operands. */
  readonly value: Uint8Array;
  readonly expiresAt: number | undefined;
}

/**
 * The values of the first `count` of `versions`, which are the newest first and go on to what merges stand on; undefined for deletes.
 *
 * @param timesOf when sequences were committed; asked where something expires under merges
 * @throws invalid `MERGE_OPERATOR_MISSING`, `MERGE_FAILED`
 */
export function mergedValues(
  tree: Tree,
  key: Uint8Array,
  versions: readonly Version[],
  count: number,
  timesOf: (sequences: readonly number[]) => readonly number[],
): (Uint8Array | undefined)[] {
  const values: (Uint8Array | undefined)[] = [];
  for (let at = 0; at < count; ) {
    const { kind, value } = versions[at]!;
    if (kind === 'merge') {
      let below = at + 1;
      while (versions[below]?.kind === 'merge') below++;
      const merges = versions.slice(at, below).reverse();
      const found = valuesOfMerges(
        tree,
        key,
        versions[below],
        merges,
        below - Math.min(below, count),
        timesOf,
      );
      values.push(...found.reverse());
      at = below;
    } else {
      values.push(kind === 'put' ? value : undefined);
      at++;
    }
  }
  return values;
}

/** What merges on `base`, the oldest first, make of it one by one, without the first `hidden` ones. */
function valuesOfMerges(
  tree: Tree,
  key: Uint8Array,
  base: Version | undefined,
  merges: readonly Version[],
  hidden: number,
  timesOf: (sequences: readonly number[]) => readonly number[],
): Uint8Array[] {
  const { operator } = tree.code;
  if (operator === undefined) throw operatorMissing(tree.name, key, storedOperator(tree));
  const values: Uint8Array[] = [];
  let existing = base?.kind === 'put' ? base.value : undefined;
  let times: readonly number[] | undefined;
  if (base?.expiresAt !== undefined) times = timesOf(merges.map(({ sequence }) => sequence));
  let operands: Uint8Array[] = [];
  for (const [at, merge] of merges.entries()) {
    copyOperands(merge.value, 0, merge.value.length, operands);
    if (at < hidden) continue;
    if (times !== undefined && base!.expiresAt! <= times[at]!) {
      // It is nothing for all of them from here on.
      times = undefined;
      existing = undefined;
      operands = [];
      for (const each of merges.slice(0, at + 1)) copyOperands(each.value, 0, each.value.length, operands);
    }
    existing = cloneOf(runMerge(operator, tree.name, key, existing, operands));
    operands = [];
    values.push(existing);
  }
  return values;
}
