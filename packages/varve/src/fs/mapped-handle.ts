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
import { EMPTY } from '../base/bytes.ts';
import type { FileHandle, Mapping } from './file-system.ts';
import { ForwardingHandle } from './forwarding-handle.ts';

/** Larger reads go by pread. */
const MAPPED_READ_BYTES_MAX = 16 * 1024;

export class MappedHandle extends ForwardingHandle {
  #unmap: (() => void) | undefined;
  #view: Uint8Array;
  /** Bytes of the mapping; -1 when it is gone. */
  #end: number;

  /** Takes over both: they are closed with it. */
  constructor(file: FileHandle, { view, unmap }: Mapping) {
    super(file);
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
