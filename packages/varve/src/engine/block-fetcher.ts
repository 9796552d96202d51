/**
 * Has pieces of tables read by worker threads, for the reads that do not wait on the owner's thread: getAsync, getManyAsync,
 * `for await`. Stands between the attempts of sstable/cold-reads.ts and the jobs of sstable/read-pieces.ts.
 *
 * Pieces that somebody waits for (`fetch`) are gathered until the end of the microtask, a piece that several want is read
 * once, and what is there goes in one job to each thread. Runs of a walk that reads ahead (`fetchRun`) are one job each and
 * come after. At most JOBS_PER_THREAD jobs a thread are out at any time; the rest waits here, where it can be called off.
 *
 * Where jobs run on the owner's thread anyway there is nothing to be gained: `isUseful` is false. Owner's thread.
 */
import { markAsUntransferable } from 'node:worker_threads';
import { EMPTY } from '../base/bytes.ts';
import type { ReadMode } from '../fs/table-reads.ts';
import { type Piece, TABLE_TAIL, type WantedPiece } from '../sstable/cold-reads.ts';
import type { AheadRun } from '../sstable/table-window.ts';
import type { ReadPiecesInput, ReadPiecesOutput, ReadTailOutput } from '../sstable/read-pieces.ts';
import type { JobOutcome, JobRunner, RunningJob } from '../workers/job-runner.ts';

const JOBS_PER_THREAD = 2;
/** A job is worth this many pieces at least before others get some of them. */
const PIECES_MIN = 8;
const PIECES_MAX = 128;

/** What a read on this thread makes of a piece that no other thread has brought. */
const FAILED: Piece = { bytes: EMPTY, start: 0, length: 0, isFailed: true, fileBytes: 0 };

interface Order {
  readonly wanted: WantedPiece;
  readonly arrival: Promise<void>;
  readonly arrived: () => void;
  /** Reads that wait for it or have not used it yet. */
  holders: number;
  piece: Piece | undefined;
  /** Of a TABLE_TAIL: its blocks by offset. */
  blocks: ReadonlyMap<number, Piece> | undefined;
}

export class BlockFetcher {
  readonly isUseful: boolean;
  readonly #runner: JobRunner;
  readonly #reads: ReadMode;
  readonly #jobsMax: number;
  /** By file and offset, from the first `fetch` for it until nobody needs it any more. */
  readonly #orders = new Map<string, Order>();
  /** Of these, those that no job was started for. */
  #gathered: Order[] = [];
  #runs: AheadRun[] = [];
  /** Those that are out, and what to do with their outcomes. */
  readonly #jobs = new Map<RunningJob, (outcome: JobOutcome) => void>();
  #isPrepared = false;
  #isDispatching = false;
  #isClosed = false;
  /** Jobs since open, and the most that were out at one time. */
  jobsStarted = 0;
  jobsAtOnce = 0;

  constructor(runner: JobRunner, reads: ReadMode, threads: number) {
    this.isUseful = runner.kind === 'threads';
    this.#runner = runner;
    this.#reads = reads === 'direct' ? 'direct' : 'pread';
    this.#jobsMax = threads * JOBS_PER_THREAD;
  }

