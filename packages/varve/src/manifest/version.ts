/**
 * A version: which files make up each keyspace, and the facts that recovery needs. Immutable; every edit makes a new one
 * that shares what did not change, so a read view keeps its version without any lock or count. Owner's thread.
 *
 * Invariants, checked by every edit and by every open:
 *  (1) Level 0 is sorted newest first (largest sequence, then number); the files of one flush do not overlap.
 *  (2) Levels 1 to 6 are sorted by smallest key and their files share no key; a range tombstone's exclusive end is no key.
 *  (3) A file number is at most once in a keyspace. (4) Sequences, numbers, floors and the incarnation only rise.
 *  (5) Every blob file that a table refers to is there.
 * Not checked here because it takes the contents: of two versions of a key the newer is in a newer place (lower level,
 * or before in level 0). Flush adds at the top, pickers (compaction/) keep the order.
 */
import { compareBytes } from '../base/bytes.ts';
import { corruption, internal } from '../base/errors.ts';
import { comparePosition, type LogPosition } from '../record/log-record.ts';
import { type BlobMeta, impossibleBlob } from './blob-meta.ts';
import type { RecordPlace } from './fields.ts';
import { joinMarks } from './time-marks.ts';
import { endsBefore, type FileMeta, impossible, type KeySpan, spansOverlap } from './file-meta.ts';
import { ALL_COUNTED, type Counted } from './counted-versions.ts';
import type { IncarnationEnd } from './incarnation-ends.ts';
import {
  type KeyspaceRecord,
  type KeyspaceSequence,
  LEVELS,
  MANIFEST_COMPARATOR,
  MANIFEST_FORMAT,
  type Retention,
  type TimeMark,
  type VersionEdit,
} from './version-edit.ts';
import type { KeyspaceCode } from './keyspace-code.ts';

export interface KeyspaceVersion {
  readonly record: KeyspaceRecord;
  /** Seven lists: level 0 newest first, the others sorted by smallest key. */
  readonly levels: readonly (readonly FileMeta[])[];
  /** By number: where values lie that tables only refer to. */
  readonly blobs: ReadonlyMap<number, BlobMeta>;
  /** Everything up to this sequence is in tables: replay skips it. */
  readonly flushedSequence: number;
  /** States before this sequence can not be read any more. */
  readonly historyFloor: number;
  /** How much of the past is kept; undefined when nobody ever asked for any. */
  readonly retention: Retention | undefined;
  /** Which versions its number of them counts. */
  readonly counted: Counted;
  /** Ingestions up to this sequence are in the levels: replay passes them over. 0 when there never was one. */
  readonly ingestedSequence: number;
}

export interface Version {
  /** By id. */
  readonly keyspaces: ReadonlyMap<number, KeyspaceVersion>;
  /** Of the last open that wrote; 0 before the first. */
  readonly incarnation: number;
  readonly lastSequence: number;
  readonly nextFileNumber: number;
  readonly nextKeyspaceId: number;
  /** Number of the first log segment that a replay needs: everything in lower ones is in tables. */
  readonly logSegment: number;
  readonly syncedPosition: LogPosition | undefined;
  readonly metaSequence: number;
  /** Of an outside log; 0 when nothing was applied. */
  readonly appliedPosition: number;
  /** Ascending in both. Those that no keyspace's history reaches are left out. */
  readonly timeMarks: readonly TimeMark[];
  /** The database's clock was here when it was last stored; 0 before the first time. */
  readonly storedTime: number;
  readonly incarnationEnds: readonly IncarnationEnd[];
}

/** What a database is before its first edit. */
export function emptyVersion(): Version {
  return {
    keyspaces: new Map(),
    incarnation: 0,
    lastSequence: 0,
    nextFileNumber: 1,
    nextKeyspaceId: 1,
    logSegment: 0,
    syncedPosition: undefined,
    metaSequence: 0,
    appliedPosition: 0,
    timeMarks: [],
    storedTime: 0,
    incarnationEnds: [],
  };
}

const noBlobs: ReadonlyMap<number, BlobMeta> = new Map();

/** A keyspace without files. */
export function emptyKeyspace(record: KeyspaceRecord): KeyspaceVersion {
  const levels = Array.from({ length: LEVELS }, () => []);
  return {
    record,
    levels,
    blobs: noBlobs,
    flushedSequence: 0,
    historyFloor: 0,
    retention: undefined,
    counted: ALL_COUNTED,
    ingestedSequence: 0,
  };
}

