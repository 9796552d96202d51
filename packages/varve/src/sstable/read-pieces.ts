/**
 * The jobs that read pieces of tables for reads on the owner's thread (cold-reads.ts): what they return is checked and not
 * compressed any more, in memory that is handed over. They run in worker threads and have descriptors of their own.
 *
 * A piece that can not be read, for whatever reason, is left out: the owner reads it then and gets the same error as any other
 * read. So these jobs fail only by being cancelled.
 */
import { VarveError } from '../base/errors.ts';
import { type FileHandle, type FileSystem, readFully } from '../fs/file-system.ts';
import { type ReadMode, withReads } from '../fs/table-reads.ts';
import type { JobContext } from '../workers/job-runner.ts';
import { validateBlob } from './blob-format.ts';
import { validateBlock } from './block.ts';
import { readFooterBytes } from './footer-read.ts';
import {
  BLOCK_BLOB,
  BLOCK_DATA,
  BLOCK_FILTER,
  BLOCK_INDEX,
  BLOCK_PROPERTIES,
  BLOCK_RANGE_TOMBSTONES,
  BLOCK_TOP_INDEX,
  type BlockHandle,
  decodeFooter,
} from './format.ts';
import { Scratch, SCRATCH_BYTES_MAX } from './scratch.ts';
import { OpenedBlock, TableSeed } from './stored-block.ts';

/** Blocks of a table by columns; those of one table stand together, by offset. Plain data. */
export interface ReadPiecesInput {
  readonly reads: ReadMode;
  readonly tables: readonly { readonly path: string; readonly uniqueId: Uint8Array }[];
  /** Index in `tables`. */
  readonly tableOf: Uint32Array;
  readonly offsets: Float64Array;
  readonly lengths: Uint32Array;
  readonly types: Uint8Array;
  /** Shared memory to put them in, as far as they fit. */
  readonly into: Uint8Array | undefined;
}

/** For each block where it lies now. */
export interface ReadPiecesOutput {
  readonly memory: Uint8Array[];
  /** Index in `memory`; -1: it could not be read. */
  readonly memoryOf: Int32Array;
  readonly starts: Uint32Array;
  readonly lengths: Uint32Array;
}

export interface ReadTailInput {
  readonly reads: ReadMode;
  readonly path: string;
}

export interface ReadTailOutput {
  readonly fileBytes: number;
  readonly footer: Uint8Array;
  readonly blocks: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
}

/** Blocks so far apart are read at once. */
const GAP_BYTES_MAX = 16 * 1024;
const READ_BYTES_MAX: number = SCRATCH_BYTES_MAX;
/** Pieces share memory of about this size. */
const MEMORY_BYTES = 256 * 1024;

export function* readPieces(input: ReadPiecesInput, context: JobContext): Generator<void, ReadPiecesOutput> {
  const fs = withReads(context.fs, input.reads);
  const count = input.offsets.length;
  const output = new PieceOutput(count, input.into, context);
  const files = new FileInHand(fs);
  try {
    for (let first = 0; first < count; ) {
      const end = endOfRun(input, first);
      readRun(files, input, first, end, output);
      first = end;
      yield;
      checkCancelled(context);
    }
  } finally {
    files.close();
  }
  return output.finish();
}

/** The file that was read last stays open for the next run. */
class FileInHand {
  readonly #fs: FileSystem;
  #file: FileHandle | undefined;

  constructor(fs: FileSystem) {
    this.#fs = fs;
  }

