/**
 * Names of keyspaces that are gone. A change of such a keyspace is older than the record that drops it, which has the name: it lies
 * ahead in what a feed keeps of the log. Looked for once for each keyspace that a feed meets and nobody knows, to the end of the log.
 */
import { cloneRange } from '../base/bytes.ts';
import { decodeKeyspaceChange } from '../engine/keyspace-change.ts';
import { RECORD_KEYSPACE } from '../record/log-record.ts';
import type { ChangeFilter } from './change-feed-filter.ts';
import type { ChangeFeedReader } from './change-feed-reader.ts';

/** So that others get a turn. */
export interface Pace {
  /** Another record was looked at: true when it is time for a pause. */
  count(): boolean;
  /** Throws when there is nothing to be looked at any more. */
  pause(): Promise<void>;
}

/** Tells `filter` of all keyspaces that are dropped between the place of `reader` and `limit`. */
export async function lookAhead(
  reader: ChangeFeedReader,
  limit: number,
  filter: ChangeFilter,
  pace: Pace,
): Promise<void> {
  const { record } = reader;
  for (;;) {
    const found = reader.advance(limit);
    if (found === 'none') return;
    if (found === 'more' || pace.count()) await pace.pause();
    if (found === 'more' || record.header.kind !== RECORD_KEYSPACE) continue;
    const body = cloneRange(record.bytes, record.bodyStart, record.bodyEnd);
    const change = decodeKeyspaceChange(body, { file: record.path, offset: record.offset });
    if (change.change === 'drop') filter.dropped(change.id, change.name ?? `#${change.id}`);
  }
}
