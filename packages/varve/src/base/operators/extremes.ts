/**
 * The largest and the smallest of what was put and merged, by unsigned bytes: that is the order of values whose codec keeps
 * order (`u64`, `utf8`, `bytes`), and not that of numbers in JSON.
 */
import { compareBytes } from '../bytes.ts';
import type { MergeOperator } from '../merge-operator.ts';

/**
 * Keeps the largest value by unsigned bytes: for `u64` the largest number, for `utf8` the last string.
 *
 * @example
 * const peaks = db.keyspace('peaks', { key: utf8, value: u64, mergeOperator: max });
 * peaks.merge('cpu', 87);
 */
export const max: MergeOperator = extreme('varve.max', 1);

/** Keeps the smallest value by unsigned bytes. */
export const min: MergeOperator = extreme('varve.min', -1);

function extreme(name: string, sign: 1 | -1): MergeOperator {
  const better = (a: Uint8Array, b: Uint8Array): Uint8Array => (sign * compareBytes(b, a) > 0 ? b : a);
  return {
    name,
    version: 1,
    merge: (_key, existing, operands) =>
      existing === undefined
        ? operands.reduce((best, operand) => better(best, operand))
        : operands.reduce(better, existing),
    partialMerge: (_key, older, newer) => better(older, newer),
  };
}
