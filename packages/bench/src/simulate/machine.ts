/**
 * The time of a simulation: a writer, one thread that flushes, `threads` that compact, each with a rate. Nothing happens
 * but at the end of a job, so time jumps from one to the next.
 *
 * A write waits, as in the engine (packages/varve/src/engine/pressure.ts), while the memtable before is not flushed yet and
 * while level 0 is full; from LEVEL0_SLOW files on it is delayed.
 */
import { type CompactionPlan, type FileMeta, filesOf, isUrgent, RunningSet } from 'varve/internals';
import type { Contents } from './contents.ts';
import { CARE_MS, type Picker } from './picker.ts';
import type { Tree } from './tree.ts';

/** Bytes a second. */
export interface Rates {
  readonly write: number;
  readonly flush: number;
  /** Input bytes that one thread merges. */
  readonly compaction: number;
  readonly threads: number;
}

interface Job {
  readonly startedAt: number;
  readonly endsAt: number;
  /** Bytes that it adds to the disk until its end. */
  readonly bytes: number;
  end(): void;
}

const LEVEL0_SLOW = 20;
export const LEVEL0_STOP = 36;
/** What the default strategy gathers in level 0; those that gather more are given as much more room. */
const LEVEL0_USUAL = 4;
const MS = 1000;
/** The engine's delay at the stop, per 64 KiB written. */
const SLOW_SECONDS_PER_BYTE: number = 0.004 / 65_536;
/** A picker that gives so many plans without time going by goes round in circles. */
const PLANS_AT_ONCE_MAX = 10_000;

export interface MachineEvents {
  /** The bytes on disk, at each moment at which they may be the most. */
  peak(diskBytes: number): void;
  /** The picker lets go of what is in these tables. */
  dropped(contents: readonly Contents[]): void;
  /** Share of a table's entries that a read still gets. */
  liveOf(file: FileMeta): number;
}

/** The picker leaves the database where no write can go on, or never comes to an end. */
export class StuckError extends Error {
  override readonly name = 'StuckError';
}

export class Machine {
  now = 0;
  stalledSeconds = 0;
  delayedSeconds = 0;
  flushBytes = 0;
  compactionBytes = 0;
  merges = 0;
  moves = 0;
  drops = 0;
  level0FilesMax = 0;
  readonly #rates: Rates;
  readonly #tree: Tree;
  readonly #picker: Picker;
  readonly #events: MachineEvents;
  /** Files in level 0 beyond the usual that the picker gathers. */
  readonly #gathered: number;
  readonly #running = new RunningSet();
  readonly #jobs = new Set<Job>();
  /** What is being flushed. */
  #immutable: Contents | undefined;
  #plansAtOnce = 0;
  /** When care for space looks next. */
  #careAt: number;
  /** Up to when versions have expired: what jobs that begin now see. */
  expiredThrough = 0;

  constructor(tree: Tree, picker: Picker, rates: Rates, events: MachineEvents) {
    this.#tree = tree;
    this.#picker = picker;
    this.#careAt = picker.care === undefined ? Number.POSITIVE_INFINITY : 0;
    this.#rates = rates;
    this.#events = events;
    this.#gathered = picker.gathered === undefined ? Infinity : Math.max(0, picker.gathered - LEVEL0_USUAL);
  }

  /** Tables, and what running jobs have written of theirs. */
  get diskBytes(): number {
    let bytes = this.#tree.diskBytes;
    for (const job of this.#jobs) {
      const share = (this.now - job.startedAt) / Math.max(job.endsAt - job.startedAt, Number.MIN_VALUE);
      bytes += job.bytes * Math.min(1, share);
    }
    return bytes;
  }

  get immutable(): Contents | undefined {
    return this.#immutable;
  }

