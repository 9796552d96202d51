/**
 * The manifest file: which files make up the database, and the only place that says so. `MANIFEST-n` is written whole at
 * open, then appended to by the installer, one synced frame an edit (frames: record/frame.ts, edits: version-edit.ts).
 *
 *   order  frame kind   payload
 *       1  1 snapshot   the edit that makes the version out of nothing          PERSISTED: kinds are never renumbered
 *       2  2 complete   empty
 *     3..  3 edit       a version edit
 *
 * The snapshot is synced before `complete` is written, so `complete` on disk proves that the snapshot was there whole. With
 * that, a crash leaves a manifest either without `complete`, which is ignored, or with at most its last edit torn, which is
 * cut; anything else is `corruption` and never a reason to take an older manifest (CONTRACT 4).
 * An older manifest is removed only after `createManifest` of a newer one has returned.
 */
import { EMPTY } from '../base/bytes.ts';
import { corruption } from '../base/errors.ts';
import { inDirectory, manifestName } from '../fs/file-names.ts';
import { type FileHandle, type FileSystem, readFile, writeFully } from '../fs/file-system.ts';
import { finalSync } from '../fs/final-sync.ts';
import { encodeFrame, type FrameEnd, FrameReader } from '../record/frame.ts';
import type { RecordPlace } from './fields.ts';
import { applyEdit, emptyVersion, snapshotEdit, type Version } from './version.ts';
import { decodeEdit, encodeEdit, unsupported, type VersionEdit } from './version-edit.ts';

export const FRAME_SNAPSHOT = 1;
export const FRAME_COMPLETE = 2;
export const FRAME_EDIT = 3;

/** The number of the first manifest of a database: file numbers are given out from here on. */
export const FIRST_MANIFEST = 1;

export interface LoadedManifest {
  readonly number: number;
  readonly path: string;
  readonly version: Version;
  /** Length up to the last whole edit. */
  readonly bytes: number;
  /** Length of the torn edit behind it; 0 when there is none. */
  readonly tornBytes: number;
  /** Higher numbers that were not completed: to be removed when a new manifest is there. */
  readonly incomplete: readonly number[];
  /** What a person should know about the above. */
  readonly warnings: readonly string[];
}

/** One record of a manifest, in file order. */
export interface ManifestRecord {
  readonly offset: number;
  readonly kind: 'snapshot' | 'complete' | 'edit';
  /** Empty for `complete`. */
  readonly edit: VersionEdit;
}

/** An edit as the frame to append. */
export function encodeEditFrame(edit: VersionEdit): Uint8Array {
  return encodeFrame(FRAME_EDIT, encodeEdit(edit));
}

/**
 * Writes `MANIFEST-number` with `version` as its snapshot. When it returns, file and name are on disk and the manifest is in
 * force; returns its length in bytes. A failure leaves an incomplete file or none.
 */
export function createManifest(fs: FileSystem, directory: string, number: number, version: Version): number {
  const snapshot = encodeFrame(FRAME_SNAPSHOT, encodeEdit(snapshotEdit(version)));
  const complete = encodeFrame(FRAME_COMPLETE, EMPTY);
  const file = fs.open(inDirectory(directory, manifestName(number)), 'create');
  try {
    writeFully(file, snapshot, 0, snapshot.length, 0);
    file.sync();
    writeFully(file, complete, 0, complete.length, snapshot.length);
    file.sync();
  } finally {
    file.close();
  }
  fs.syncDirectory(directory);
  return snapshot.length + complete.length;
}

/** Appends a frame at `offset`, the end of the manifest, and syncs. When the write fails what it left is cut off again. */
export function appendFrame(file: FileHandle, frame: Uint8Array, offset: number): void {
  try {
    writeFully(file, frame, 0, frame.length, offset);
  } catch (error) {
    // The next attempt starts at the same offset; the rest of a longer frame behind it would read as damage.
    try {
      file.truncate(offset);
    } catch {
      // The first failure is the one to report.
    }
    throw error;
  }
  finalSync(file.path, () => file.sync());
}

/**
 * Loads the manifest in force: of `numbers` the highest that is complete. Undefined when the database was never there: no
 * numbers, or the very first manifest was not completed, or none is complete and the directory `holdsData` of no kind.
 *
 * @throws VarveError `CORRUPTION` with file and offset; `UNSUPPORTED_MANIFEST` for what a later release wrote
 */
