/**
 * The versions of one key that a job has met, newest first, in memory of the job's: what folding looks at as a whole. A key that
 * was merged to a million times is a million of them, so they are columns and one array of bytes.
 */
import { copyRange } from '../base/bytes.ts';
import type { WrittenEntry } from '../base/entry.ts';

const FIRST_BYTES = 4096;
/** What is kept for the next key. */
const KEPT_BYTES_MAX = 1024 * 1024;

export class KeyVersions {
  count = 0;
  readonly sequences: number[] = [];
  readonly kinds: number[] = [];
  /** Version i has [starts[i], starts[i + 1]) of `bytes`. */
  readonly starts: number[] = [0];
  bytes: Uint8Array = new Uint8Array(FIRST_BYTES);

  clear(): void {
    this.count = 0;
    this.sequences.length = 0;
    this.kinds.length = 0;
    this.starts.length = 1;
    if (this.bytes.length > KEPT_BYTES_MAX) this.bytes = new Uint8Array(FIRST_BYTES);
  }

  /** Copies the value. */
  add({ sequence, value, valueStart, valueEnd }: WrittenEntry, kind: number): void {
    const start = this.starts[this.count]!;
    const end = start + valueEnd - valueStart;
    if (end > this.bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.bytes.length));
      larger.set(this.bytes.subarray(0, start));
      this.bytes = larger;
    }
    copyRange(value, valueStart, valueEnd, this.bytes, start);
    this.sequences.push(sequence);
    this.kinds.push(kind);
    this.starts.push(end);
    this.count++;
  }

  valueOf(version: number): Uint8Array {
    return this.bytes.subarray(this.starts[version], this.starts[version + 1]);
  }
}
