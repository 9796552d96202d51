/**
 * The read-ahead of one `for await`: its blocks are read by worker threads while the consumer works, and a step that needs
 * one that has not come is ended (sstable/cold-reads.ts) and made again when it is here. How far it reads ahead in each
 * table is in sstable/table-window.ts; all tables together have AHEAD_BYTES_MAX. It only goes on when the walk does, so a
 * consumer that stops has at most that much read for it.
 *
 * One per walk; owner's thread.
 */
import type { ColdAttempt, ColdReads, Piece, WantedPiece } from '../sstable/cold-reads.ts';
import { TableWindows } from '../sstable/table-window.ts';
import type { BlockFetcher } from './block-fetcher.ts';

const AHEAD_BYTES_MAX = 8 * 1024 * 1024;

export class WalkAhead implements ColdAttempt {
  readonly #cold: ColdReads;
  readonly #fetcher: BlockFetcher;
  readonly isReverse: boolean;
  /** For the iterators of its tables. */
  readonly windows: TableWindows;
  /** What to do when the end of a table is near, by its number. */
  readonly #ends = new Map<number, () => void>();
  #wanted: WantedPiece[] = [];
  /** What the same step was ended for before. */
  readonly #waitedFor = new Set<string>();

  constructor(cold: ColdReads, fetcher: BlockFetcher, isReverse: boolean) {
    this.#cold = cold;
    this.#fetcher = fetcher;
    this.isReverse = isReverse;
    fetcher.prepare();
    this.windows = new TableWindows(isReverse, AHEAD_BYTES_MAX, {
      order: (run) => fetcher.fetchRun(run),
      callOff: (run) => fetcher.callOff(run),
      ended: (file) => this.#openEarly(this.#ends.get(file)),
    });
  }

  /** Makes a step; false when it needs what has not come: then `arrival`, and the step again. */
  try(step: () => void): boolean {
    this.#wanted = [];
    if (!this.#cold.try(this, step)) {
      // It came and was gone again before the step got to it: better on this thread than not at all.
      if (!this.#wanted.some((piece) => this.#waitedFor.has(pieceName(piece)))) return false;
      step();
    }
    this.#waitedFor.clear();
    return true;
  }

  /** Calls `again`, which makes the step that was ended, when what it needs is here. */
  async arrival(again: () => void): Promise<void> {
    const waiting: Promise<void>[] = [];
    const others: WantedPiece[] = [];
    for (const piece of this.#wanted) {
      this.#waitedFor.add(pieceName(piece));
      const arrival = this.windows.arrivalOf(piece.file, piece.offset);
      if (arrival === undefined) others.push(piece);
      else waiting.push(arrival);
    }
    await this.#fetcher.all(waiting);
    if (others.length > 0) await this.#fetcher.fetch(others, again);
    else again();
  }

  /** When the walk comes near the end of the table, `open` is made to succeed without reading. */
  before(file: number, open: () => void): void {
    this.#ends.set(file, open);
  }

  /** The walk is past that table. */
  leave(file: number): void {
    this.windows.leave(file);
    this.#ends.delete(file);
  }

  close(): void {
    this.windows.close();
    this.#ends.clear();
  }

  find(file: number, offset: number): Piece | undefined {
    return this.windows.find(file, offset) ?? this.#fetcher.find(file, offset);
  }

  want(piece: WantedPiece): void {
    this.#wanted.push(piece);
  }

  #openEarly(open: (() => void) | undefined): void {
    if (open === undefined) return;
    const wanted: WantedPiece[] = [];
    const attempt: ColdAttempt = {
      find: (file, offset) => this.#fetcher.find(file, offset),
      want: (piece) => wanted.push(piece),
    };
    try {
      if (this.#cold.try(attempt, open)) return;
    } catch {
      // The walk will come to it.
      return;
    }
    void this.#fetcher.fetch(wanted, () => this.#cold.try(attempt, open)).catch(() => undefined);
  }
}

function pieceName({ file, offset }: WantedPiece): string {
  return `${file}/${offset}`;
}
