/**
 * How a read finds out what it would have to read from files, so that other threads can read that for it.
 *
 * While an attempt is on, whatever of a table is neither in the cache nor brought along by the attempt is noted (`want`)
 * instead of read, and the read ends with COLD, thrown. Its caller has the pieces fetched (read-pieces.ts does that in a
 * worker) and makes the same read again. Reads are made up of steps that may be repeated: tables that were opened, index
 * partitions that were unpacked and blocks that entered the cache stay, so every attempt comes further.
 *
 * Without an attempt nothing of this is looked at but one field, and that only by reads that miss the cache. One thread.
 */

/** Thrown in the place of a read; one for all, because nobody looks at where it came from. */
export const COLD: Error = Object.freeze(new Error('needs a read from a file'));

/** In the place of an offset and a type: footer, properties, top index, filter, range tombstones; what opening needs. */
export const TABLE_TAIL = -1;

export interface WantedPiece {
  readonly file: number;
  readonly path: string;
  /** Of the table; seeds the checksums. Not used for TABLE_TAIL. */
  readonly uniqueId: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly type: number;
}

/** What is in a stored block: checked, without trailer, not compressed. Of a TABLE_TAIL the bytes of the footer. */
export interface Piece {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly length: number;
  /** Nothing came. Whoever wants it reads it on this thread, and meets what was in the way: damage, a file that is gone. */
  readonly isFailed: boolean;
  /** Of a TABLE_TAIL: the length of the file. */
  readonly fileBytes: number;
}

export interface ColdAttempt {
  /** What was brought along. */
  find(file: number, offset: number): Piece | undefined;
  want(piece: WantedPiece): void;
}

/** The switch, one for the tables of a thread. */
export class ColdReads {
  /** Undefined: reads are made. Set for the length of one synchronous step only. */
  attempt: ColdAttempt | undefined;

  /** Makes one step of `read` as an attempt; false when it has ended with COLD. */
  try(attempt: ColdAttempt, read: () => void): boolean {
    const outer = this.attempt;
    this.attempt = attempt;
    try {
      read();
      return true;
    } catch (error) {
      if (error === COLD) return false;
      throw error;
    } finally {
      this.attempt = outer;
    }
  }
}
