/**
 * What a walk over one table has had read ahead by other threads: runs of neighbouring blocks, asked for while the walk is
 * busy with those before. The second run in a row is larger than the first, up to `bytesMax`, so that a short walk reads
 * little too much; a jump starts over. Works in both directions.
 *
 * Blocks that the cache holds are left out. A run stays until the walk has left the one behind it as well: after a piece was
 * missing somewhere the walk seeks anew and may stand one block further back. One thread.
 */
import type { BlockLoader } from './block-loader.ts';
import type { Piece, WantedPiece } from './cold-reads.ts';
import { BLOCK_DATA, BLOCK_INDEX } from './format.ts';
import { ownMemory } from './own-memory.ts';
import type { TableIndex } from './table-index.ts';
import type { BlockAhead } from './table-iterator.ts';

const FIRST_BYTES = 16 * 1024;
const RUN_BYTES_MAX = 256 * 1024;
/** A run of blocks that expand to about twice their size, and index partitions beside them. */
const RUN_MEMORY_BYTES = 640 * 1024;
const POOLED_BYTES_MIN = 128 * 1024;
/** Of those behind the walk. */
const INDEXES_KEPT = 8;
const TABLE_BYTES_MAX = 1024 * 1024;

/** Blocks that are read together. */
export interface AheadRun {
  readonly pieces: readonly WantedPiece[];
  readonly arrival: Promise<void>;
  /** With a piece for each. */
  readonly arrived: (pieces: readonly Piece[]) => void;
  /** Shared memory for the pieces. */
  readonly memory: Uint8Array | undefined;
}

/** Where runs are handed over. */
export interface RunOrders {
  order(run: AheadRun): void;
  callOff(run: AheadRun): void;
  /** The last block of the table was asked for. */
  ended(file: number): void;
}

interface PlacedRun extends AheadRun {
  hasArrived: boolean;
  /** The data blocks lie in [from, to) of the file. */
  readonly from: number;
  readonly to: number;
}

/**
 * Memory of the runs of one walk, used again and again: a fresh piece for each would have the collector run for the whole heap
 * every few megabytes. It goes with the walk.
 */
class RunMemory {
  readonly #free: Uint8Array[] = [];

  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(new SharedArrayBuffer(RUN_MEMORY_BYTES));
  }

  give(memory: Uint8Array): void {
    this.#free.push(memory);
  }
}

class TableWindow {
  readonly #loader: BlockLoader;
  readonly #index: TableIndex;
  readonly #step: 1 | -1;
  readonly #orders: RunOrders;
  readonly #memory: RunMemory;
  /** By offset: what is here, or the run that brings it. */
  readonly #pieces = new Map<number, Piece | PlacedRun>();
  #runs: PlacedRun[] = [];
  /** Partitions whose runs are gone: a seek that eight bytes of the key do not decide asks the partition itself. */
  readonly #indexes: number[] = [];
  /** [from, to) of the file was asked for or was in the cache. */
  #from = 0;
  #to = 0;
  /** The block that is asked for next. */
  #partition = -1;
  #block = 0;
  #bytes = FIRST_BYTES;
  #hasEnded = false;

  constructor(
    loader: BlockLoader,
    index: TableIndex,
    isReverse: boolean,
    orders: RunOrders,
    memory: RunMemory,
  ) {
    this.#memory = memory;
    this.#loader = loader;
    this.#index = index;
    this.#step = isReverse ? -1 : 1;
    this.#orders = orders;
  }

  /** The table was put down and opened again meanwhile. */
  isOf(loader: BlockLoader): boolean {
    return this.#loader === loader;
  }

  find(offset: number): Piece | undefined {
    const piece = this.#pieces.get(offset);
    return piece === undefined || 'arrived' in piece ? undefined : piece;
  }

  /** When the block at this offset will have come; undefined when it was not asked for. */
  arrivalOf(offset: number): Promise<void> | undefined {
    const piece = this.#pieces.get(offset);
    return piece !== undefined && 'arrived' in piece ? piece.arrival : undefined;
  }