/**
 * The version after `edit`: keyspaces first, then removed files, then added ones. Keyspaces without a change stay the same
 * objects.
 *
 * @param place where the edit was read; its contradictions are then `corruption` there. Without it they are our own bug.
 */
export function applyEdit(version: Version, edit: VersionEdit, place?: RecordPlace): Version {
  const keyspaces = new Map(version.keyspaces);
  let { nextKeyspaceId } = version;
  for (const record of edit.keyspacesCreated ?? []) {
    if (keyspaces.has(record.id)) throw contradiction(place, `keyspace ${record.id} is created twice`);
    keyspaces.set(record.id, emptyKeyspace(record));
    nextKeyspaceId = Math.max(nextKeyspaceId, record.id + 1);
  }
  for (const id of edit.keyspacesDropped ?? []) {
    if (!keyspaces.delete(id)) throw contradiction(place, `keyspace ${id} is dropped but not there`);
  }
  for (const { keyspace: id, role, name, version: stored } of edit.keyspaceCodes ?? []) {
    const keyspace = keyspaces.get(id);
    if (keyspace === undefined) throw contradiction(place, `keyspace ${id} gets user code but is not there`);
    const record = { ...keyspace.record, [role]: { name, version: stored } };
    keyspaces.set(id, { ...keyspace, record });
  }
  for (const [id, change] of changesByKeyspace(edit)) {
    const keyspace = keyspaces.get(id);
    if (keyspace === undefined) throw contradiction(place, `keyspace ${id} is changed but not there`);
    keyspaces.set(id, change.applyTo(keyspace, place));
  }
  const next = {
    keyspaces,
    incarnation: Math.max(version.incarnation, edit.incarnation ?? 0),
    lastSequence: Math.max(version.lastSequence, edit.lastSequence ?? 0),
    nextFileNumber: Math.max(version.nextFileNumber, edit.nextFileNumber ?? 0),
    nextKeyspaceId: Math.max(nextKeyspaceId, edit.nextKeyspaceId ?? 0),
    logSegment: Math.max(version.logSegment, edit.logSegment ?? 0),
    syncedPosition: laterPosition(version.syncedPosition, edit.syncedPosition),
    metaSequence: Math.max(version.metaSequence, edit.metaSequence ?? 0),
    appliedPosition: Math.max(version.appliedPosition, edit.appliedPosition ?? 0),
    storedTime: Math.max(version.storedTime, edit.storedTime ?? 0),
    incarnationEnds: edit.incarnationEnds ?? version.incarnationEnds,
  };
  return { ...next, timeMarks: joinMarks(version.timeMarks, edit.timeMarks ?? [], oldestAsked(keyspaces)) };
}

/** The lowest sequence that a keyspace which keeps its past may be asked for; Infinity when none does. */
function oldestAsked(keyspaces: ReadonlyMap<number, KeyspaceVersion>): number {
  let oldest = Number.POSITIVE_INFINITY;
  for (const { retention, historyFloor } of keyspaces.values()) {
    if (retention !== undefined && retention.ms > 0) oldest = Math.min(oldest, historyFloor);
  }
  return oldest;
}

/** The edit that makes `version` out of an empty one. */
export function snapshotEdit(version: Version): VersionEdit {
  const { keyspaces, syncedPosition, timeMarks, ...numbers } = version;
  const all = [...keyspaces.values()];
  const sequences = (of: (keyspace: KeyspaceVersion) => number): KeyspaceSequence[] =>
    all.map((keyspace) => ({ keyspace: keyspace.record.id, sequence: of(keyspace) }));
  return {
    formatVersion: MANIFEST_FORMAT,
    comparator: MANIFEST_COMPARATOR,
    ...numbers,
    ...(syncedPosition === undefined ? {} : { syncedPosition }),
    keyspacesCreated: all.map(({ record }) => record),
    keyspaceCodes: all.flatMap(({ record }) => codesOf(record)),
    addedFiles: all.flatMap(({ record, levels }) =>
      levels.flatMap((files, level) => files.map((file) => ({ keyspace: record.id, level, file }))),
    ),
    addedBlobs: all.flatMap(({ record, blobs }) =>
      [...blobs.values()].map((blob) => ({ keyspace: record.id, blob })),
    ),
    flushedSequence: sequences((keyspace) => keyspace.flushedSequence),
    historyFloor: sequences((keyspace) => keyspace.historyFloor),
    timeMarks,
    ingestedSequence: sequences((keyspace) => keyspace.ingestedSequence).filter(
      ({ sequence }) => sequence > 0,
    ),
    retention: all.flatMap(({ record, retention }) =>
      retention === undefined ? [] : [{ keyspace: record.id, ...retention }],
    ),
    countedVersions: all.flatMap(({ record, counted }) =>
      counted.sequence === 0 ? [] : [{ keyspace: record.id, ...counted }],
    ),
  };
}