  /** The first asynchronous read has come: the thread that later ones will need may start. */
  prepare(): void {
    if (this.#isPrepared || !this.isUseful) return;
    this.#isPrepared = true;
    this.#runner.prepare('read');
  }

  get jobsOut(): number {
    return this.#jobs.size;
  }

  /** Pieces and runs that no job was started for. */
  get waiting(): number {
    return this.#gathered.length + this.#runs.length;
  }

  /** What has come for a `fetch` that still runs. */
  find(file: number, offset: number): Piece | undefined {
    const order = this.#orders.get(nameOf(file, offset));
    if (order !== undefined) return order.piece;
    return this.#orders.get(nameOf(file, TABLE_TAIL))?.blocks?.get(offset);
  }

  /** Calls `use` when all pieces have come or failed: meanwhile they can be found. */
  async fetch(wanted: readonly WantedPiece[], use: () => void): Promise<void> {
    if (this.#isClosed) {
      use();
      return;
    }
    const orders = wanted.map((piece) => this.#order(piece));
    this.#runner.hold();
    try {
      for (const order of orders) await order.arrival;
      use();
    } finally {
      this.#runner.unhold();
      for (const order of orders) {
        if (--order.holders === 0) this.#orders.delete(nameOf(order.wanted.file, order.wanted.offset));
      }
    }
  }

  /** Waits for runs. */
  async all(arrivals: readonly Promise<void>[]): Promise<void> {
    if (arrivals.length === 0) return;
    this.#runner.hold();
    try {
      await Promise.all(arrivals);
    } finally {
      this.#runner.unhold();
    }
  }

  /** Reads a run of a walk when nothing is more urgent. */
  fetchRun(run: AheadRun): void {
    if (this.#isClosed) {
      run.arrived(run.pieces.map(() => FAILED));
      return;
    }
    this.#runs.push(run);
    this.#later();
  }

  /** Nobody wants the run any more. */
  callOff(run: AheadRun): void {
    const at = this.#runs.indexOf(run);
    if (at >= 0) this.#runs.splice(at, 1);
  }

  /** Whoever waits goes on, and finds the database closed. */
  close(): void {
    this.#isClosed = true;
    for (const order of this.#orders.values()) order.arrived();
    this.#gathered = [];
    for (const run of this.#runs.splice(0)) run.arrived(run.pieces.map(() => FAILED));
    for (const [job, done] of this.#jobs) {
      job.cancel();
      done({ ok: false, error: undefined });
    }
    this.#jobs.clear();
  }

  #order(wanted: WantedPiece): Order {
    const name = nameOf(wanted.file, wanted.offset);
    let order = this.#orders.get(name);
    if (order === undefined) {
      let arrived = (): void => undefined;
      const arrival = new Promise<void>((resolve) => (arrived = resolve));
      order = { wanted, arrival, arrived, holders: 0, piece: undefined, blocks: undefined };
      this.#orders.set(name, order);
      this.#gathered.push(order);
      this.#later();
    }
    order.holders++;
    return order;
  }

  #later(): void {
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    queueMicrotask(() => {
      this.#isDispatching = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    while (this.#jobs.size < this.#jobsMax && !this.#isClosed) {
      if (this.#gathered.length > 0) this.#startGathered();
      else if (this.#runs.length > 0) this.#startRun(this.#runs.shift()!);
      else return;
    }
  }

  /** As many pieces as are this thread's share, tables that are to be opened one by one. */
  #startGathered(): void {
    const tail = this.#gathered.findIndex(({ wanted }) => wanted.offset === TABLE_TAIL);
    if (tail >= 0) {
      this.#startTail(this.#gathered.splice(tail, 1)[0]!);
      return;
    }
    this.#gathered.sort((a, b) => a.wanted.file - b.wanted.file || a.wanted.offset - b.wanted.offset);
    const share = Math.ceil((this.#gathered.length * JOBS_PER_THREAD) / this.#jobsMax);
    const batch = this.#gathered.splice(0, Math.min(PIECES_MAX, Math.max(PIECES_MIN, share)));
    this.#startRead(
      batch.map(({ wanted }) => wanted),
      (pieces) => pieces.forEach((piece, index) => arrive(batch[index]!, piece)),
    );
  }

  #startRun(run: AheadRun): void {
    this.#startRead(run.pieces, run.arrived, run.memory);
  }

  #startRead(wanted: readonly WantedPiece[], done: (pieces: Piece[]) => void, into?: Uint8Array): void {
    this.#start('read-pieces', inputOf(wanted, this.#reads, into), (outcome) => {
      done(outcome.ok ? piecesOf(outcome.output as ReadPiecesOutput) : wanted.map(() => FAILED));
    });
  }

  #startTail(order: Order): void {
    this.#start('read-tail', { path: order.wanted.path, reads: this.#reads }, (outcome) => {
      const tail = outcome.ok ? (outcome.output as ReadTailOutput | undefined) : undefined;
      if (tail === undefined) {
        arrive(order, FAILED);
        return;
      }
      const { fileBytes, footer, blocks } = tail;
      order.blocks = new Map(blocks.map(({ offset, bytes }) => [offset, pieceOf(bytes, 0, bytes.length)]));
      arrive(order, { ...pieceOf(footer, 0, footer.length), fileBytes });
    });
  }

  #start(name: string, input: unknown, done: (outcome: JobOutcome) => void): void {
    const job = this.#runner.start({ lane: 'read', name, input }, (outcome) => {
      if (!this.#jobs.delete(job)) return;
      done(outcome);
      this.#dispatch();
    });
    this.#jobs.set(job, done);
    this.jobsStarted++;
    this.jobsAtOnce = Math.max(this.jobsAtOnce, this.#jobs.size);
  }
}

function arrive(order: Order, piece: Piece): void {
  order.piece = piece;
  order.arrived();
}

function nameOf(file: number, offset: number): string {
  return `${file}/${offset}`;
}

function inputOf(
  wanted: readonly WantedPiece[],
  reads: ReadMode,
  into: Uint8Array | undefined,
): ReadPiecesInput {
  const count = wanted.length;
  const tables: { path: string; uniqueId: Uint8Array }[] = [];
  const tableOf = new Uint32Array(count);
  const offsets = new Float64Array(count);
  const lengths = new Uint32Array(count);
  const types = new Uint8Array(count);
  let file = -1;
  for (let i = 0; i < count; i++) {
    const piece = wanted[i]!;
    if (piece.file !== file) {
      file = piece.file;
      tables.push({ path: piece.path, uniqueId: piece.uniqueId });
    }
    tableOf[i] = tables.length - 1;
    offsets[i] = piece.offset;
    lengths[i] = piece.length;
    types[i] = piece.type;
  }
  return { reads, tables, tableOf, offsets, lengths, types, into };
}

function piecesOf({ memory, memoryOf, starts, lengths }: ReadPiecesOutput): Piece[] {
  // A walk may hand out views of it: it cannot be taken away from under them.
  for (const each of memory) if (each.buffer instanceof ArrayBuffer) markAsUntransferable(each.buffer);
  const pieces: Piece[] = [];
  for (let i = 0; i < memoryOf.length; i++) {
    const at = memoryOf[i]!;
    pieces.push(at < 0 ? FAILED : pieceOf(memory[at]!, starts[i]!, lengths[i]!));
  }
  return pieces;
}

function pieceOf(bytes: Uint8Array, start: number, length: number): Piece {
  return { bytes, start, length, isFailed: false, fileBytes: 0 };
}