  /** The walk needs this block now: asks for it and up to `bytesMax` behind it. */
  reach(partition: number, block: number, bytesMax: number): void {
    const named = this.#index.at(partition);
    const from = named.offset(block);
    const to = from + named.length(block);
    if (from < this.#from || to > this.#to) this.#startAt(partition, block, this.#step === 1 ? from : to);
    else this.#leave(from, to);
    // Half of the window is on its way while the walk is in the other half.
    if (this.#ahead(from, to) > this.#bytes / 2) return;
    this.#bytes = Math.min(this.#bytes * 2, Math.max(bytesMax, FIRST_BYTES));
    while (this.#ahead(from, to) < this.#bytes && this.#orderRun());
  }

  /** Nothing that was asked for is wanted any more. */
  close(): void {
    for (const run of this.#runs) this.#orders.callOff(run);
    this.#runs = [];
    this.#indexes.length = 0;
    this.#pieces.clear();
  }

  #ahead(from: number, to: number): number {
    return this.#step === 1 ? this.#to - from : to - this.#from;
  }

  #startAt(partition: number, block: number, offset: number): void {
    this.close();
    this.#partition = partition;
    this.#block = block;
    this.#from = offset;
    this.#to = offset;
    this.#bytes = FIRST_BYTES / 2;
    this.#hasEnded = false;
  }

  /** Lets go of the runs behind the walk but the last. */
  #leave(from: number, to: number): void {
    let behind = 0;
    for (const run of this.#runs) {
      if (this.#step === 1 ? run.to > from : run.from < to) break;
      behind++;
    }
    for (; behind > 1; behind--) this.#drop(this.#runs.shift()!);
  }

  #drop(run: PlacedRun): void {
    this.#orders.callOff(run);
    for (const { offset, type } of run.pieces) {
      const piece = this.#pieces.get(offset);
      // One that has not come never will: the run was called off.
      if (type === BLOCK_INDEX && piece !== undefined && !('arrived' in piece))
        this.#keepIndex(offset, piece);
      else this.#pieces.delete(offset);
    }
    // A job that is not done may still write to it.
    if (run.hasArrived && run.memory !== undefined) this.#memory.give(run.memory);
    for (const offset of this.#indexes.splice(0, Math.max(0, this.#indexes.length - INDEXES_KEPT))) {
      this.#pieces.delete(offset);
    }
  }

  /** In memory of its own: that of its run goes to another one. */
  #keepIndex(offset: number, { bytes, start, length, isFailed, fileBytes }: Piece): void {
    const copy = ownMemory(length);
    copy.set(bytes.subarray(start, start + length));
    this.#pieces.set(offset, { bytes: copy, start: 0, length, isFailed, fileBytes });
    this.#indexes.push(offset);
  }

