/**
 * The operators that come with the package, by name: jobs in other threads find them here and need no module of the user's.
 */
import type { MergeOperator } from '../merge-operator.ts';
import { append } from './append.ts';
import { counter } from './counter.ts';
import { max, min } from './extremes.ts';
import { jsonCounter, jsonMergePatch } from './json-merge-patch.ts';

const all: readonly MergeOperator[] = [append, counter, jsonCounter, jsonMergePatch, max, min];

/** The built-in operator of that name. */
export function builtInOperator(name: string): MergeOperator | undefined {
  return all.find((operator) => operator.name === name);
}
