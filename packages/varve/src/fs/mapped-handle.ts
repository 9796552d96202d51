/**
 * Reading out of a mapping of the file: a small read costs a copy, and no call of the system when the pages are there.
 *
 * The mapping covers what the file held when it was opened; what lies beyond it, and large reads, go by pread: they gain
 * nothing from a mapping, and a walk gets the system's read-ahead. The mapping is told to expect jumps, because read-ahead
 * around every fault would fetch megabytes for one block.
 * Invariants: (1) No view of the mapping leaves this file: `read` copies out, so that nothing can look at it after `close`.
 * (2) Reads stay within the size at open. What this can not prevent: a page that the disk fails to deliver, and a file that
 * somebody else cuts while it is open, kill the process (SIGBUS) where pread would report an error. Hence not the default.
 * The thread that opened a handle uses and closes it; a thread that is terminated before leaves its mappings to the process.
 */
import * as nodeFs from 'node:fs';
import { EMPTY } from '../base/bytes.ts';
import type { FileHandle } from './file-system.ts';
import type { MemoryMapper } from './memory-map.ts';
import { NodeHandle, run } from './node-handle.ts';

/** Larger reads go by pread. */
const MAPPED_READ_BYTES_MAX = 16 * 1024;

class MappedHandle extends NodeHandle {
  #unmap: (() => void) | undefined;
  #view: Uint8Array;
  /** Bytes of the mapping; -1 when it is gone. */
  #end: number;

  constructor(path: string, descriptor: number, view: Uint8Array, unmap: () => void) {
    super(path, descriptor);
    this.#view = view;
    this.#end = view.length;
    this.#unmap = unmap;
  }

  override read(target: Uint8Array, offset: number, length: number, position: number): number {
    if (length > MAPPED_READ_BYTES_MAX || position + length > this.#end) {
      return super.read(target, offset, length, position);
    }
    target.set(this.#view.subarray(position, position + length), offset);
    return length;
  }

  override close(): void {
    const unmap = this.#unmap;
    this.#unmap = undefined;
    this.#view = EMPTY;
    this.#end = -1;
    unmap?.();
    super.close();
  }
}

/** Opens for reading; what can not be mapped (an empty file, a directory, no room for more mappings) is read by pread. */
export function openMapped(path: string, mapper: MemoryMapper): FileHandle {
  const descriptor = run('open', path, () => nodeFs.openSync(path, 'r'));
  const file = new NodeHandle(path, descriptor);
  try {
    const bytes = file.size();
    const mapping = bytes === 0 ? undefined : mapper.map(descriptor, bytes);
    if (mapping === undefined) return file;
    // It takes over the descriptor.
    return new MappedHandle(path, descriptor, mapping.view, mapping.unmap);
  } catch (error) {
    file.close();
    throw error;
  }
}