/** The user code of a keyspace as items of an edit. */
export function codesOf({ id, mergeOperator, compactionFilter }: KeyspaceRecord): KeyspaceCode[] {
  return [
    ...(mergeOperator === undefined
      ? []
      : [{ keyspace: id, role: 'mergeOperator' as const, ...mergeOperator }]),
    ...(compactionFilter === undefined
      ? []
      : [{ keyspace: id, role: 'compactionFilter' as const, ...compactionFilter }]),
  ];
}

/** The files of a level that share a key with `span`, in the order of the level. */
export function filesOverlapping(
  keyspace: KeyspaceVersion,
  level: number,
  span: KeySpan,
): readonly FileMeta[] {
  const files = keyspace.levels[level] ?? [];
  if (level === 0) return files.filter((file) => spansOverlap(file, span));
  let low = 0;
  let high = files.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (endsBefore(files[middle]!, span.smallestKey)) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (end < files.length && spansOverlap(files[end]!, span)) end++;
  return files.slice(low, end);
}

/** Can no file in a level below `level` hold the key? */
export function nothingBelow(keyspace: KeyspaceVersion, level: number, key: Uint8Array): boolean {
  const span = { smallestKey: key, largestKey: key, largestExclusive: false };
  for (let below = level + 1; below < LEVELS; below++) {
    if (filesOverlapping(keyspace, below, span).length > 0) return false;
  }
  return true;
}

/** Does any table of the keyspace hold entries that expire? */
export function holdsExpiring({ levels }: KeyspaceVersion): boolean {
  return levels.some((files) => files.some((file) => file.expiry !== undefined));
}

/** Bytes of a list of files. */
export function bytesOf(files: readonly FileMeta[]): number {
  let bytes = 0;
  for (const file of files) bytes += file.bytes;
  return bytes;
}

/** What an edit does to one keyspace. */
class KeyspaceChange {
  readonly removed: Set<number>[] = Array.from({ length: LEVELS }, () => new Set());
  readonly added: FileMeta[][] = Array.from({ length: LEVELS }, () => []);
  readonly removedBlobs: number[] = [];
  readonly addedBlobs: BlobMeta[] = [];
  flushedSequence = 0;
  historyFloor = 0;
  retention: Retention | undefined;
  counted: Counted | undefined;
  ingestedSequence = 0;

  applyTo(keyspace: KeyspaceVersion, place: RecordPlace | undefined): KeyspaceVersion {
    const levels = keyspace.levels.map((files, level) => this.#level(files, level, place));
    this.#checkNumbers(keyspace, levels, place);
    const blobs = this.#blobs(keyspace, place);
    this.#checkReferences(keyspace, levels, blobs, place);
    return {
      record: keyspace.record,
      levels,
      blobs,
      flushedSequence: Math.max(keyspace.flushedSequence, this.flushedSequence),
      historyFloor: Math.max(keyspace.historyFloor, this.historyFloor),
      retention: this.retention ?? keyspace.retention,
      counted: this.counted ?? keyspace.counted,
      ingestedSequence: Math.max(keyspace.ingestedSequence, this.ingestedSequence),
    };
  }

  #blobs(keyspace: KeyspaceVersion, place: RecordPlace | undefined): ReadonlyMap<number, BlobMeta> {
    if (this.addedBlobs.length === 0 && this.removedBlobs.length === 0) return keyspace.blobs;
    const blobs = new Map(keyspace.blobs);
    for (const number of this.removedBlobs) {
      if (!blobs.delete(number)) throw contradiction(place, `blob file ${number} is removed but not there`);
    }
    for (const blob of this.addedBlobs) {
      const wrong = blobs.has(blob.number) ? 'it is added twice' : impossibleBlob(blob);
      if (wrong !== undefined) throw contradiction(place, `blob file ${blob.number}: ${wrong}`);
      blobs.set(blob.number, blob);
    }
    return blobs;
  }

