/**
 * `keyspace.history(key)`: the versions of one key, newest first, as far as they are promised to be there.
 *
 * A version that a table happens to hold still is not shown when it may be gone after the next compaction, so the answer
 * depends on the retention and not on what ran in the background: without one it is the value that is there now. Reads the
 * current view in one go; what it reads is registered before.
 */
import { type EntryIterator, PointResult, SEQUENCE_MAX } from '../base/entry.ts';
import { cloneRange, compareRanges, EMPTY, successor } from '../base/bytes.ts';
import { invalid } from '../base/errors.ts';
import { EXPIRY_BYTES, expiryOf } from '../base/expiry.ts';
import { KIND_BLOB, KIND_DELETE, KIND_MERGE, KIND_PUT, KIND_PUT_EXPIRY } from '../base/kinds.ts';
import { decodeValue, type ValueCodec } from './codecs/codec.ts';
import { loadValue } from './blob-values.ts';
import type { Session } from './core.ts';
import type { HistoryOptions, KeyVersion } from './keyspace-types.ts';
import { checkOptionMembers } from './option-members.ts';
import type { KeptVersions } from './past.ts';
import { mergedValues } from './merging/merged-history.ts';
import { mergedSources, tombstonesOf } from './scan.ts';
import type { Tree } from './tree.ts';

/** Something that happened to a key. The bytes are copies: what a source lends is gone when it moves, and codecs are user code. */
interface KeyEvent {
  readonly sequence: number;
  readonly kind: 'put' | 'merge' | 'delete' | 'rangeDelete';
  /** Of a merge its operands. */
  readonly value: Uint8Array;
  readonly expiresAt: number | undefined;
}

const found = new PointResult();

/** @throws invalid `OPTION_INVALID`, `MERGE_OPERATOR_MISSING`, `MERGE_FAILED`; closed; corruption; io */
export function keyHistory<V>(
  core: Session,
  tree: Tree,
  key: Uint8Array,
  codec: ValueCodec<V>,
  options: HistoryOptions,
): KeyVersion<V>[] {
  const limit = checkLimit(options);
  const kept = core.past.keptOf(tree.id);
  try {
    const now = { sequence: core.state.visible, time: core.state.time.now() };
    const events = core.state.entered(() => eventsOf(tree, key, now.sequence, kept, limit));
    const shown = events.slice(0, Math.min(limit, promised(events, kept, now.time)));
    const timesOf = (sequences: readonly number[]): number[] =>
      core.past
        .latestTimesOf(sequences)
        .map((time) => Math.max(time ?? now.time, kept.start?.time ?? now.time));
    const values = mergedValues(tree, key, events, shown.length, timesOf);
    const noted = kept.start?.sequence ?? SEQUENCE_MAX;
    const times = core.past.timesOf(
      shown.map(({ sequence }) => sequence),
      noted,
    );
    return shown.map(({ sequence, expiresAt }, at) => {
      const value = values[at];
      return {
        sequence,
        time: times[at],
        isDeleted: value === undefined,
        value: value === undefined ? undefined : decodeValue(codec, value, 0, value.length),
        ...(expiresAt === undefined ? {} : { expiresAt }),
      };
    });
  } finally {
    if (kept.start !== undefined) core.register.remove(kept.start.sequence, kept.start.time);
  }
}

/** How many of the newest events are sure to be found whatever was compacted. */
function promised(events: readonly KeyEvent[], kept: KeptVersions, time: number): number {
  const newest = events[0];
  if (newest === undefined) return 0;
  const isThere = isThereAt(newest, time);
  let count = isThere ? 1 : 0;
  if (isThere) {
    // A job may meet a delete, or what has expired, without what is newer: then the key is not there for it.
    const gone = events.findIndex((event) => !isThereAt(event, time));
    count = Math.max(count, Math.min(kept.versions, gone < 0 ? events.length : gone, counting(events, kept)));
  }
  const { start } = kept;
  if (start === undefined) return count;
  const older = events.findIndex(({ sequence }) => sequence <= start.sequence);
  let inside = older < 0 ? events.length : older;
  if (older >= 0 && isThereAt(events[older]!, start.time)) inside++;
  // That nothing was there leaves no trace, and so does a delete of nothing.
  else while (inside > 0 && isDelete(events[inside - 1]!)) inside--;
  return Math.max(count, inside);
}

