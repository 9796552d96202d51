/**
 * A version edit: one change of what the database consists of. The manifest is a list of them; the first, its snapshot, is
 * the change from nothing. Encoded on the owner's thread, written by a job of the I/O lane, decoded at open.
 *
 *   an edit is repeated: varint tag, varint length, payload      PERSISTED: tags are never renumbered or reused
 *
 *   tag  field             payload
 *     1  formatVersion     varint; first in a snapshot, so that a later format is refused before anything else is read
 *     2  comparator        varint length, utf8
 *     3  incarnation       varint
 *     4  lastSequence      varint
 *     5  nextFileNumber    varint
 *     6  nextKeyspaceId    varint
 *     7  logSegment        varint
 *     8  syncedPosition    varint segment, varint offset
 *     9  metaSequence      varint
 *    10  appliedPosition   varint
 *    11  keyspacesCreated  varint id, varint createdSequence, name, keyCodec, valueCodec (varint length, utf8)
 *    12  keyspacesDropped  varint id
 *    13  removedFiles      varint keyspace, varint level, varint number
 *    14  addedFiles        varint keyspace, varint level, file (file-meta.ts)
 *    15  flushedSequence   varint keyspace, varint sequence
 *    16  historyFloor      varint keyspace, varint sequence
 *    17  timeMarks         f64 time in ms since the epoch, varint sequence
 *    18  storedTime        varint, ms since the epoch: the database's clock goes on from here
 *    19  addedBlobs        varint keyspace, blob file (blob-meta.ts)
 *    20  removedBlobs      varint keyspace, varint number
 *    21  ingestedSequence  varint keyspace, varint sequence
 *    22  retention         varint keyspace, varint ms, varint versions, varint since (ms since the epoch); 0: none
 *    24  keyspaceCodes     varint keyspace, user code (keyspace-code.ts)
 *    28  incarnationEnds   varint incarnation, varint sequence (incarnation-ends.ts)
 *    29  countedVersions   varint keyspace, varint sequence, varint before (counted-versions.ts)
 *
 * Tags from 11 on but 18 repeat, one payload an item. Invariant: an unknown tag is refused by name (`UNSUPPORTED_MANIFEST`): an
 * edit that is understood in part would be a wrong state.
 */
import { invalid } from '../base/errors.ts';
import type { StoredCode } from '../base/merge-operator.ts';
import type { LogPosition } from '../record/log-record.ts';
import { type BlobMeta, decodeBlobMeta, encodeBlobMeta } from './blob-meta.ts';
import { type CountedVersions, decodeCounted, encodeCounted } from './counted-versions.ts';
import { FieldReader, FieldWriter, type RecordPlace } from './fields.ts';
import { decodeFileMeta, encodeFileMeta, type FileMeta } from './file-meta.ts';
import type { IncarnationEnd } from './incarnation-ends.ts';
import { decodeCode, encodeCode, type KeyspaceCode } from './keyspace-code.ts';

/** Levels of a keyspace: 0 to 6. */
export const LEVELS = 7;
/** Manifests of a later format are refused. */
export const MANIFEST_FORMAT = 1;
/** The only key order so far: unsigned bytes. */
export const MANIFEST_COMPARATOR = 'bytewise';

export interface KeyspaceRecord {
  /** Never reused. */
  readonly id: number;
  readonly name: string;
  readonly keyCodec: string;
  readonly valueCodec: string;
  /** Sequence of the log record that created it. */
  readonly createdSequence: number;
  /** Whose operands it holds; an edit of its own says so (`keyspaceCodes`). */
  readonly mergeOperator?: StoredCode;
  /** The last one that it was opened with, likewise. */
  readonly compactionFilter?: StoredCode;
}

export interface AddedFile {
  readonly keyspace: number;
  readonly level: number;
  readonly file: FileMeta;
}

export interface RemovedFile {
  readonly keyspace: number;
  readonly level: number;
  readonly number: number;
}

export interface AddedBlob {
  readonly keyspace: number;
  readonly blob: BlobMeta;
}