export function loadManifest(
  fs: FileSystem,
  directory: string,
  numbers: readonly number[],
  holdsData = true,
): LoadedManifest | undefined {
  const incomplete: number[] = [];
  for (const number of numbers.toSorted((a, b) => b - a)) {
    const path = inDirectory(directory, manifestName(number));
    const bytes = readFile(fs, path);
    const walk = new ManifestWalk(bytes, path);
    let version = emptyVersion();
    for (const { offset, edit } of walk.records()) version = applyEdit(version, edit, { file: path, offset });
    if (!walk.isComplete) {
      incomplete.push(number);
      continue;
    }
    const tornBytes = bytes.length - walk.end;
    const warnings = incomplete.map((each) => `${manifestName(each)} was not completed and is ignored`);
    if (tornBytes > 0)
      warnings.push(`${manifestName(number)} ends in a torn edit of ${tornBytes} bytes, which is cut`);
    return { number, path, version, bytes: walk.end, tornBytes, incomplete, warnings };
  }
  // Manifests go only when a newer one is complete, so without the first one there was a complete one.
  // A first open that died several times may have lost the name of the first one, but it has never made a table or a log.
  if (incomplete.length === 0 || incomplete.includes(FIRST_MANIFEST) || !holdsData) return undefined;
  throw corruption('no manifest is complete, though one must have been', {
    file: inDirectory(directory, manifestName(incomplete[0]!)),
    offset: 0,
  });
}

/** The records of one manifest file, for dumps. Throws like `loadManifest`; an incomplete manifest just ends early. */
export function manifestRecords(bytes: Uint8Array, path: string): Generator<ManifestRecord> {
  return new ManifestWalk(bytes, path).records();
}

/** Where in a file a walk begins that does not have all of it. */
export interface WalkStart {
  /** Offset in the file of the first byte given; a multiple of the sector. */
  readonly base: number;
  /** Offset in the file of the record to begin with, and how many there are before it. */
  readonly offset: number;
  readonly records: number;
}

const WHOLE_FILE: WalkStart = { base: 0, offset: 0, records: 0 };

/** A walk over one manifest file, or the rest of it, that checks what follows what. */
export class ManifestWalk {
  isComplete = false;
  /** Offset in the file behind the last whole record, and how many records there are before it. */
  end = 0;
  count = 0;
  /** How the walk ended; `records` throws for damage. */
  ending: FrameEnd = 'clean';
  readonly #bytes: Uint8Array;
  readonly #path: string;
  readonly #start: WalkStart;

  constructor(bytes: Uint8Array, path: string, start: WalkStart = WHOLE_FILE) {
    this.#bytes = bytes;
    this.#path = path;
    this.#start = start;
  }

  *records(): Generator<ManifestRecord> {
    const { base, offset: from, records } = this.#start;
    const frames = new FrameReader(this.#bytes, from - base);
    this.count = records;
    for (; frames.next(); this.count++) {
      const offset = base + frames.offset;
      const place: RecordPlace = { file: this.#path, offset };
      const kind = kindOf(frames.kind, this.count, place);
      if (kind === 'complete') {
        this.isComplete = true;
        yield { offset, kind, edit: {} };
        continue;
      }
      const edit = decodeEdit(this.#bytes, frames.payloadStart, frames.payloadEnd, place);
      checkFormat(kind, edit, place);
      yield { offset, kind, edit };
    }
    this.end = base + frames.offset;
    this.ending = frames.ending;
    if (this.ending !== 'damaged') return;
    throw corruption('the manifest is damaged', { file: this.#path, offset: this.end });
  }
}

/** The kind of record that stands at this index; frames that a crash can not have left there are corruption. */
function kindOf(kind: number, index: number, place: RecordPlace): ManifestRecord['kind'] {
  if (kind < FRAME_SNAPSHOT || kind > FRAME_EDIT)
    throw unsupported(`a record of kind ${kind}`, { ...place, kind });
  if (index === 0 && kind === FRAME_SNAPSHOT) return 'snapshot';
  if (index === 1 && kind === FRAME_COMPLETE) return 'complete';
  if (index > 1 && kind === FRAME_EDIT) return 'edit';
  throw corruption(`the manifest has a record of kind ${kind} where it can not be`, { ...place, kind });
}

/** A snapshot must name its format and key order; bounds of linked ranges have their room in the format but no reader yet. */
function checkFormat(kind: ManifestRecord['kind'], edit: VersionEdit, place: RecordPlace): void {
  if (kind === 'snapshot' && (edit.formatVersion === undefined || edit.comparator === undefined)) {
    throw corruption('the snapshot of the manifest does not name its format', { ...place });
  }
  for (const { file } of edit.addedFiles ?? []) {
    const { number, lowerBound, upperBound } = file;
    if (lowerBound === undefined && upperBound === undefined) continue;
    throw unsupported(`a linked range of file ${number}`, { ...place, number });
  }
}
