/**
 * The body of an ingestion's record in the log: the tables that become part of a keyspace at the sequence of the record. What
 * the manifest gets of it is the edit that `decodeIngestion` gives; until the manifest has that, recovery makes it from here.
 *
 *   order  type    field
 *       1  varint  keyspace
 *       2  varint  tables
 *       3  varint  level, file (file-meta.ts): once for each table          PERSISTED: as in the manifest
 *
 * Invariants: there is at least one table; the sequence override of each is the sequence of the record.
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

/** What an ingestion changes. */
export type IngestionEdit = Required<Pick<VersionEdit, 'addedFiles' | 'ingestedSequence'>>;

/** The edit of an ingestion at `sequence`: from then on every entry of its tables counts as written at it. */
export function ingestionEdit(
  keyspace: number,
  tables: readonly PlacedTable[],
  sequence: number,
): IngestionEdit {
  return {
    addedFiles: tables.map(({ level, file }) => ({
      keyspace,
      level,
      file: {
        ...file,
        smallestSequence: sequence,
        largestSequence: sequence,
        sequenceOverride: sequence,
      },
    })),
    ingestedSequence: [{ keyspace, sequence }],
  };
}

export function encodeIngestion({ addedFiles, ingestedSequence }: IngestionEdit): Uint8Array {
  const to = new FieldWriter();
  to.varint(ingestedSequence[0]!.keyspace).varint(addedFiles.length);
  for (const { level, file } of addedFiles) encodeFileMeta(file, to.varint(level));
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
  const keyspace = from.varint('the keyspace of an ingestion');
  const count = from.varint('the number of tables');
  const addedFiles: { keyspace: number; level: number; file: FileMeta }[] = [];
  for (let i = 0; i < count; i++) {
    const level = from.varint('a level');
    if (level >= LEVELS) throw from.bad(`level ${level} is past the last one, ${LEVELS - 1}`);
    const file = decodeFileMeta(from);
    if (file.sequenceOverride !== sequence)
      throw from.bad(`file ${file.number} is not at the sequence of its record`);
    addedFiles.push({ keyspace, level, file });
  }
  if (count === 0) throw from.bad('it names no table');
  from.finish('an ingestion');
  return { addedFiles, ingestedSequence: [{ keyspace, sequence }] };
}
