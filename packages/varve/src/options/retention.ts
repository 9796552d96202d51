/**
 * The setting `retention`: how much of its past a keyspace keeps (docs/guides/time-travel.md).
 */
import { quantity, refuseMembers } from './setting.ts';

export interface RetentionOption {
  /** States of so many milliseconds ago can be read. */
  ms?: number;
  /** So many versions of every key that is there stay. */
  versions?: number;
}

const VERSIONS_MAX = 1_000_000;

const members = {
  ms: quantity({ unit: 'ms', min: 1, max: Number.MAX_SAFE_INTEGER, doc: '' }),
  versions: quantity({ min: 1, max: VERSIONS_MAX, doc: '' }),
};

/** What was wanted, when `value` will not do. */
export function refuseRetention(value: unknown): string | undefined {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return 'an object { ms?, versions? }';
  return refuseMembers(members, value, (name) => `no member '${name}': it has ms and versions`);
}
