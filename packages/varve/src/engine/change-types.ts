/**
 * The public form of the change feed (history/): what `db.changes` takes and gives.
 */
import type { Bytes, Keyspace, Range, Sequence } from './keyspace-types.ts';

/**
 * A place in the history of a database, to go on from: behind the batch with that sequence. Plain data, to be stored as JSON
 * beside what a consumer has made of the changes. The incarnation says which history is meant: sequences that a crash has lost are
 * given out again. Good for the directory that it came from.
 */
export interface ChangeToken {
  readonly incarnation: number;
  readonly sequence: Sequence;
}

export interface ChangesOptions<K = Bytes> {
  /**
   * Behind which batch it begins: a token; a sequence of this open, such as `snapshot.sequence`; 'oldest', with the oldest batch
   * that is kept; 'now', behind what is visible at the call. 'now' by default.
   */
  since?: ChangeToken | Sequence | 'now' | 'oldest';
  /**
   * Only these. Of a keyspace that is given itself, keys and values are what its codecs make of them; of one that is given by
   * its name, and without this option, they are bytes. A name means every keyspace that has, had or gets it:
   * one that is not there is refused only with `since: 'now'`.
   */
  keyspaces?: readonly (string | Keyspace<unknown, unknown>)[];
  /**
   * Only these keys: as the keyspace's keys when exactly one is given itself, else as bytes. `reverse` and `limit` are refused. A
   * `deleteRange` that meets it is shown as it was written, not cut.
   */
  range?: Range<K>;
  /** What a batch has to have reached before it is shown. 'disk' by default. */
  durability?: 'os' | 'disk';
  /** Ends the feed: `ABORTED`. */
  signal?: AbortSignal;
}

/** What a batch did to a key, to a range of keys, or to a keyspace. */
export type ChangeOperation<K = Bytes, V = Bytes> =
  | {
      readonly type: 'put';
      readonly keyspace: string;
      readonly key: K;
      readonly value: V;
      /** Milliseconds since 1970, of puts with a time to live. */
      readonly expiresAt?: number;
    }
  | { readonly type: 'delete'; readonly keyspace: string; readonly key: K }
  /** All keys of [gte, lt), those that operations before it in the batch have put as well. */
  | { readonly type: 'deleteRange'; readonly keyspace: string; readonly range: { gte: K; lt: K } }
  /** All that the batch has merged to the key, the oldest first; what it has put or deleted before them is one put with them. */
  | { readonly type: 'merge'; readonly keyspace: string; readonly key: K; readonly operands: readonly V[] }
  | {
      readonly type: 'createKeyspace';
      readonly keyspace: string;
      readonly keyCodec: string;
      readonly valueCodec: string;
    }
  /** With all that is in it. */
  | { readonly type: 'dropKeyspace'; readonly keyspace: string };

/** A committed batch: operations that became visible together, in the order in which they were written. */
export interface Change<K = Bytes, V = Bytes> {
  /** To go on behind it. Of a part of an ingestion that is not the last: before it all. */
  readonly token: ChangeToken;
  readonly sequence: Sequence;
  /** When it was written, milliseconds since 1970 by the database's clock; undefined with `timestamps: false`. */
  readonly time: number | undefined;
  readonly operations: readonly ChangeOperation<K, V>[];
  /** What `db.ingest` or a transaction larger than a batch has brought comes in parts, of one sequence, that belong together. */
  readonly ingestion?: { readonly part: number; readonly isLast: boolean };
}

/**
 * The changes, from where it began and on into those to come: it has no end of its own. Iterate once; leaving the loop closes
 * it. While it is open it keeps the log that it has not shown yet, up to `changesRetention.bytesMax`. While something waits for its next
 * change the process stays alive.
 *
 * Errors of the iteration: `CHANGES_TOO_SLOW`, `ABORTED`, `CLOSED` (closed) when it or the database was closed, `POISONED` behind what
 * was durable before, `INGESTION_GONE` (invalid, with `context.keyspaces`, to be read by other means, and `context.next`, a token to go on
 * from), `KEY_INVALID`, `VALUE_INVALID` from codecs, `CORRUPTION`, `IO_ERROR`.
 */
export interface ChangeFeed<K = Bytes, V = Bytes>
  extends AsyncIterableIterator<Change<K, V>>,
    AsyncDisposable {
  /** How far it has looked: behind the last change it gave, and behind what it left out since. */
  readonly token: ChangeToken;
  /** Ends it; what waits for its next change gets `CLOSED`. Idempotent. */
  close(): void;
}

/** Change feeds of a database. */
export interface ChangesStats {
  /** That are open. */
  feeds: number;
  /** What the one that is furthest behind has looked at. */
  oldestSequence?: Sequence;
  /** Log that nothing but feeds needs. */
  retainedSegments: number;
  retainedBytes: number;
}
