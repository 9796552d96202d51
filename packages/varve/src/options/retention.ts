/**
 * The setting `retention`: how much of its past a keyspace keeps (docs/guides/time-travel.md).
 */
export interface RetentionOption {
  /** States of so many milliseconds ago can be read. */
  ms?: number;
  /** So many versions of every key that is there stay. */
  versions?: number;
}

const VERSIONS_MAX = 1_000_000;

/** What was wanted, when `value` will not do. */
export function refuseRetention(value: unknown): string | undefined {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return 'an object { ms?, versions? }';
  for (const [name, each] of Object.entries(value)) {
    if (name !== 'ms' && name !== 'versions') return `no member '${name}': it has ms and versions`;
    if (each === undefined) continue;
    const max = name === 'ms' ? Number.MAX_SAFE_INTEGER : VERSIONS_MAX;
    if (!Number.isInteger(each) || (each as number) < 1 || (each as number) > max)
      return `${name} as a whole number from 1 to ${max}`;
  }
  return undefined;
}