export interface RemovedBlob {
  readonly keyspace: number;
  readonly number: number;
}

export interface KeyspaceSequence {
  readonly keyspace: number;
  readonly sequence: number;
}

/** `sequence` was the latest one at `time` (ms since the epoch). */
export interface TimeMark {
  readonly time: number;
  readonly sequence: number;
}

/** How much of its past a keyspace keeps, whatever it is opened with next. */
export interface Retention {
  /** States of so many milliseconds ago can be read; 0: none. */
  readonly ms: number;
  /** So many versions of a key stay; 0: as many as the rest asks for. */
  readonly versions: number;
  /** No state from before this time of the stored clock was kept for `ms`. */
  readonly since: number;
}

export interface KeyspaceRetention extends Retention {
  readonly keyspace: number;
}

export interface VersionEdit {
  readonly formatVersion?: number;
  /** Name of the key order. */
  readonly comparator?: string;
  /** Rises at every open that writes. */
  readonly incarnation?: number;
  /** Highest sequence given out so far. */
  readonly lastSequence?: number;
  /** No file has this number or a higher one. */
  readonly nextFileNumber?: number;
  /** No keyspace had this id or a higher one. */
  readonly nextKeyspaceId?: number;
  /** Number of the first log segment that a replay needs: everything in lower ones is in tables. */
  readonly logSegment?: number;
  /** The log is on disk up to here. */
  readonly syncedPosition?: LogPosition;
  /** Keyspace changes of the log up to this sequence are in the manifest. */
  readonly metaSequence?: number;
  /** How far an outside log was applied. */
  readonly appliedPosition?: number;
  readonly keyspacesCreated?: readonly KeyspaceRecord[];
  readonly keyspacesDropped?: readonly number[];
  readonly removedFiles?: readonly RemovedFile[];
  readonly addedFiles?: readonly AddedFile[];
  /** Everything of the keyspace up to the sequence is in tables. */
  readonly flushedSequence?: readonly KeyspaceSequence[];
  /** States of the keyspace before the sequence can not be read any more. */
  readonly historyFloor?: readonly KeyspaceSequence[];
  readonly timeMarks?: readonly TimeMark[];
  /** The database's clock (milliseconds since 1970) was here when the edit was made: it never shows less again. */
  readonly storedTime?: number;
  readonly addedBlobs?: readonly AddedBlob[];
  readonly removedBlobs?: readonly RemovedBlob[];
  /** Ingestions into the keyspace up to the sequence are in its tables: replay passes them over. */
  readonly ingestedSequence?: readonly KeyspaceSequence[];
  readonly retention?: readonly KeyspaceRetention[];
  readonly countedVersions?: readonly CountedVersions[];
  readonly keyspaceCodes?: readonly KeyspaceCode[];
  /** All that are known, in place of those before. */
  readonly incarnationEnds?: readonly IncarnationEnd[];
}

const TEXT_BYTES_MAX = 65_535;
const TAG_FORMAT_VERSION = 1;
const TAG_COMPARATOR = 2;
const TAG_SYNCED_POSITION = 8;
const TAG_KEYSPACE_CREATED = 11;
const TAG_KEYSPACE_DROPPED = 12;
const TAG_FILE_REMOVED = 13;
const TAG_FILE_ADDED = 14;
const TAG_FLUSHED_SEQUENCE = 15;
const TAG_HISTORY_FLOOR = 16;
const TAG_TIME_MARK = 17;
const TAG_STORED_TIME = 18;
const TAG_BLOB_ADDED = 19;
const TAG_BLOB_REMOVED = 20;
const TAG_INGESTED_SEQUENCE = 21;
const TAG_RETENTION = 22;
const TAG_KEYSPACE_CODE = 24;
const TAG_INCARNATION_END = 28;
const TAG_COUNTED_VERSIONS = 29;

/** The fields that are one varint. */
const numberFields = [
  [TAG_FORMAT_VERSION, 'formatVersion'],
  [3, 'incarnation'],
  [4, 'lastSequence'],
  [5, 'nextFileNumber'],
  [6, 'nextKeyspaceId'],
  [7, 'logSegment'],
  [9, 'metaSequence'],
  [10, 'appliedPosition'],
  [TAG_STORED_TIME, 'storedTime'],
] as const;