  open(path: string): FileHandle {
    if (this.#file?.path !== path) {
      this.close();
      this.#file = this.#fs.open(path, 'read');
    }
    return this.#file!;
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

/** The blocks from `first` on that one read brings. */
function endOfRun({ tableOf, offsets, lengths }: ReadPiecesInput, first: number): number {
  const from = offsets[first]!;
  let to = from + lengths[first]!;
  let next = first + 1;
  for (; next < offsets.length && tableOf[next] === tableOf[first]; next++) {
    const offset = offsets[next]!;
    const end = offset + lengths[next]!;
    if (offset < to || offset - to > GAP_BYTES_MAX || end - from > READ_BYTES_MAX) break;
    to = end;
  }
  return next;
}

function readRun(
  files: FileInHand,
  input: ReadPiecesInput,
  first: number,
  end: number,
  output: PieceOutput,
): void {
  const { path, uniqueId } = input.tables[input.tableOf[first]!]!;
  const from = input.offsets[first]!;
  const length = input.offsets[end - 1]! + input.lengths[end - 1]! - from;
  const buffer = readMemory.room(length);
  const got = leftOut(() => readFully(files.open(path), buffer, 0, length, from));
  if (got === undefined) return;
  const seed = new TableSeed(uniqueId);
  const opened = new OpenedBlock();
  for (let piece = first; piece < end; piece++) {
    const offset = input.offsets[piece]!;
    const stored = input.lengths[piece]!;
    const type = input.types[piece]!;
    if (offset - from + stored > got) continue;
    leftOut(() => {
      opened.open(buffer, offset - from, stored, type, seed, path, offset, expandMemory);
      if (type === BLOCK_DATA || type === BLOCK_INDEX) {
        validateBlock(opened.bytes, opened.start, opened.length, path, offset);
      }
      if (type === BLOCK_BLOB) validateBlob(opened.bytes, opened.start, opened.length, path, offset);
      output.put(piece, opened);
    });
  }
}

/** What was read last, and what was expanded of it; each is copied before the next. */
const readMemory = new Scratch();
const expandMemory = new Scratch();

/** Packs pieces into the memory that was given, and into memory of its own when that is full. */
class PieceOutput {
  readonly #context: JobContext;
  readonly #memory: Uint8Array[] = [];
  readonly #memoryOf: Int32Array;
  readonly #starts: Uint32Array;
  readonly #lengths: Uint32Array;
  readonly #into: Uint8Array | undefined;
  #open: Uint8Array;
  #used = 0;

  constructor(count: number, into: Uint8Array | undefined, context: JobContext) {
    this.#context = context;
    this.#into = into;
    this.#open = into ?? new Uint8Array(0);
    if (into !== undefined) this.#memory.push(into);
    this.#memoryOf = new Int32Array(count).fill(-1);
    this.#starts = new Uint32Array(count);
    this.#lengths = new Uint32Array(count);
  }

  put(piece: number, { bytes, start, length }: OpenedBlock): void {
    if (this.#used + length > this.#open.length) {
      const left = (this.#memoryOf.length - piece) * length;
      this.#open = new Uint8Array(Math.max(length, Math.min(MEMORY_BYTES, left)));
      this.#used = 0;
      this.#memory.push(this.#open);
    }
    this.#open.set(bytes.subarray(start, start + length), this.#used);
    this.#memoryOf[piece] = this.#memory.length - 1;
    this.#starts[piece] = this.#used;
    this.#lengths[piece] = length;
    this.#used += length;
  }

  finish(): ReadPiecesOutput {
    for (const memory of this.#memory) {
      if (memory !== this.#into) this.#context.transfer?.(memory.buffer as ArrayBuffer);
    }
    return {
      memory: this.#memory,
      memoryOf: this.#memoryOf,
      starts: this.#starts,
      lengths: this.#lengths,
    };
  }
}

/** Undefined when there is no such table, or none that can be opened. */
export function* readTail(
  input: ReadTailInput,
  context: JobContext,
): Generator<void, ReadTailOutput | undefined> {
  yield;
  checkCancelled(context);
  const { path } = input;
  return leftOut(() =>
    withFile(withReads(context.fs, input.reads), path, (file) => {
      const fileBytes = file.size();
      const footer = readFooterBytes(file, fileBytes, path);
      const { uniqueId, properties, topIndex, filter, rangeTombstones } = decodeFooter(
        footer,
        fileBytes,
        path,
      );
      const seed = new TableSeed(uniqueId);
      const blocks: { offset: number; bytes: Uint8Array }[] = [];
      const read = (handle: BlockHandle, type: number): void => {
        if (handle.length === 0) return;
        const bytes = readBlock(file, handle, type, seed);
        context.transfer?.(bytes.buffer as ArrayBuffer);
        blocks.push({ offset: handle.offset, bytes });
      };
      read(properties, BLOCK_PROPERTIES);
      read(topIndex, BLOCK_TOP_INDEX);
      read(filter, BLOCK_FILTER);
      read(rangeTombstones, BLOCK_RANGE_TOMBSTONES);
      return { fileBytes, footer, blocks };
    }),
  );
}

function readBlock(file: FileHandle, handle: BlockHandle, type: number, seed: TableSeed): Uint8Array {
  const stored = new Uint8Array(handle.length);
  readFully(file, stored, 0, stored.length, handle.offset);
  const opened = new OpenedBlock();
  opened.open(stored, 0, stored.length, type, seed, file.path, handle.offset);
  return opened.bytes.slice(opened.start, opened.start + opened.length);
}

function withFile<T>(fs: FileSystem, path: string, use: (file: FileHandle) => T): T {
  const file = fs.open(path, 'read');
  try {
    return use(file);
  } finally {
    file.close();
  }
}

function leftOut<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof VarveError) return undefined;
    throw error;
  }
}

function checkCancelled(context: JobContext): void {
  if (context.cancelled()) throw new VarveError('closed', 'CANCELLED', 'the job was cancelled');
}
