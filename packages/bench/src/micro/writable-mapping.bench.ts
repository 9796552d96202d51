/**
 * A preallocated file mapped for writing, by the C library through `koffi`: for study-log alone. The engine maps nothing
 * for writing.
 */
import { createRequire } from 'node:module';

/** What is used of koffi; declared here because its own types are absent where the package is. */
interface Koffi {
  load(path: null): { func(declaration: string): NativeCall };
  view(address: unknown, bytes: number): ArrayBuffer;
}
type NativeCall = (...values: unknown[]) => unknown;

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
/** Linux: all pages are there before the call returns. */
const MAP_POPULATE = 0x8000;
const MS_SYNC = 4;
const MAP_FAILED = -1n;

export interface WritableMapping {
  readonly bytes: Uint8Array;
  /** Brings the pages of [from, to) to disk; both are multiples of the page size. */
  sync(from: number, to: number): void;
  /** Once, after the last look at `bytes`. */
  unmap(): void;
}

export class Mapper {
  readonly #koffi: Koffi;
  readonly #mmap: NativeCall;
  readonly #munmap: NativeCall;
  readonly #msync: NativeCall;
  readonly #fallocate: NativeCall;

  /** Throws where koffi, or what it needs of the system, is not there. */
  constructor() {
    if (process.platform !== 'linux') throw new Error('made for Linux');
    this.#koffi = createRequire(import.meta.url)('koffi') as Koffi;
    const libc = this.#koffi.load(null);
    this.#mmap = libc.func('void *mmap(void *, size_t, int, int, int, int64_t)');
    this.#munmap = libc.func('int munmap(void *, size_t)');
    // The address as a number, so that a part of a mapping can be named.
    this.#msync = libc.func('int msync(uintptr_t, size_t, int)');
    this.#fallocate = libc.func('int fallocate(int, int, int64_t, int64_t)');
  }

  /** Reserves `bytes` of the disk for the file. */
  allocate(descriptor: number, bytes: number): void {
    if (this.#fallocate(descriptor, 0, 0, bytes) !== 0) throw new Error('fallocate failed');
  }

  map(descriptor: number, bytes: number, populate: boolean): WritableMapping {
    const flags = MAP_SHARED | (populate ? MAP_POPULATE : 0);
    const address = this.#mmap(null, bytes, PROT_READ_WRITE, flags, descriptor, 0);
    if (address === null || BigInt.asIntN(64, BigInt(address as bigint)) === MAP_FAILED) {
      throw new Error('mmap failed');
    }
    return {
      bytes: new Uint8Array(this.#koffi.view(address, bytes)),
      sync: (from, to) => {
        const result = this.#msync(BigInt(address as bigint) + BigInt(from), to - from, MS_SYNC);
        if (result !== 0) throw new Error('msync failed');
      },
      unmap: () => void this.#munmap(address, bytes),
    };
  }
}

/** Undefined, with the reason said, where nothing can be mapped. */
export function mapperIfThere(say: (line: string) => void): Mapper | undefined {
  try {
    return new Mapper();
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
    say(`skipped: mappings, which need the package koffi (${reason})`);
    return undefined;
  }
}
