/**
 * mmap and munmap of the C library, through the optional peer `koffi`: looked up when mapping is first asked for, so that
 * `varve` works without it. Whether mapping works at all (a system without mmap, a runtime that forbids memory from
 * outside, as Electron does) is tried once, before anything relies on it.
 *
 * Used through node-fs.ts by mapped-handle.ts alone. Touching a view after `unmap` kills the process.
 */
import { createRequire } from 'node:module';
import { invalid } from '../base/errors.ts';
import type { Mapping } from './file-system.ts';

/** What is used of koffi; declared here because its own types are absent where the package is. */
interface Koffi {
  load(path: null): { func(declaration: string): NativeCall };
  view(address: unknown, bytes: number): ArrayBuffer;
  alloc(type: string, count: number): unknown;
  free(address: unknown): void;
}
type NativeCall = (...values: unknown[]) => unknown;

export interface MemoryMapper {
  /** Maps the first `bytes` of a file for reading; undefined when the system does not. */
  map(descriptor: number, bytes: number): Mapping | undefined;
}

// The same on all systems that have mmap.
const PROT_READ = 1;
const MAP_SHARED = 1;
const MADV_RANDOM = 1;
const MAP_FAILED = -1n;

let shared: MemoryMapper | undefined;

/**
 * The one of this thread.
 * @throws VarveError `MMAP_UNAVAILABLE` (invalid): koffi is not installed, or nothing can be mapped here.
 */
export function memoryMapper(): MemoryMapper {
  shared ??= loadMapper();
  return shared;
}

/** Loads koffi by `load`, by default from where this package is installed. */
export function loadMapper(
  load: (name: string) => unknown = createRequire(import.meta.url),
  platform: string = process.platform,
): MemoryMapper {
  if (platform === 'win32') throw unavailable('needs a system with mmap, which Windows is not', undefined);
  let koffi: Koffi;
  try {
    koffi = load('koffi') as Koffi;
  } catch (error) {
    throw unavailable('needs the package koffi: npm install koffi', error);
  }
  try {
    return new NativeMapper(koffi);
  } catch (error) {
    throw unavailable('does not work in this runtime: memory from outside can not be seen', error);
  }
}

const unavailable = (why: string, cause: unknown): Error =>
  invalid('MMAP_UNAVAILABLE', `reads: 'mmap' ${why}`, { option: 'reads', package: 'koffi' }, cause);

class NativeMapper implements MemoryMapper {
  readonly #koffi: Koffi;
  readonly #mmap: NativeCall;
  readonly #munmap: NativeCall;
  readonly #madvise: NativeCall;

  constructor(koffi: Koffi) {
    this.#koffi = koffi;
    const libc = koffi.load(null);
    this.#mmap = libc.func('void *mmap(void *, size_t, int, int, int, int64_t)');
    this.#munmap = libc.func('int munmap(void *, size_t)');
    this.#madvise = libc.func('int madvise(void *, size_t, int)');
    const memory = koffi.alloc('uint8', 1);
    koffi.view(memory, 1);
    koffi.free(memory);
  }

  map(descriptor: number, bytes: number): Mapping | undefined {
    const address = this.#mmap(null, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    if (address === null || BigInt.asIntN(64, BigInt(address as bigint)) === MAP_FAILED) return undefined;
    const unmap = (): void => void this.#munmap(address, bytes);
    try {
      this.#madvise(address, bytes, MADV_RANDOM);
      return { view: new Uint8Array(this.#koffi.view(address, bytes)), unmap };
    } catch {
      // Longer than an array buffer can be.
      unmap();
      return undefined;
    }
  }
}
