/**
 * The shared algorithms that are checked. Those of `instances` are searched whole within seconds and run in every test run;
 * `deep` ones take minutes.
 */
import type { Instance } from './instance.ts';
import { skiplistDeepInstances, skiplistInstances } from './skiplist.check.ts';

export interface Algorithm {
  readonly name: string;
  readonly instances: readonly Instance[];
  readonly deep: readonly Instance[];
}

export const algorithms: readonly Algorithm[] = [
  { name: 'skiplist', instances: skiplistInstances, deep: skiplistDeepInstances },
];
