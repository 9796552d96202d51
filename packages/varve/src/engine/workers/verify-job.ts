/**
 * Verifies one table: opens it as the manifest names it, and with `full` reads every block, and every value that it refers to in
 * blob files. Or one blob file: its two ends, as the manifest names it. Jobs of the lane `care`: they may take long, and nobody's
 * reads or writes wait for them. What they find is a result, not a failure.
 */
import { VarveError } from '../../base/errors.ts';
import { KIND_BLOB } from '../../base/kinds.ts';
import { checkCancelled } from '../../compaction/job.ts';
import type { FileSystem } from '../../fs/file-system.ts';
import type { BlobMeta } from '../../manifest/blob-meta.ts';
import { readBlobEnds } from '../../sstable/blob-records.ts';
import { BlobReference } from '../../sstable/blob-reference.ts';
import { TableReader } from '../../sstable/reader.ts';
import { TableCache } from '../../sstable/table-cache.ts';
import type { JobContext } from '../../workers/job-runner.ts';

/** Plain data. */
export interface VerifyInput {
  readonly path: string;
  readonly fileNumber: number;
  readonly bytes: number;
  readonly uniqueId: Uint8Array;
  readonly full: boolean;
  /** The blob files that the table refers to, and their paths; read with `full`. */
  readonly blobs: readonly { readonly blob: BlobMeta; readonly path: string }[];
}

/** Plain data. */
export interface VerifyBlobInput {
  readonly path: string;
  readonly blob: BlobMeta;
}

export interface TableProblem {
  readonly file: string;
  readonly offset: number | undefined;
  readonly code: string;
  readonly message: string;
}

/** Blocks checked between two pauses: about half a millisecond of work. */
const BLOCKS = 32;
/** Bytes of values checked between two pauses. */
const VALUE_BYTES = 256 * 1024;
const OPEN_FILES_MAX = 16;

export function* verifyTable(input: VerifyInput, context: JobContext): Generator<void, TableProblem[]> {
  const { path, fileNumber, bytes, uniqueId } = input;
  let table: TableReader | undefined;
  try {
    table = TableReader.open({ fs: context.fs, path, fileNumber, bytes, uniqueId });
    if (!input.full) return [];
    const steps = table.verify();
    for (let blocks = 1; steps.next().done !== true; blocks++) {
      if (blocks % BLOCKS !== 0) continue;
      yield;
      checkCancelled(context);
    }
    return input.blobs.length === 0 ? [] : yield* verifyValues(table, input, context);
  } catch (error) {
    return [problemOf(error, path)];
  } finally {
    table?.close();
  }
}

/** Reads every value that the table refers to; of each blob file the first problem is told. */
function* verifyValues(
  table: TableReader,
  { path, blobs }: VerifyInput,
  context: JobContext,
): Generator<void, TableProblem[]> {
  const problems = new Map<number, TableProblem>();
  const files = new Map(blobs.map((each) => [each.blob.number, each]));
  const open = new TableCache({
    fs: context.fs,
    pathOf: () => path,
    blobPathOf: (number) => files.get(number)!.path,
    openFilesMax: OPEN_FILES_MAX,
  });
  try {
    const reference = new BlobReference();
    const entries = table.iterator({ fillCache: false });
    let left = VALUE_BYTES;
    for (entries.first(); entries.valid; entries.next()) {
      if (entries.kind !== KIND_BLOB) continue;
      const { key, keyStart, keyEnd } = entries;
      try {
        reference.decode(entries.value, entries.valueStart, entries.valueEnd);
        const file = files.get(reference.file);
        if (file === undefined) problems.set(reference.file, unknownFile(path, reference.file));
        else if (!problems.has(reference.file)) open.blob(file.blob).read(reference, key, keyStart, keyEnd);
      } catch (error) {
        problems.set(reference.file, problemOf(error, path));
      }
      left -= reference.length;
      if (left > 0) continue;
      left = VALUE_BYTES;
      yield;
      checkCancelled(context);
    }
    return [...problems.values()];
  } finally {
    open.close();
  }
}

export function* verifyBlob(input: VerifyBlobInput, context: JobContext): Generator<void, TableProblem[]> {
  const { path, blob } = input;
  yield;
  checkCancelled(context);
  try {
    checkEnds(context.fs, path, blob);
    return [];
  } catch (error) {
    return [problemOf(error, path)];
  }
}

function checkEnds(fs: FileSystem, path: string, { uniqueId, bytes, records }: BlobMeta): void {
  const file = fs.open(path, 'read');
  try {
    const ends = readBlobEnds(file, uniqueId);
    if (ends.fileBytes === bytes && ends.records === records) return;
    const message = 'the blob file is not as long as the manifest says';
    throw new VarveError('corruption', 'CORRUPTION', message, { file: path, offset: 0 });
  } finally {
    file.close();
  }
}

function unknownFile(file: string, number: number): TableProblem {
  const message = `an entry refers to blob file ${number}, of which the manifest does not know with this table`;
  return { file, offset: undefined, code: 'CORRUPTION', message };
}

/** What was found; an error that is none of a file is thrown on. */
function problemOf(error: unknown, path: string): TableProblem {
  if (!(error instanceof VarveError) || error.kind === 'closed') throw error;
  const { file, offset } = error.context;
  return {
    file: typeof file === 'string' ? file : path,
    offset: typeof offset === 'number' ? offset : undefined,
    code: error.code,
    message: error.message,
  };
}