  /** The writer is busy for as long as it takes to write so many bytes; level 0 may hold it up. */
  write(bytes: number): void {
    this.#waitWhile(() => this.#excessFiles >= LEVEL0_STOP);
    const degree = Math.max(0, (this.#excessFiles - LEVEL0_SLOW) / (LEVEL0_STOP - LEVEL0_SLOW));
    const delay = bytes * SLOW_SECONDS_PER_BYTE * degree;
    this.delayedSeconds += delay;
    this.runUntil(this.now + bytes / this.#rates.write + delay);
  }

  /** The memtable is full: it is flushed, once the one before is. */
  rotate(memtable: Contents): void {
    this.#waitWhile(() => this.#immutable !== undefined);
    const files = this.#tree.flush(memtable, this.expiredThrough, Math.round(this.now * MS));
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    this.#immutable = memtable;
    this.#begin(bytes / this.#rates.flush, bytes, () => {
      this.#immutable = undefined;
      this.flushBytes += bytes;
      this.#tree.installFlush(files);
      this.level0FilesMax = Math.max(this.level0FilesMax, this.#level0Files);
    });
  }

  runUntil(time: number): void {
    for (let job = this.#next(); job !== undefined && job.endsAt <= time; job = this.#next()) this.#end(job);
    this.now = time;
    this.#plansAtOnce = 0;
  }

  /** Until no job runs and none is due, at most until `time`; what is left of the time passes. */
  rest(time: number = Number.POSITIVE_INFINITY): void {
    this.#schedule();
    for (;;) {
      const job = this.#next();
      if (job !== undefined && job.endsAt <= time) this.#end(job);
      else if (job === undefined && this.#careAt <= time && time < Number.POSITIVE_INFINITY) {
        this.runUntil(Math.max(this.now, this.#careAt));
        this.#schedule();
      } else break;
    }
    if (time < Number.POSITIVE_INFINITY) this.runUntil(time);
  }

  get #level0Files(): number {
    return this.#tree.keyspace.levels[0]!.length;
  }

  /** Files in level 0, not counting what the picker gathers there beyond the usual. */
  get #excessFiles(): number {
    return this.#level0Files - this.#gathered;
  }

  #waitWhile(isHeldUp: () => boolean): void {
    const since = this.now;
    while (isHeldUp()) {
      const job = this.#next();
      if (job === undefined) {
        throw new StuckError(
          `writes wait for level 0 with ${this.#level0Files} files, nothing runs, and the picker gives no plan`,
        );
      }
      this.#end(job);
    }
    this.stalledSeconds += this.now - since;
  }

  #begin(seconds: number, bytes: number, end: () => void): void {
    this.#jobs.add({ startedAt: this.now, endsAt: this.now + seconds, bytes, end });
  }

  /** The job that ends first. */
  #next(): Job | undefined {
    let first: Job | undefined;
    for (const job of this.#jobs) if (first === undefined || job.endsAt < first.endsAt) first = job;
    return first;
  }

  #end(job: Job): void {
    if (job.endsAt > this.now) this.#plansAtOnce = 0;
    this.now = Math.max(this.now, job.endsAt);
    this.#events.peak(this.diskBytes);
    this.#jobs.delete(job);
    job.end();
    this.#schedule();
  }

  /** Starts what is due; what writes would wait for also beside as many jobs as there are threads, as the engine does. */
  #schedule(): void {
    while (this.#running.size <= this.#rates.threads) {
      const hasRoom = this.#running.size < this.#rates.threads;
      const now = Math.round(this.now * MS);
      const plan =
        this.#picker.pick(this.#tree.keyspace, this.#running, now) ?? (hasRoom ? this.#care(now) : undefined);
      if (plan === undefined) return;
      if (plan.kind === 'merge' && !hasRoom && !isUrgent(plan)) return;
      if (++this.#plansAtOnce > PLANS_AT_ONCE_MAX) {
        throw new StuckError(
          `the picker has given ${PLANS_AT_ONCE_MAX} plans at once, the last ${plan.reason}`,
        );
      }
      this.#start(plan);
    }
  }

  /** Looks once in a while, and goes on as long as there is something. */
  #care(now: number): CompactionPlan | undefined {
    if (this.#picker.care === undefined || this.now < this.#careAt) return undefined;
    const { liveOf } = this.#events;
    const plan = this.#picker.care(this.#tree.keyspace, this.#running, now, liveOf);
    if (plan === undefined) this.#careAt = this.now + CARE_MS / MS;
    return plan;
  }

  #start(plan: CompactionPlan): void {
    if (plan.kind === 'merge') {
      this.#merge(plan);
      return;
    }
    if (plan.kind === 'drop') {
      this.drops++;
      if (plan.reason === 'bytes')
        this.#events.dropped(filesOf(plan).map((file) => this.#tree.contentsOf(file)));
    } else this.moves++;
    this.#tree.install(plan, []);
  }

  #merge(plan: CompactionPlan): void {
    this.merges++;
    this.#running.add(plan);
    const outputs: readonly FileMeta[] = this.#tree.execute(plan, this.expiredThrough);
    const bytesIn = filesOf(plan).reduce((sum, file) => sum + file.bytes, 0);
    const bytesOut = outputs.reduce((sum, file) => sum + file.bytes, 0);
    // More jobs than threads share them.
    const share = Math.min(1, this.#rates.threads / this.#running.size);
    this.#begin(bytesIn / (this.#rates.compaction * share), bytesOut, () => {
      this.#running.remove(plan);
      this.compactionBytes += bytesOut;
      this.#tree.install(plan, outputs);
    });
  }
}
