/**
 * The body of an ingestion's record in the log: the tables that become part of keyspaces at the sequence of the record. What
 * the manifest gets of it is the edit that `decodeIngestion` gives; until the manifest has that, recovery makes it from here.
 *
 *   order  type    field
 *       1  varint  keyspace
 *       2  varint  tables
 *       3  varint  level, file (file-meta.ts): once for each table          PERSISTED: as in the manifest
 *
 * once for each keyspace, up to the end of the body: one of an ingestion, any number of a transaction that is larger than a
 * batch. Earlier releases write one and refuse more as damage.
 * Invariants: there is at least one keyspace, each is there once and has at least one table; the sequence override of each
 * table is the sequence of the record.
 * Encoded by the commit pipeline's caller (engine/ingest), decoded at open, by followers and by attached threads.
 */
import { corruption, VarveError } from '../base/errors.ts';
import { FieldReader, FieldWriter, type RecordPlace } from './fields.ts';
import { decodeFileMeta, encodeFileMeta, type FileMeta } from './file-meta.ts';
import { LEVELS, type VersionEdit } from './version-edit.ts';

/** A table and the level that it comes to. */
export interface PlacedTable {
  readonly level: number;
  readonly file: FileMeta;
}

/** The tables that one keyspace gets. */
export interface PlacedTables {
  readonly keyspace: number;
  readonly tables: readonly PlacedTable[];
}

/** What an ingestion changes. */
export type IngestionEdit = Required<Pick<VersionEdit, 'addedFiles' | 'ingestedSequence'>>;

/** The edit of an ingestion at `sequence`: from then on every entry of its tables counts as written at it. */
export function ingestionEdit(placed: readonly PlacedTables[], sequence: number): IngestionEdit {
  return {
    addedFiles: placed.flatMap(({ keyspace, tables }) =>
      tables.map(({ level, file }) => ({
        keyspace,
        level,
        file: {
          ...file,
          smallestSequence: sequence,
          largestSequence: sequence,
          sequenceOverride: sequence,
        },
      })),
    ),
    ingestedSequence: placed.map(({ keyspace }) => ({ keyspace, sequence })),
  };
}

/** What it changes of each keyspace: readers take them over in one step. */
export function editsByKeyspace({ addedFiles, ingestedSequence }: IngestionEdit): IngestionEdit[] {
  if (ingestedSequence.length === 1) return [{ addedFiles, ingestedSequence }];
  return ingestedSequence.map((ingested) => ({
    addedFiles: addedFiles.filter(({ keyspace }) => keyspace === ingested.keyspace),
    ingestedSequence: [ingested],
  }));
}

/** The keyspace of one of `editsByKeyspace`. */
export function keyspaceOf({ ingestedSequence }: IngestionEdit): number {
  return ingestedSequence[0]!.keyspace;
}

export function encodeIngestion(edit: IngestionEdit): Uint8Array {
  const to = new FieldWriter();
  for (const one of editsByKeyspace(edit)) {
    to.varint(keyspaceOf(one)).varint(one.addedFiles.length);
    for (const { level, file } of one.addedFiles) encodeFileMeta(file, to.varint(level));
  }
  return to.finish();
}

/**
 * The edit of the record with `sequence` whose body is [start, end) of `bytes`.
 *
 * @throws VarveError `CORRUPTION` with the place of the record; `UNSUPPORTED_MANIFEST` for what a later release wrote
 */
export function decodeIngestion(
  bytes: Uint8Array,
  start: number,
  end: number,
  sequence: number,
  place: RecordPlace,
): IngestionEdit {
  try {
    return decode(new FieldReader(bytes, start, end, { ...place }), sequence);
  } catch (cause) {
    if (!(cause instanceof VarveError) || cause.kind !== 'corruption') throw cause;
    throw corruption('the log record of an ingestion is damaged', { ...place, sequence }, cause);
  }
}

function decode(from: FieldReader, sequence: number): IngestionEdit {
  const addedFiles: AddedFile[] = [];
  const keyspaces = new Set<number>();
  do {
    const keyspace = from.varint('the keyspace of an ingestion');
    if (keyspaces.has(keyspace)) throw from.bad(`it names keyspace ${keyspace} twice`);
    keyspaces.add(keyspace);
    decodeTables(from, keyspace, sequence, addedFiles);
  } while (!from.atEnd);
  return { addedFiles, ingestedSequence: [...keyspaces].map((keyspace) => ({ keyspace, sequence })) };
}

interface AddedFile extends PlacedTable {
  readonly keyspace: number;
}

function decodeTables(from: FieldReader, keyspace: number, sequence: number, to: AddedFile[]): void {
  const count = from.varint('the number of tables');
  if (count === 0) throw from.bad('it names no table');
  for (let i = 0; i < count; i++) {
    const level = from.varint('a level');
    if (level >= LEVELS) throw from.bad(`level ${level} is past the last one, ${LEVELS - 1}`);
    const file = decodeFileMeta(from);
    if (file.sequenceOverride !== sequence)
      throw from.bad(`file ${file.number} is not at the sequence of its record`);
    to.push({ keyspace, level, file });
  }
}
