/**
 * Where the large values of a job go: from a certain size on to blob files of its own, to which the tables then refer. Values
 * that lie in a blob file already stay there, unless it is to be emptied: then they are copied to the job's.
 *
 * Blob files are opened when the first value comes and ended when they are large, wherever the tables end. `takeUses`
 * says, at the end of each table, what it refers to: the manifest keeps that with the table (manifest/blob-meta.ts).
 *
 * Invariants: (1) every record that is written here is referred to by exactly one entry of the job's tables. (2) `finish`
 * leaves only files whose bytes are synced; TableOutput syncs the names. (3) After `abandon` nothing that was created is left.
 * A value that can not be copied stays where it is: the job goes on, and `unread` names the file. One job, one thread.
 */
import type { WrittenEntry } from '../base/entry.ts';
import { VarveError } from '../base/errors.ts';
import { KIND_BLOB, KIND_PUT } from '../base/kinds.ts';
import { blobName, inDirectory, tableName } from '../fs/file-names.ts';
import type { FileHandle } from '../fs/file-system.ts';
import type { BlobMeta, BlobUse } from '../manifest/blob-meta.ts';
import { BlobReference, REFERENCE_BYTES_MAX } from '../sstable/blob-reference.ts';
import { BlobWriter } from '../sstable/blob-writer.ts';
import { TableCache } from '../sstable/table-cache.ts';
import type { JobProgress } from './job-progress.ts';
import { attempt, type JobEnv, newUniqueId, type TableSettings } from './job.ts';

/** A blob file ends at the first record after it has reached this size: what one reclaim copies at most is half of it. */
const BLOB_BYTES_MAX = 64 * 1024 * 1024;
/** Blob files that a job reads from at a time. */
const OPEN_FILES_MAX = 16;

export interface ValueTask {
  readonly directory: string;
  readonly table: TableSettings;
  /** The database's next file number, shared by all threads. */
  readonly fileNumbers: SharedArrayBuffer;
  /** Blob files whose values are to be copied when an entry refers to them. */
  readonly emptied?: readonly BlobMeta[] | undefined;
  /** Where the job says what it creates. */
  readonly progress?: JobProgress | undefined;
}

export class ValueOutput {
  /** What the entry given to `place` holds instead of its value. */
  readonly reference: Uint8Array = new Uint8Array(REFERENCE_BYTES_MAX);
  referenceEnd = 0;
  /** Finished files. */
  readonly blobs: BlobMeta[] = [];
  /** Files that were to be emptied and could not be read. */
  readonly unread: number[] = [];
  /** Bytes of values that were copied; whoever counts them sets it back. */
  movedBytes = 0;
  readonly #env: JobEnv;
  readonly #task: ValueTask;
  readonly #valueBytesMin: number;
  readonly #emptied = new Map<number, BlobMeta>();
  #sources: TableCache | undefined;
  readonly #created: string[] = [];
  #writer: BlobWriter | undefined;
  #file: FileHandle | undefined;
  #number = 0;
  /** Of the current table. */
  readonly #uses = new Map<number, { bytes: number; entries: number }>();
  readonly #decoded = new BlobReference();

  constructor(env: JobEnv, task: ValueTask) {
    this.#env = env;
    this.#task = task;
    this.#valueBytesMin = task.table.blobValueBytes ?? Number.POSITIVE_INFINITY;
    for (const blob of task.emptied ?? []) this.#emptied.set(blob.number, blob);
  }

  /** Does an entry of that kind and length hold a reference in the table? */
  takes(kind: number, valueLength: number): boolean {
    return (kind === KIND_PUT && valueLength >= this.#valueBytesMin) || kind === KIND_BLOB;
  }

  /** Leaves in `reference` what the entry holds in the table. */
  place(entry: WrittenEntry): void {
    const decoded = this.#decoded;
    if (entry.kind === KIND_BLOB) {
      decoded.decode(entry.value, entry.valueStart, entry.valueEnd);
      const source = this.#emptied.get(decoded.file);
      if (source !== undefined) this.#move(entry, source);
    } else this.#write(entry, entry.value, entry.valueStart, entry.valueEnd);
    this.referenceEnd = decoded.encode(this.reference, 0);
    const uses = this.#uses.get(decoded.file);
    // Of the record its prefix too, so that what is live can reach all of a file.
    const bytes = BlobWriter.recordBytes(decoded.length);
    if (uses === undefined) this.#uses.set(decoded.file, { bytes, entries: 1 });
    else {
      uses.bytes += bytes;
      uses.entries++;
    }
  }

  /** What the table that ends here refers to. */
  takeUses(): BlobUse[] {
    const uses = [...this.#uses].map(([number, { bytes, entries }]) => ({ number, bytes, entries }));
    this.#uses.clear();
    return uses.sort((a, b) => a.number - b.number);
  }

  finish(): void {
    this.#end();
    this.#sources?.close();
  }

  /** Closes and removes everything that was created. */
  abandon(): void {
    attempt(() => this.#writer?.abandon());
    attempt(() => this.#file?.close());
    attempt(() => this.#sources?.close());
    this.#writer = undefined;
    this.#file = undefined;
    for (const path of this.#created) attempt(() => this.#env.fs.remove(path));
  }

  /** Copies the value; `#decoded` stays as it is when it can not be read. */
  #move(entry: WrittenEntry, source: BlobMeta): void {
    this.#sources ??= new TableCache({
      fs: this.#env.fs,
      pathOf: (number) => inDirectory(this.#task.directory, tableName(number)),
      blobPathOf: (number) => inDirectory(this.#task.directory, blobName(number)),
      openFilesMax: OPEN_FILES_MAX,
    });
    const reader = this.#sources.blob(source);
    try {
      reader.read(this.#decoded, entry.key, entry.keyStart, entry.keyEnd);
    } catch (error) {
      if (!(error instanceof VarveError)) throw error;
      this.#emptied.delete(source.number);
      this.unread.push(source.number);
      return;
    }
    this.#write(entry, reader.bytes, reader.start, reader.end);
    this.movedBytes += reader.end - reader.start;
  }

  #write(entry: WrittenEntry, value: Uint8Array, valueStart: number, valueEnd: number): void {
    if (this.#writer !== undefined && this.#writer.bytes >= BLOB_BYTES_MAX) this.#end();
    const writer = this.#writer ?? this.#begin();
    writer.add(entry.key, entry.keyStart, entry.keyEnd, value, valueStart, valueEnd);
    const decoded = this.#decoded;
    decoded.file = this.#number;
    decoded.offset = writer.offset;
    decoded.length = writer.length;
  }

  #begin(): BlobWriter {
    const { directory, fileNumbers, table } = this.#task;
    this.#number = Number(Atomics.add(new BigInt64Array(fileNumbers), 0, 1n));
    const path = inDirectory(directory, blobName(this.#number));
    this.#task.progress?.creates(this.#number);
    const file = this.#env.fs.open(path, 'create');
    this.#created.push(path);
    this.#file = file;
    const { compression } = table;
    this.#writer = new BlobWriter({ file, uniqueId: newUniqueId(this.#env), compression });
    return this.#writer;
  }

  #end(): void {
    if (this.#writer === undefined) return;
    const summary = this.#writer.finish();
    this.blobs.push({ number: this.#number, ...summary });
    this.#writer = undefined;
    this.#file = undefined;
  }
}