  /** Asks for the next run; false when there is none, or where it lies is not known yet. */
  #orderRun(): boolean {
    const wanted: WantedPiece[] = [];
    const start = this.#step === 1 ? this.#to : this.#from;
    const hasMoved = this.#gather(wanted);
    if (wanted.length > 0) {
      wanted.sort((a, b) => a.offset - b.offset);
      const end = this.#step === 1 ? this.#to : this.#from;
      this.#order(wanted, Math.min(start, end), Math.max(start, end));
    }
    if (this.#partition >= 0 && this.#partition < this.#index.count) return hasMoved;
    if (!this.#hasEnded) this.#orders.ended(this.#loader.fileNumber);
    this.#hasEnded = true;
    return false;
  }

  /** The blocks of the next run that are not in the cache; false when not a single block was passed. */
  #gather(wanted: WantedPiece[]): boolean {
    const start = this.#step === 1 ? this.#to : this.#from;
    const bytesMax = Math.min(this.#bytes, RUN_BYTES_MAX);
    let bytes = 0;
    while (bytes < bytesMax && this.#partition >= 0 && this.#partition < this.#index.count) {
      if (!this.#canEnter(this.#partition, wanted)) break;
      const named = this.#index.at(this.#partition);
      // The partition before this one, walking back: from its last block on.
      if (this.#block < 0) this.#block = named.count - 1;
      const offset = named.offset(this.#block);
      const length = named.length(this.#block);
      if (!this.#loader.hasCached(offset)) this.#want(wanted, offset, length, BLOCK_DATA);
      bytes += length;
      if (this.#step === 1) this.#to = offset + length;
      else this.#from = offset;
      this.#block += this.#step;
      if (this.#block >= 0 && this.#block < named.count) continue;
      this.#partition += this.#step;
      this.#block = this.#step === 1 ? 0 : -1;
    }
    // What names the blocks after next comes along, so that the walk never waits for it.
    const next = this.#partition + this.#step;
    if (wanted.length > 0 && next >= 0 && next < this.#index.count) this.#canEnter(next, wanted);
    return start !== (this.#step === 1 ? this.#to : this.#from);
  }

  /** Is the partition at hand? It is asked for otherwise. */
  #canEnter(partition: number, wanted: WantedPiece[]): boolean {
    const index = this.#index;
    if (index.isUnpacked(partition)) return true;
    const offset = index.partitionOffset(partition);
    const piece = this.#pieces.get(offset);
    // One that can not be read is met when the walk gets there.
    if (piece !== undefined) return !('arrived' in piece || piece.isFailed);
    if (this.#loader.hasCached(offset)) return true;
    if (!wanted.some((other) => other.offset === offset)) {
      this.#want(wanted, offset, index.partitionLength(partition), BLOCK_INDEX);
    }
    return false;
  }

  #want(wanted: WantedPiece[], offset: number, length: number, type: number): void {
    const { fileNumber: file, path, uniqueId } = this.#loader;
    wanted.push({ file, path, uniqueId, offset, length, type });
  }

  #order(pieces: readonly WantedPiece[], from: number, to: number): void {
    let isHere = (): void => undefined;
    const run: PlacedRun = {
      hasArrived: false,
      memory: to - from < POOLED_BYTES_MIN ? undefined : this.#memory.take(),
      pieces,
      from,
      to,
      arrival: new Promise((resolve) => (isHere = resolve)),
      arrived: (arrived) => {
        run.hasArrived = true;
        arrived.forEach((piece, at) => {
          const { offset } = pieces[at]!;
          if (this.#pieces.get(offset) === run) this.#pieces.set(offset, piece);
        });
        isHere();
      },
    };
    for (const { offset } of pieces) this.#pieces.set(offset, run);
    this.#runs.push(run);
    this.#orders.order(run);
  }
}

/** The windows of all tables that a walk is in. */
export class TableWindows implements BlockAhead {
  readonly #isReverse: boolean;
  readonly #bytesMax: number;
  readonly #orders: RunOrders;
  readonly #memory = new RunMemory();
  readonly #windows = new Map<number, TableWindow>();

  /** At most about `bytesMax` are ahead of the walk in all tables together. */
  constructor(isReverse: boolean, bytesMax: number, orders: RunOrders) {
    this.#isReverse = isReverse;
    this.#bytesMax = bytesMax;
    this.#orders = orders;
  }

  reach(loader: BlockLoader, index: TableIndex, partition: number, block: number): void {
    let window = this.#windows.get(loader.fileNumber);
    if (window === undefined || !window.isOf(loader)) {
      window?.close();
      window = new TableWindow(loader, index, this.#isReverse, this.#orders, this.#memory);
      this.#windows.set(loader.fileNumber, window);
    }
    window.reach(partition, block, Math.min(TABLE_BYTES_MAX, this.#bytesMax / this.#windows.size));
  }

  find(file: number, offset: number): Piece | undefined {
    return this.#windows.get(file)?.find(offset);
  }

  /** When the block will have come; undefined when it was not asked for. */
  arrivalOf(file: number, offset: number): Promise<void> | undefined {
    return this.#windows.get(file)?.arrivalOf(offset);
  }

  leave(file: number): void {
    this.#windows.get(file)?.close();
    this.#windows.delete(file);
  }

  close(): void {
    for (const window of this.#windows.values()) window.close();
    this.#windows.clear();
  }
}
