/**
 * The shared algorithms that are checked. Those of `instances` are searched whole within seconds and run in every test run;
 * `deep` ones take minutes.
 */
import type { Instance } from './instance.ts';
import { cacheDeepInstances, cacheInstances } from './cache.check.ts';
import { commitDeepInstances, commitInstances } from './commit.check.ts';
import { epochDeepInstances, epochInstances } from './epochs.check.ts';
import { lockDeepInstances, lockInstances, slotInstances } from './lock.check.ts';
import { lockRecordDeepInstances, lockRecordInstances } from './lock-records.check.ts';
import {
  registerDeepInstances,
  registerInstances,
  sequenceDeepInstances,
  sequenceInstances,
} from './sequence.check.ts';
import { skiplistDeepInstances, skiplistInstances } from './skiplist.check.ts';
import { viewDeepInstances, viewInstances } from './views.check.ts';

export interface Algorithm {
  readonly name: string;
  readonly instances: readonly Instance[];
  readonly deep: readonly Instance[];
}

export const algorithms: readonly Algorithm[] = [
  { name: 'cache', instances: cacheInstances, deep: cacheDeepInstances },
  { name: 'commit', instances: commitInstances, deep: commitDeepInstances },
  { name: 'epochs', instances: epochInstances, deep: epochDeepInstances },
  { name: 'sequence', instances: sequenceInstances, deep: sequenceDeepInstances },
  { name: 'slots', instances: slotInstances, deep: [] },
  { name: 'register', instances: registerInstances, deep: registerDeepInstances },
  { name: 'lock', instances: lockInstances, deep: lockDeepInstances },
  { name: 'lock-records', instances: lockRecordInstances, deep: lockRecordDeepInstances },
  { name: 'skiplist', instances: skiplistInstances, deep: skiplistDeepInstances },
  { name: 'views', instances: viewInstances, deep: viewDeepInstances },
];
