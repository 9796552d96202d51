/**
 * The public types of reads of the past: versions of a key, differences between two states.
 */
import type { Keyspace, Range, Sequence } from './keyspace-types.ts';

/** One keyspace, or a range of it; without one all keyspaces, with keys and values as bytes. */
export interface DiffOptions<K, V> extends Range<K> {
  keyspace?: Keyspace<K, V>;
}

/** A key that two states have different values for; `undefined` where it was not there. */
export interface Difference<K, V> {
  readonly keyspace: string;
  readonly key: K;
  readonly before: V | undefined;
  readonly after: V | undefined;
}

/** How far back a keyspace can be read. */
export interface HistoryStart {
  readonly sequence: Sequence;
  /** Milliseconds since 1970. */
  readonly time: number;
}
