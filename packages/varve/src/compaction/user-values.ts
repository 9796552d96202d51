/**
 * What a job does with values by user code: the operator and the filter (user-code.ts), and the values that they are shown where
 * a table only refers to them. One job, one thread; to be closed.
 */
import { cloneRange } from '../base/bytes.ts';
import { VarveError } from '../base/errors.ts';
import { blobName, inDirectory, tableName } from '../fs/file-names.ts';
import { BlobReference } from '../sstable/blob-reference.ts';
import { TableCache } from '../sstable/table-cache.ts';
import type { JobCode, JobEnv } from './job.ts';
import type { FoldEnv } from './merge-fold.ts';
import { JobUserCode } from './user-code.ts';

/** Blob files that a job reads from at a time. */
const OPEN_FILES_MAX = 16;

export class UserValues extends JobUserCode implements FoldEnv {
  readonly #code: JobCode | undefined;
  readonly #directory: string;
  readonly #env: JobEnv;
  readonly #reference = new BlobReference();
  #sources: TableCache | undefined;

  constructor(code: JobCode | undefined, level: number | undefined, directory: string, env: JobEnv) {
    super(code, level, env);
    this.#code = code;
    this.#directory = directory;
    this.#env = env;
  }

  /** The value that a reference names; undefined when it can not be read, which reads and compactions of it will tell. */
  load(key: Uint8Array, stored: Uint8Array): Uint8Array | undefined {
    const reference = this.#reference;
    try {
      reference.decode(stored, 0, stored.length);
      const meta = this.#code?.blobs?.find(({ number }) => number === reference.file);
      if (meta === undefined) return undefined;
      this.#sources ??= new TableCache({
        fs: this.#env.fs,
        pathOf: (number) => inDirectory(this.#directory, tableName(number)),
        blobPathOf: (number) => inDirectory(this.#directory, blobName(number)),
        openFilesMax: OPEN_FILES_MAX,
      });
      const reader = this.#sources.blob(meta);
      reader.read(reference, key, 0, key.length);
      return cloneRange(reader.bytes, reader.start, reader.end);
    } catch (error) {
      if (error instanceof VarveError) return undefined;
      throw error;
    }
  }

  close(): void {
    this.#sources?.close();
    this.#sources = undefined;
  }
}
