/**
 * `keyspace.history(key)`: the versions of one key, newest first, as far as they are promised to be there.
 *
 * A version that a table happens to hold still is not shown when it may be gone after the next compaction, so the answer
 * depends on the retention and not on what ran in the background: without one it is the value that is there now. Reads the
 * current view in one go; what it reads is registered before.
 */
import { type EntryIterator, PointResult, SEQUENCE_MAX } from '../base/entry.ts';
import { cloneOf, cloneRange, compareRanges, EMPTY, successor } from '../base/bytes.ts';
import { invalid } from '../base/errors.ts';
import { EXPIRY_BYTES, expiryOf } from '../base/expiry.ts';
import { KIND_BLOB, KIND_DELETE, KIND_MERGE, KIND_PUT, KIND_PUT_EXPIRY } from '../base/kinds.ts';
import { decodeValue, type ValueCodec } from './codecs/codec.ts';
import { loadValue } from './blob-values.ts';
import type { Session } from './core.ts';
import type { HistoryOptions, KeyVersion } from './keyspace-types.ts';
import { checkOptionMembers } from './option-members.ts';
import type { KeptVersions } from './past.ts';
import { mergedAt } from './merging/merged-value.ts';
import { mergedSources, tombstonesOf } from './scan.ts';
import type { Tree } from './tree.ts';

/** Something that happened to a key, while its source stands there. */
interface KeyEvent {
  readonly sequence: number;
  readonly kind: 'put' | 'delete' | 'rangeDelete';
  /** A copy: what the source lends is gone when it moves, and codecs are user code. */
  readonly value: Uint8Array;
  readonly expiresAt: number | undefined;
}

const found = new PointResult();

/** @throws invalid `OPTION_INVALID`; closed; corruption; io */
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
    const timeOf = (sequence: number): number =>
      Math.max(core.past.timesOf([sequence])[0] ?? now.time, kept.start?.time ?? now.time);
    const events = core.state.entered(() => eventsOf(tree, key, now.sequence, kept, limit, timeOf));
    const shown = events.slice(0, Math.min(limit, promised(events, kept, now.time)));
    const times = core.past.timesOf(shown.map(({ sequence }) => sequence));
    return shown.map(({ sequence, kind, value, expiresAt }, at) => ({
      sequence,
      time: times[at],
      isDeleted: kind !== 'put',
      value: kind === 'put' ? decodeValue(codec, value, 0, value.length) : undefined,
      ...(expiresAt === undefined ? {} : { expiresAt }),
    }));
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
    count = Math.max(count, Math.min(kept.versions, gone < 0 ? events.length : gone));
  }
  const { start } = kept;
  if (start === undefined) return count;
  const older = events.findIndex(({ sequence }) => sequence <= start.sequence);
  let inside = older < 0 ? events.length : older;
  if (older >= 0 && isThereAt(events[older]!, start.time)) inside++;
  // That nothing was there leaves no trace, and so does a delete of nothing.
  else while (inside > 0 && events[inside - 1]!.kind !== 'put') inside--;
  return Math.max(count, inside);
}

function isThereAt({ kind, expiresAt }: KeyEvent, time: number): boolean {
  return kind === 'put' && (expiresAt === undefined || expiresAt > time);
}

/** Newest first: its versions and the range deletes over it, as far back as any of them may be shown. */
function eventsOf(
  tree: Tree,
  key: Uint8Array,
  visible: number,
  kept: KeptVersions,
  limit: number,
  timeOf: (sequence: number) => number,
): KeyEvent[] {
  const range = { lower: key, upper: successor(key) };
  const { view } = tree;
  const cover = tombstonesOf(view, tree.tables, range)?.cursor();
  const source = mergedSources(view, tree.tables, range);
  const coverAt = (sequence: number): number => cover?.coveringSequence(key, 0, key.length, sequence) ?? 0;
  const events: KeyEvent[] = [];
  const oldest = kept.start?.sequence ?? SEQUENCE_MAX;
  let deleted = coverAt(visible);
  source.seek(key, 0, key.length, visible);
  for (;;) {
    const isAt =
      source.valid && compareRanges(source.key, source.keyStart, source.keyEnd, key, 0, key.length) === 0;
    if (!isAt && deleted === 0) return events;
    if (isAt && source.sequence >= deleted) {
      events.push(versionAt(tree, key, source, events.length < limit, timeOf));
      source.next();
    } else {
      events.push({ sequence: deleted, kind: 'rangeDelete', value: EMPTY, expiresAt: undefined });
      deleted = coverAt(deleted - 1);
    }
    if (events.length >= kept.versions && events.at(-1)!.sequence <= oldest) return events;
  }
}

function versionAt(
  tree: Tree,
  key: Uint8Array,
  source: EntryIterator,
  withValue: boolean,
  timeOf: (sequence: number) => number,
): KeyEvent {
  const { sequence, kind, value, valueStart, valueEnd } = source;
  if (kind === KIND_DELETE) return { sequence, kind: 'delete', value: EMPTY, expiresAt: undefined };
  const expiresAt = kind === KIND_PUT_EXPIRY ? expiryOf(value, valueStart) : undefined;
  if (withValue && kind === KIND_MERGE) {
    return { sequence, kind: 'put', value: cloneOf(mergedAt(tree, key, sequence, timeOf)), expiresAt };
  }
  if (!withValue) return { sequence, kind: 'put', value: EMPTY, expiresAt };
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