/** How many of the newest events are newer than the count is, or were kept when it was set. */
function counting(events: readonly KeyEvent[], { counted: { sequence, before } }: KeptVersions): number {
  if (sequence === 0) return events.length;
  const older = events.findIndex((event) => event.sequence <= sequence);
  return older < 0 ? events.length : older + before;
}

function isDelete({ kind }: KeyEvent): boolean {
  return kind === 'delete' || kind === 'rangeDelete';
}

function isThereAt(event: KeyEvent, time: number): boolean {
  return !isDelete(event) && (event.expiresAt === undefined || event.expiresAt > time);
}

/**
 * Newest first: its versions and the range deletes over it, as far back as any of them may be shown, and on to what the merges
 * among those stand on.
 */
function eventsOf(
  tree: Tree,
  key: Uint8Array,
  visible: number,
  kept: KeptVersions,
  limit: number,
): KeyEvent[] {
  const range = { lower: key, upper: successor(key) };
  const { view } = tree;
  const cover = tombstonesOf(view, tree.tables, range)?.cursor();
  const source = mergedSources(view, tree.tables, range);
  const coverAt = (sequence: number): number => cover?.coveringSequence(key, 0, key.length, sequence) ?? 0;
  const events: KeyEvent[] = [];
  const oldest = kept.start?.sequence ?? SEQUENCE_MAX;
  const enough = Math.min(limit, kept.versions);
  let deleted = coverAt(visible);
  let isEnough = false;
  source.seek(key, 0, key.length, visible);
  for (;;) {
    const isAt =
      source.valid && compareRanges(source.key, source.keyStart, source.keyEnd, key, 0, key.length) === 0;
    if (!isAt && deleted === 0) return events;
    if (isAt && source.sequence >= deleted) {
      events.push(versionAt(tree, key, source));
      source.next();
    } else {
      events.push({ sequence: deleted, kind: 'rangeDelete', value: EMPTY, expiresAt: undefined });
      deleted = coverAt(deleted - 1);
    }
    const last = events.at(-1)!;
    // Up to a version inside of the window all are promised.
    isEnough ||=
      last.sequence <= oldest ? events.length >= enough : events.length >= limit && !isDelete(last);
    if (isEnough && last.kind !== 'merge') return events;
  }
}

function versionAt(tree: Tree, key: Uint8Array, source: EntryIterator): KeyEvent {
  const { sequence, kind, value, valueStart, valueEnd } = source;
  if (kind === KIND_DELETE) return { sequence, kind: 'delete', value: EMPTY, expiresAt: undefined };
  if (kind === KIND_MERGE) {
    return { sequence, kind: 'merge', value: cloneRange(value, valueStart, valueEnd), expiresAt: undefined };
  }
  const expiresAt = kind === KIND_PUT_EXPIRY ? expiryOf(value, valueStart) : undefined;
  found.kind = KIND_PUT;
  found.value = value;
  found.valueStart = expiresAt === undefined ? valueStart : valueStart + EXPIRY_BYTES;
  found.valueEnd = valueEnd;
  if (kind === KIND_BLOB) loadValue(tree.view.version, tree.tables, key, 0, key.length, found);
  return {
    sequence,
    kind: 'put',
    value: cloneRange(found.value, found.valueStart, found.valueEnd),
    expiresAt,
  };
}

const members = new Set(['limit']);

function checkLimit(options: HistoryOptions): number {
  checkOptionMembers('history', options, members);
  const { limit = SEQUENCE_MAX } = options;
  if (Number.isInteger(limit) && limit >= 1) return limit;
  throw invalid('OPTION_INVALID', `limit is a whole number from 1 on; got ${String(limit)}`, {
    option: 'limit',
    got: limit,
  });
}
