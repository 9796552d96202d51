/**
 * Reading past the page cache (O_DIRECT): bytes go from the disk to memory of this process and are cached nowhere else.
 *
 * Such a transfer wants offset, length and memory aligned: every read is widened to whole blocks, goes to one aligned buffer
 * of the thread, and what was asked for is copied out. Reads are synchronous, so that one buffer serves all handles.
 * A file system that refuses (EINVAL, at open or at the first read) is read by pread instead; `directRefusal` tells that
 * beforehand, for the warning. Bytes that are written through other handles are seen: the system writes them out first.
 */
import { systemCode } from '../base/errors.ts';
import type { FileHandle, OtherReads } from './file-system.ts';
import { ForwardingHandle } from './forwarding-handle.ts';
import { pageAlignedMemory } from './page-aligned-memory.ts';

/** Fits the blocks of nearly all disks; where blocks are larger the system refuses, and pread takes over. */
const ALIGNMENT = 4096;
/** Most that one call reads; callers go on after short reads. */
const BOUNCE_BYTES = 1024 * 1024;
let buffer: Uint8Array | undefined;

function bounce(): Uint8Array {
  buffer ??= pageAlignedMemory(BOUNCE_BYTES);
  return buffer;
}

/** Made by `openDirect`; exported for tests. */
export class DirectHandle extends ForwardingHandle {
  readonly #openPlain: () => FileHandle;
  #isDirect = true;

  constructor(file: FileHandle, openPlain: () => FileHandle) {
    super(file);
    this.#openPlain = openPlain;
  }

  override read(target: Uint8Array, offset: number, length: number, position: number): number {
    if (!this.#isDirect) return super.read(target, offset, length, position);
    const aligned = bounce();
    const skew = position % ALIGNMENT;
    const wanted = Math.min(aligned.length, Math.ceil((skew + length) / ALIGNMENT) * ALIGNMENT);
    let got: number;
    try {
      got = this.file.read(aligned, 0, wanted, position - skew);
    } catch (error) {
      if (systemCode(error) !== 'EINVAL') throw error;
      this.#giveUp();
      return super.read(target, offset, length, position);
    }
    // Short of a whole block only at the end of the file.
    const here = Math.min(length, got - skew);
    if (here <= 0) return 0;
    target.set(aligned.subarray(skew, skew + here), offset);
    return here;
  }

  /** The first read comes right after open, while the file still has its name. */
  #giveUp(): void {
    const plain = this.#openPlain();
    this.file.close();
    this.file = plain;
    this.#isDirect = false;
  }
}

/** Opens for reading: directly where that works, else by `openPlain`. */
export function openDirect(reads: OtherReads, path: string, openPlain: () => FileHandle): FileHandle {
  const file = tryDirect(reads, path);
  return file === undefined ? openPlain() : new DirectHandle(file, openPlain);
}

/** Undefined where the system knows no direct reads, or refuses them for this file. */
function tryDirect(reads: OtherReads, path: string): FileHandle | undefined {
  try {
    return reads.openDirect(path);
  } catch (error) {
    if (systemCode(error) === 'EINVAL') return undefined;
    throw error;
  }
}

/** Why direct reads of the file at `path` are read by pread after all; undefined when they are direct. */
export function directRefusal(reads: OtherReads, path: string): string | undefined {
  const file = tryDirect(reads, path);
  const refusal = 'the file system refuses direct reads (O_DIRECT); tables are read by pread';
  if (file === undefined) return refusal;
  try {
    file.read(bounce(), 0, ALIGNMENT, 0);
    return undefined;
  } catch (error) {
    if (systemCode(error) === 'EINVAL') return refusal;
    throw error;
  } finally {
    file.close();
  }
}
