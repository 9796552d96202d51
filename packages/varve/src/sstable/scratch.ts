/**
 * Memory for bytes that are copied somewhere else at once, used again for the next: fresh memory for each block takes longer than
 * reading or expanding it. What it lends is gone when anybody asks for more. One thread.
 */
import { EMPTY } from '../base/bytes.ts';

/** More than this is not kept. */
export const SCRATCH_BYTES_MAX: number = 1024 * 1024;

export class Scratch {
  #bytes = EMPTY;

  /** At least so many bytes. */
  readonly room = (bytes: number): Uint8Array => {
    if (bytes > SCRATCH_BYTES_MAX) return new Uint8Array(bytes);
    if (bytes > this.#bytes.length) this.#bytes = new Uint8Array(Math.min(SCRATCH_BYTES_MAX, 2 * bytes));
    return this.#bytes;
  };

  lends(bytes: Uint8Array): boolean {
    return bytes.buffer === this.#bytes.buffer;
  }
}
