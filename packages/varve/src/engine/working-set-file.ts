/**
 * `CACHE-n`: which blocks were in use, for warming the block cache at the next open. A hint and nothing else: it is not
 * synced, and a file that is torn, damaged, stale or missing is the same as an empty one.
 *
 * One frame of record/frame.ts, kind 1, whose payload is
 *
 *   offset  size  type  field             little-endian, once per block
 *        0     4  u32   table             file number
 *        4     4  u32   offset            of the block in it
 *
 * First the blocks that were used most, then the others, both in the order of tables and offsets: neighbours are read at once.
 * Written whole under a fresh number, then the older ones are removed; the highest number that is intact counts.
 */
import { VarveError } from '../base/errors.ts';
import { getU32, putU32 } from '../base/fixed.ts';
import { cacheName, inDirectory } from '../fs/file-names.ts';
import { type FileSystem, readFile, writeFully } from '../fs/file-system.ts';
import { encodeFrame, FRAME_OVERHEAD, FrameReader } from '../record/frame.ts';

const FRAME_KIND = 1;
const PAIR_BYTES = 8;
/** Blocks that are remembered: 128 MiB of the usual size, 256 KiB of file. */
export const WORKING_SET_MAX = 32_768;

/** These come first, if there is no time for more. */
const HOTTEST = 1024;

/** A job of the I/O lane. */
export interface RememberInput {
  readonly directory: string;
  readonly number: number;
  /** Pairs of table and offset, those used most first. */
  readonly blocks: Uint32Array;
  /** Numbers of the files that this one replaces. */
  readonly older: readonly number[];
}

/** @throws VarveError io */
export function writeWorkingSet(fs: FileSystem, input: RememberInput): void {
  sortBlocks(input.blocks.subarray(0, HOTTEST * 2));
  sortBlocks(input.blocks.subarray(HOTTEST * 2));
  const payload = new Uint8Array(input.blocks.length * 4);
  for (let i = 0; i < input.blocks.length; i++) putU32(payload, i * 4, input.blocks[i]!);
  const frame = encodeFrame(FRAME_KIND, payload);
  const file = fs.open(inDirectory(input.directory, cacheName(input.number)), 'create');
  try {
    writeFully(file, frame, 0, frame.length, 0);
  } finally {
    file.close();
  }
  for (const number of input.older) {
    const path = inDirectory(input.directory, cacheName(number));
    if (fs.status(path) !== undefined) fs.remove(path);
  }
}

/** The blocks of the newest file that is intact, as pairs; none when there is none. */
export function readWorkingSet(fs: FileSystem, directory: string, numbers: readonly number[]): Uint32Array {
  for (const number of [...numbers].sort((a, b) => b - a)) {
    const blocks = readOne(fs, inDirectory(directory, cacheName(number)));
    if (blocks !== undefined) return blocks;
  }
  return new Uint32Array(0);
}

function readOne(fs: FileSystem, path: string): Uint32Array | undefined {
  try {
    const size = fs.status(path)?.size ?? 0;
    if (size > WORKING_SET_MAX * PAIR_BYTES + FRAME_OVERHEAD) return undefined;
    const frames = new FrameReader(readFile(fs, path));
    if (!frames.next() || frames.kind !== FRAME_KIND) return undefined;
    const { bytes, payloadStart, payloadEnd } = frames;
    if ((payloadEnd - payloadStart) % PAIR_BYTES !== 0 || frames.next() || frames.ending !== 'clean')
      return undefined;
    const blocks = new Uint32Array((payloadEnd - payloadStart) / 4);
    for (let i = 0; i < blocks.length; i++) blocks[i] = getU32(bytes, payloadStart + i * 4);
    return blocks;
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    return undefined;
  }
}

/** One number for block `index` of pairs; exact up to table 2,097,151, and past that a hint that leads nowhere. */
export function blockKey(pairs: Uint32Array, index: number): number {
  return pairs[index * 2]! * 2 ** 32 + pairs[index * 2 + 1]!;
}

function sortBlocks(pairs: Uint32Array): void {
  const keys = new Float64Array(pairs.length / 2);
  for (let i = 0; i < keys.length; i++) keys[i] = blockKey(pairs, i);
  keys.sort();
  for (let i = 0; i < keys.length; i++) {
    pairs[i * 2] = Math.floor(keys[i]! / 2 ** 32);
    pairs[i * 2 + 1] = keys[i]! % 2 ** 32;
  }
}