  /** Of what is new only: what was there before was checked then, unless a blob file has gone. */
  #checkReferences(
    { record }: KeyspaceVersion,
    levels: readonly (readonly FileMeta[])[],
    blobs: ReadonlyMap<number, BlobMeta>,
    place: RecordPlace | undefined,
  ): void {
    const files = this.removedBlobs.length > 0 ? levels.flat() : this.added.flat();
    for (const file of files) {
      for (const { number } of file.blobs ?? []) {
        if (blobs.has(number)) continue;
        const what = `file ${file.number} of keyspace ${record.id} refers to blob file ${number}, which is not there`;
        throw contradiction(place, what);
      }
    }
  }

  #level(files: readonly FileMeta[], level: number, place: RecordPlace | undefined): readonly FileMeta[] {
    const removed = this.removed[level]!;
    const added = this.added[level]!;
    if (removed.size === 0 && added.length === 0) return files;
    const kept = files.filter((file) => !removed.has(file.number));
    if (files.length - kept.length !== removed.size) {
      throw contradiction(place, `a file is removed from level ${level} but not there`, {
        files: [...removed],
      });
    }
    if (added.length === 0) return kept;
    const next = [...kept, ...added].sort(level === 0 ? newestFirst : bySmallestKey);
    for (let i = 1; level > 0 && i < next.length; i++) {
      if (endsBefore(next[i - 1]!, next[i]!.smallestKey)) continue;
      const numbers = [next[i - 1]!.number, next[i]!.number];
      throw contradiction(place, `two files of level ${level} overlap`, { files: numbers });
    }
    return next;
  }

  #checkNumbers(
    before: KeyspaceVersion,
    levels: readonly (readonly FileMeta[])[],
    place: RecordPlace | undefined,
  ): void {
    const added = this.added.flat();
    if (added.length === 0) return;
    const numbers = new Set(added.map((file) => file.number));
    for (const file of added) {
      const wrong = impossible(file);
      if (wrong !== undefined) throw contradiction(place, `file ${file.number}: ${wrong}`);
    }
    let found = 0;
    for (const files of levels) for (const file of files) if (numbers.has(file.number)) found++;
    if (found === numbers.size && numbers.size === added.length) return;
    throw contradiction(place, `a file is added twice to keyspace ${before.record.id}`, {
      files: [...numbers],
    });
  }
}

function changesByKeyspace(edit: VersionEdit): Map<number, KeyspaceChange> {
  const changes = new Map<number, KeyspaceChange>();
  const of = (keyspace: number): KeyspaceChange => {
    let change = changes.get(keyspace);
    if (change === undefined) changes.set(keyspace, (change = new KeyspaceChange()));
    return change;
  };
  for (const { keyspace, level, number } of edit.removedFiles ?? []) of(keyspace).removed[level]!.add(number);
  for (const { keyspace, level, file } of edit.addedFiles ?? []) of(keyspace).added[level]!.push(file);
  for (const { keyspace, number } of edit.removedBlobs ?? []) of(keyspace).removedBlobs.push(number);
  for (const { keyspace, blob } of edit.addedBlobs ?? []) of(keyspace).addedBlobs.push(blob);
  for (const { keyspace, sequence } of edit.flushedSequence ?? []) of(keyspace).flushedSequence = sequence;
  for (const { keyspace, sequence } of edit.historyFloor ?? []) of(keyspace).historyFloor = sequence;
  for (const { keyspace, sequence } of edit.ingestedSequence ?? []) of(keyspace).ingestedSequence = sequence;
  for (const { keyspace, ...retention } of edit.retention ?? []) of(keyspace).retention = retention;
  for (const { keyspace, ...counted } of edit.countedVersions ?? []) of(keyspace).counted = counted;
  return changes;
}

function newestFirst(a: FileMeta, b: FileMeta): number {
  return b.largestSequence - a.largestSequence || b.number - a.number;
}

function bySmallestKey(a: FileMeta, b: FileMeta): number {
  return compareBytes(a.smallestKey, b.smallestKey);
}

function laterPosition(a: LogPosition | undefined, b: LogPosition | undefined): LogPosition | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return comparePosition(a, b.segment, b.offset) >= 0 ? a : b;
}

function contradiction(
  place: RecordPlace | undefined,
  what: string,
  context: Readonly<Record<string, unknown>> = {},
): Error {
  if (place === undefined) return internal(`a version edit contradicts the version: ${what}`, context);
  return corruption(`a manifest record contradicts those before it: ${what}`, { ...place, ...context });
}
