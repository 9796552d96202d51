/**
 * The bytes of one file in memory, under the memory and the simulated file system.
 *
 * Invariants: (1) everything between `length` and the capacity is zero, so a file that grows past a hole reads zeros;
 * (2) capacity doubles, so appending n bytes copies at most 2 n; untouched capacity is not resident on any usual system.
 */
export class MemoryFile {
  readonly inode: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #length = 0;

  constructor(inode: number) {
    this.inode = inode;
  }

  get length(): number {
    return this.#length;
  }

  /** Copies up to `length` bytes at `position` into `target` at `offset`; returns how many there were. */
  read(target: Uint8Array, offset: number, length: number, position: number): number {
    const end = Math.min(position + length, this.#length);
    if (end <= position) return 0;
    target.set(this.#bytes.subarray(position, end), offset);
    return end - position;
  }

  /** Writes `length` bytes of `source` at `position`, filling a hole before it with zeros. */
  write(source: Uint8Array, offset: number, length: number, position: number): void {
    if (length === 0) return;
    this.#reserve(position + length);
    this.#bytes.set(source.subarray(offset, offset + length), position);
    this.#length = Math.max(this.#length, position + length);
  }

  /** Cuts, or grows with zeros. */
  resize(length: number): void {
    if (length < this.#length) this.#bytes.fill(0, length, this.#length);
    else this.#reserve(length);
    this.#length = length;
  }

  #reserve(wanted: number): void {
    if (wanted <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(wanted, this.#bytes.length * 2, 512));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
