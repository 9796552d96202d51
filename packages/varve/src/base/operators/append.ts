/**
 * Puts the bytes of operands behind those of the value.
 */
import { joinLists } from '../operands.ts';
import type { MergeOperator } from '../merge-operator.ts';

/**
 * Appends: the value is what was put last followed by all operands since. For `bytes` and `utf8`; a separator is the caller's.
 *
 * @example
 * const logs = db.keyspace('logs', { key: utf8, value: utf8, mergeOperator: append });
 * logs.merge('job-7', 'started\n');
 */
export const append: MergeOperator = {
  name: 'varve.append',
  version: 1,
  merge: (_key, existing, operands) => joinLists(existing === undefined ? operands : [existing, ...operands]),
  partialMerge: (_key, older, newer) => joinLists([older, newer]),
};
