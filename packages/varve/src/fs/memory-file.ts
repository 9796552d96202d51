/**
 * The bytes of one file in memory, under the memory and the simulated file system.
 *
 * Kept in pieces, so that growing copies at most one piece: to copy all of a file when it doubles would hold up the event
 * loop for tens of milliseconds. A piece that was never written is absent and reads as zeros; the first one of a small
 * file is shorter and doubles. Invariant: every byte at or past `length` is zero, so a file that grows past a hole reads
 * zeros there.
 */
const PIECE_BYTES = 256 * 1024;
const PIECE_BYTES_MIN = 512;

export class MemoryFile {
  readonly inode: number;
  readonly #pieces: (Uint8Array | undefined)[] = [];
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
    for (let at = position; at < end; ) {
      const from = at % PIECE_BYTES;
      const take = Math.min(PIECE_BYTES - from, end - at);
      const to = offset + at - position;
      const stored = this.#pieces[Math.floor(at / PIECE_BYTES)]?.subarray(from, from + take);
      if (stored !== undefined) target.set(stored, to);
      target.fill(0, to + (stored?.length ?? 0), to + take);
      at += take;
    }
    return end - position;
  }

  /** Writes `length` bytes of `source` at `position`, filling a hole before it with zeros. */
  write(source: Uint8Array, offset: number, length: number, position: number): void {
    const end = position + length;
    for (let at = position; at < end; ) {
      const from = at % PIECE_BYTES;
      const take = Math.min(PIECE_BYTES - from, end - at);
      const start = offset + at - position;
      this.#pieceOf(Math.floor(at / PIECE_BYTES), from + take).set(
        source.subarray(start, start + take),
        from,
      );
      at += take;
    }
    if (length > 0) this.#length = Math.max(this.#length, end);
  }

  /** Cuts, or grows with zeros. */
  resize(length: number): void {
    if (length < this.#length) {
      this.#pieces.length = Math.min(this.#pieces.length, Math.ceil(length / PIECE_BYTES));
      const cut = length % PIECE_BYTES;
      if (cut > 0) this.#pieces[Math.floor(length / PIECE_BYTES)]?.fill(0, cut);
    }
    this.#length = length;
  }

  /** The piece, with room for `wanted` bytes. */
  #pieceOf(index: number, wanted: number): Uint8Array {
    const piece = this.#pieces[index];
    const has = piece?.length ?? 0;
    if (piece !== undefined && wanted <= has) return piece;
    const bytes = index > 0 ? PIECE_BYTES : Math.max(wanted, has * 2, PIECE_BYTES_MIN);
    const grown = new Uint8Array(Math.min(bytes, PIECE_BYTES));
    if (piece !== undefined) grown.set(piece);
    this.#pieces[index] = grown;
    return grown;
  }
}