export function encodeEdit(edit: VersionEdit): Uint8Array {
  const to = new FieldWriter();
  const field = (tag: number, fill: (payload: FieldWriter) => void): void => {
    const payload = new FieldWriter();
    fill(payload);
    to.varint(tag).blob(payload.finish());
  };
  for (const [tag, name] of numberFields) {
    const value = edit[name];
    if (value !== undefined) field(tag, (payload) => payload.varint(value));
  }
  const { comparator, syncedPosition } = edit;
  if (comparator !== undefined) field(TAG_COMPARATOR, (payload) => payload.text(comparator));
  if (syncedPosition !== undefined) {
    const { segment, offset } = syncedPosition;
    field(TAG_SYNCED_POSITION, (payload) => payload.varint(segment).varint(offset));
  }
  for (const { id, createdSequence, name, keyCodec, valueCodec } of edit.keyspacesCreated ?? []) {
    field(TAG_KEYSPACE_CREATED, (payload) =>
      payload.varint(id).varint(createdSequence).text(name).text(keyCodec).text(valueCodec),
    );
  }
  for (const id of edit.keyspacesDropped ?? []) field(TAG_KEYSPACE_DROPPED, (payload) => payload.varint(id));
  for (const { keyspace, level, number } of edit.removedFiles ?? []) {
    field(TAG_FILE_REMOVED, (payload) => payload.varint(keyspace).varint(level).varint(number));
  }
  for (const { keyspace, level, file } of edit.addedFiles ?? []) {
    field(TAG_FILE_ADDED, (payload) => encodeFileMeta(file, payload.varint(keyspace).varint(level)));
  }
  for (const { keyspace, sequence } of edit.flushedSequence ?? []) {
    field(TAG_FLUSHED_SEQUENCE, (payload) => payload.varint(keyspace).varint(sequence));
  }
  for (const { keyspace, sequence } of edit.historyFloor ?? []) {
    field(TAG_HISTORY_FLOOR, (payload) => payload.varint(keyspace).varint(sequence));
  }
  for (const { time, sequence } of edit.timeMarks ?? []) {
    field(TAG_TIME_MARK, (payload) => payload.f64(time).varint(sequence));
  }
  for (const { keyspace, blob } of edit.addedBlobs ?? []) {
    field(TAG_BLOB_ADDED, (payload) => encodeBlobMeta(blob, payload.varint(keyspace)));
  }
  for (const { keyspace, number } of edit.removedBlobs ?? []) {
    field(TAG_BLOB_REMOVED, (payload) => payload.varint(keyspace).varint(number));
  }
  for (const { keyspace, sequence } of edit.ingestedSequence ?? []) {
    field(TAG_INGESTED_SEQUENCE, (payload) => payload.varint(keyspace).varint(sequence));
  }
  for (const { keyspace, ms, versions, since } of edit.retention ?? []) {
    field(TAG_RETENTION, (payload) => payload.varint(keyspace).varint(ms).varint(versions).varint(since));
  }
  for (const { incarnation, sequence } of edit.incarnationEnds ?? []) {
    field(TAG_INCARNATION_END, (payload) => payload.varint(incarnation).varint(sequence));
  }
  for (const counted of edit.countedVersions ?? []) {
    field(TAG_COUNTED_VERSIONS, (payload) => encodeCounted(counted, payload));
  }
  for (const code of edit.keyspaceCodes ?? []) {
    field(TAG_KEYSPACE_CODE, (payload) => encodeCode(code, payload));
  }
  return to.finish();
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

/**
 * The edit in [start, end) of `bytes`; `place` is where its record stands.
 *
 * @throws VarveError `CORRUPTION`; `UNSUPPORTED_MANIFEST` for a tag, a format or a key order of a later release
 */
export function decodeEdit(bytes: Uint8Array, start: number, end: number, place: RecordPlace): VersionEdit {
  const from = new FieldReader(bytes, start, end, place);
  const edit: Mutable<VersionEdit> = {};
  const lists = new EditLists();
  const seen = new Set<number>();
  while (!from.atEnd) {
    const tag = from.varint('a tag');
    const payload = from.nested(from.varint('the length of a field'), `the field with tag ${tag}`);
    if ((tag < TAG_KEYSPACE_CREATED || tag === TAG_STORED_TIME) && seen.has(tag))
      throw from.bad(`the field with tag ${tag} is there twice`);
    seen.add(tag);
    const number = numberFields.find(([known]) => known === tag);
    if (number !== undefined) edit[number[1]] = payload.varint(number[1]);
    else if (tag === TAG_COMPARATOR) edit.comparator = payload.text('the comparator', TEXT_BYTES_MAX);
    else if (tag === TAG_SYNCED_POSITION) {
      edit.syncedPosition = { segment: payload.varint('a segment'), offset: payload.varint('an offset') };
    } else if (!lists.take(tag, payload)) throw unsupported(`the field ${tag}`, { ...place, tag });
    if (tag === TAG_FORMAT_VERSION && edit.formatVersion !== MANIFEST_FORMAT) {
      throw unsupported(`format ${edit.formatVersion}`, { ...place, format: edit.formatVersion });
    }
    if (tag === TAG_COMPARATOR && edit.comparator !== MANIFEST_COMPARATOR) {
      throw unsupported(`the key order '${edit.comparator}'`, { ...place, comparator: edit.comparator });
    }
    payload.finish(`the field with tag ${tag}`);
  }
  return Object.assign(edit, lists.filled());
}

/** The refusal of what a later release wrote. */
export function unsupported(what: string, context: Readonly<Record<string, unknown>>): Error {
  return invalid(
    'UNSUPPORTED_MANIFEST',
    `the manifest has ${what}, which this release does not know: a later one wrote it`,
    context,
  );
}

/** The fields that repeat. */
class EditLists {
  readonly #keyspacesCreated: KeyspaceRecord[] = [];
  readonly #keyspacesDropped: number[] = [];
  readonly #removedFiles: RemovedFile[] = [];
  readonly #addedFiles: AddedFile[] = [];
  readonly #flushedSequence: KeyspaceSequence[] = [];
  readonly #historyFloor: KeyspaceSequence[] = [];
  readonly #timeMarks: TimeMark[] = [];
  readonly #addedBlobs: AddedBlob[] = [];
  readonly #removedBlobs: RemovedBlob[] = [];
  readonly #ingestedSequence: KeyspaceSequence[] = [];
  readonly #retention: KeyspaceRetention[] = [];
  readonly #incarnationEnds: IncarnationEnd[] = [];
  readonly #countedVersions: CountedVersions[] = [];
  readonly #keyspaceCodes: KeyspaceCode[] = [];

  /** Reads one item; false when the tag is none of these. */
  take(tag: number, from: FieldReader): boolean {
    if (tag === TAG_KEYSPACE_CREATED) this.#keyspacesCreated.push(decodeKeyspace(from));
    else if (tag === TAG_KEYSPACE_DROPPED) this.#keyspacesDropped.push(from.varint('a keyspace'));
    else if (tag === TAG_FILE_REMOVED) {
      const { keyspace, level } = decodePlace(from);
      this.#removedFiles.push({ keyspace, level, number: from.varint('a file number') });
    } else if (tag === TAG_FILE_ADDED) {
      const { keyspace, level } = decodePlace(from);
      this.#addedFiles.push({ keyspace, level, file: decodeFileMeta(from) });
    } else if (tag === TAG_FLUSHED_SEQUENCE) this.#flushedSequence.push(decodeSequence(from));
    else if (tag === TAG_HISTORY_FLOOR) this.#historyFloor.push(decodeSequence(from));
    else if (tag === TAG_TIME_MARK) this.#timeMarks.push(decodeTimeMark(from));
    else if (tag === TAG_BLOB_ADDED) {
      this.#addedBlobs.push({ keyspace: from.varint('a keyspace'), blob: decodeBlobMeta(from) });
    } else if (tag === TAG_BLOB_REMOVED) {
      const keyspace = from.varint('a keyspace');
      this.#removedBlobs.push({ keyspace, number: from.varint('the number of a blob file') });
    } else if (tag === TAG_INGESTED_SEQUENCE) this.#ingestedSequence.push(decodeSequence(from));
    else if (tag === TAG_RETENTION) this.#retention.push(decodeRetention(from));
    else if (tag === TAG_COUNTED_VERSIONS) this.#countedVersions.push(decodeCounted(from));
    else if (tag === TAG_KEYSPACE_CODE) this.#keyspaceCodes.push(decodeCode(from));
    else if (tag === TAG_INCARNATION_END) {
      const incarnation = from.varint('an incarnation');
      if (incarnation <= (this.#incarnationEnds.at(-1)?.incarnation ?? 0))
        throw from.bad('the ends of incarnations do not rise');
      this.#incarnationEnds.push({ incarnation, sequence: from.varint('a sequence') });
    } else return false;
    return true;
  }

  /** Those that have items. */
  filled(): VersionEdit {
    return {
      ...(this.#keyspacesCreated.length > 0 && { keyspacesCreated: this.#keyspacesCreated }),
      ...(this.#keyspacesDropped.length > 0 && { keyspacesDropped: this.#keyspacesDropped }),
      ...(this.#removedFiles.length > 0 && { removedFiles: this.#removedFiles }),
      ...(this.#addedFiles.length > 0 && { addedFiles: this.#addedFiles }),
      ...(this.#flushedSequence.length > 0 && { flushedSequence: this.#flushedSequence }),
      ...(this.#historyFloor.length > 0 && { historyFloor: this.#historyFloor }),
      ...(this.#timeMarks.length > 0 && { timeMarks: this.#timeMarks }),
      ...(this.#addedBlobs.length > 0 && { addedBlobs: this.#addedBlobs }),
      ...(this.#removedBlobs.length > 0 && { removedBlobs: this.#removedBlobs }),
      ...(this.#ingestedSequence.length > 0 && { ingestedSequence: this.#ingestedSequence }),
      ...(this.#retention.length > 0 && { retention: this.#retention }),
      ...(this.#incarnationEnds.length > 0 && { incarnationEnds: this.#incarnationEnds }),
      ...(this.#countedVersions.length > 0 && { countedVersions: this.#countedVersions }),
      ...(this.#keyspaceCodes.length > 0 && { keyspaceCodes: this.#keyspaceCodes }),
    };
  }
}

function decodeKeyspace(from: FieldReader): KeyspaceRecord {
  return {
    id: from.varint('a keyspace'),
    createdSequence: from.varint('a sequence'),
    name: from.text('the name of a keyspace', TEXT_BYTES_MAX),
    keyCodec: from.text('the key codec of a keyspace', TEXT_BYTES_MAX),
    valueCodec: from.text('the value codec of a keyspace', TEXT_BYTES_MAX),
  };
}

function decodePlace(from: FieldReader): { keyspace: number; level: number } {
  const keyspace = from.varint('a keyspace');
  const level = from.varint('a level');
  if (level >= LEVELS) throw from.bad(`level ${level} is past the last one, ${LEVELS - 1}`);
  return { keyspace, level };
}

function decodeSequence(from: FieldReader): KeyspaceSequence {
  return { keyspace: from.varint('a keyspace'), sequence: from.varint('a sequence') };
}

function decodeRetention(from: FieldReader): KeyspaceRetention {
  return {
    keyspace: from.varint('a keyspace'),
    ms: from.varint('the milliseconds of a retention'),
    versions: from.varint('the versions of a retention'),
    since: from.varint('the beginning of a retention'),
  };
}

function decodeTimeMark(from: FieldReader): TimeMark {
  const time = from.f64('a time');
  if (!Number.isFinite(time)) throw from.bad('a time mark is not a time');
  return { time, sequence: from.varint('a sequence') };
}
