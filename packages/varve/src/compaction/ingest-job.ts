/**
 * Ingestion: sorted entries, of each key one, become tables, without log or memtable. Runs in a worker thread, which reads the entries in shared
 * memory where the owner's thread has put them, or in slices on the owner's thread.
 *
 * The sequence of the entries is not known yet: they are written with 0, and whoever makes the tables part of a keyspace says
 * in their metadata at which sequence they count as written (manifest/ingestion.ts).
 */
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import { ChunkReader } from './entry-chunk.ts';
import { checkCancelled, type JobEnv, type JobOutput, type TableSettings } from './job.ts';
import { TableOutput } from './table-output.ts';

/** Plain data. */
export interface IngestInput {
  readonly directory: string;
  /** Entries in ascending order, in [0, used) of shared memory (entry-chunk.ts); at least one. */
  readonly chunk: Uint8Array;
  readonly used: number;
  readonly table: TableSettings;
  /** The database's next file number. */
  readonly fileNumbers: SharedArrayBuffer;
  /** Milliseconds since 1970: when they were written. */
  readonly newestTime: number;
}

/** A job pauses after this many entries ... */
const SLICE_ENTRIES = 200;
/** ... or this many bytes, whichever comes first: about half a millisecond. */
const SLICE_BYTES = 64 * 1024;

export function* ingestJob(input: IngestInput, env: JobEnv): Generator<void, JobOutput> {
  const { directory, table, fileNumbers, newestTime, used } = input;
  const task = { directory, table, fileNumbers, newestTime, grandparents: [] };
  const output = new TableOutput(env, task, FragmentedTombstones.none);
  let isDone = false;
  try {
    const reader = new ChunkReader(input.chunk, used);
    let entries = 0;
    for (let added = addSlice(reader, output); added > 0; added = addSlice(reader, output)) {
      entries += added;
      yield;
      checkCancelled(env);
    }
    const files = output.finish();
    isDone = true;
    const bytesWritten = files.reduce((sum, file) => sum + file.bytes, 0);
    return {
      files,
      blobs: [],
      unreadBlobs: [],
      bytesRead: used,
      bytesWritten,
      entriesIn: entries,
      entriesOut: entries,
      keysOut: entries,
      dropped: 0,
      problems: [],
      filteredFrom: undefined,
    };
  } finally {
    if (!isDone) output.abandon();
  }
}

/** Adds the next entries; returns how many, 0 at the end. */
function addSlice(reader: ChunkReader, output: TableOutput): number {
  let entries = 0;
  let bytes = 0;
  while (entries < SLICE_ENTRIES && bytes < SLICE_BYTES && reader.next()) {
    output.add(reader, reader.kind, true, reader.shared);
    bytes += reader.valueEnd - reader.keyStart;
    entries++;
  }
  return entries;
}
