/**
 * One change feed: what `db.changes` gives. Pulled: a change is made when it is asked for, out of a window of the log.
 *
 * What is there already is given without a turn of the event loop, up to a burst; then others get theirs. Where nothing is
 * left it waits until more of the log is durable. Its pin says what it has looked at, which is also what it keeps: one
 * that ends, in whatever way, keeps nothing from then on.
 */
import { asError, closed, invalid } from '../base/errors.ts';
import type { Change, ChangeFeed, ChangeToken } from '../engine/change-types.ts';
import { BatchReader } from '../record/batch.ts';
import {
  RECORD_BATCH,
  RECORD_COMMIT,
  RECORD_INGESTION,
  RECORD_KEYSPACE,
  RECORD_PREPARE,
  recordKindName,
} from '../record/log-record.ts';
import { Deferred } from '../runtime/deferred.ts';
import { decodeIngestion } from '../manifest/ingestion.ts';
import type { Log } from '../wal/log.ts';
import type { RecordWindow } from '../wal/record-window.ts';
import { type ChangeFilter, NAME_UNKNOWN } from './change-feed-filter.ts';
import { IngestionWalk, type ShownFile } from './change-feed-ingestion.ts';
import { lookAhead } from './change-feed-names.ts';
import { ChangeFeedReader } from './change-feed-reader.ts';
import {
  batchOperations,
  decisionOperations,
  keyspaceOperations,
  type Operation,
} from './change-feed-records.ts';
import type { FeedOwner, FeedPin } from './change-feed-pin.ts';

type AnyChange = Change<unknown, unknown>;
type Result = IteratorResult<AnyChange, undefined>;

/** Records that are looked at before others get a turn, and the most milliseconds for it; the clock is asked every CLOCK_RECORDS. */
const BURST_RECORDS = 1024;
const BURST_MS = 1;
const CLOCK_RECORDS = 32;

export class ChangeFeedHandle implements ChangeFeed<unknown, unknown> {
  readonly #table: FeedOwner;
  readonly #log: Log;
  readonly #pin: FeedPin;
  readonly #filter: ChangeFilter;
  readonly #durability: 'os' | 'disk';
  readonly #reader: ChangeFeedReader;
  readonly #batch = new BatchReader();
  /** Up to where batches may be shown, when that was last asked. */
  #limit = 0;
  #segments = 0;
  /** Records of this burst, and when it began. */
  #records = 0;
  #started: number;
  /** The record that the reader stands at was not shown for want of a name. */
  #isPending = false;
  #isDone = false;
  /** The call before, while it is not settled. */
  #before: Promise<unknown> | undefined;

  constructor(table: FeedOwner, log: Log, pin: FeedPin, filter: ChangeFilter, durability: 'os' | 'disk') {
    this.#table = table;
    this.#log = log;
    this.#pin = pin;
    this.#filter = filter;
    this.#durability = durability;
    this.#reader = new ChangeFeedReader(table.core.fs, log, pin.token.sequence);
    this.#started = table.core.clock.monotonic();
  }

  get token(): ChangeToken {
    return this.#pin.token;
  }

  next(): Promise<Result> {
    if (this.#before !== undefined) return this.#queue(() => this.#nextLater());
    if (this.#records < BURST_RECORDS) {
      try {
        const change = this.#step();
        if (typeof change === 'object') return Promise.resolve({ done: false, value: change });
      } catch (error) {
        if (error !== NAME_UNKNOWN) return this.#failed(error);
      }
    }
    return this.#queue(() => this.#nextLater());
  }

  /** The loop was left. */
  return(): Promise<Result> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  close(): void {
    this.#table.end(this.#pin, closed('the change feed'));
    // Whoever waits for a change is told so; nobody else has to be.
    if (this.#before === undefined) this.#end();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** Calls that came before the one before was settled come one after the other. */
  #queue(run: () => Promise<Result>): Promise<Result> {
    const { runner } = this.#table.core;
    // What ends it from outside is told to all that wait.
    const failed = (error: unknown): Promise<Result> => {
      if (error === this.#pin.error) throw error;
      return run();
    };
    const result = this.#before === undefined ? run() : this.#before.then(run, failed);
    this.#before = result;
    runner.hold();
    const settled = (): void => {
      runner.unhold();
      if (this.#before === result) this.#before = undefined;
    };
    result.then(settled, settled);
    return result;
  }

  async #nextLater(): Promise<Result> {
    try {
      for (;;) {
        if (this.#records >= BURST_RECORDS) await this.#pause();
        let change: AnyChange | 'wait' | 'pause' | 'done';
        try {
          change = this.#step();
        } catch (error) {
          if (error !== NAME_UNKNOWN) throw error;
          await this.#findName();
          continue;
        }
        if (typeof change === 'object') return { done: false, value: change };
        if (change === 'done') break;
        if (change === 'wait') await this.#wait(this.#durability, this.#reader.sequence);
        else await this.#pause();
      }
      this.#end();
      return { done: true, value: undefined };
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  /** The next change, as far as it can be had now. */
  #step(): AnyChange | 'wait' | 'pause' | 'done' {
    const reader = this.#reader;
    for (;;) {
      if (this.#isDone) return 'done';
      if (this.#pin.error !== undefined) throw this.#pin.error;
      const { walk } = this.#pin;
      if (walk !== undefined) {
        const change = this.#part(walk);
        if (change !== undefined) return change;
        continue;
      }
      if (!this.#isPending) {
        if (this.#filter.isExhausted) return 'done';
        if (reader.sequence >= this.#limit) this.#limit = this.#table.limit(this.#durability, this.#log);
        const found = reader.advance(this.#limit);
        if (reader.segments !== this.#segments) this.#trim();
        if (found === 'none') {
          this.#table.core.poison.check();
          return 'wait';
        }
        if (found === 'more') return 'pause';
      }
      this.#isPending = true;
      const operations = this.#operations();
      this.#isPending = false;
      if (this.#pin.walk !== undefined) continue;
      const { sequence, incarnation } = reader.record.header;
      const token = { incarnation, sequence };
      this.#pin.token = token;
      const isBurst = this.#count();
      if (operations !== undefined) {
        return { token, sequence, time: this.#time(), operations };
      }
      if (isBurst) return 'pause';
    }
  }

  /** What is shown of the record that the reader stands at. */
  #operations(): Operation[] | undefined {
    const { record } = this.#reader;
    switch (record.header.kind) {
      case RECORD_BATCH:
        return batchOperations(record, this.#batch, this.#filter);
      case RECORD_KEYSPACE:
        return keyspaceOperations(record, this.#filter);
      case RECORD_COMMIT:
        return decisionOperations(record, this.#batch, this.#filter);
      case RECORD_PREPARE:
        // Shown when it is committed.
        return undefined;
      case RECORD_INGESTION:
        this.#beginIngestion();
        return undefined;
      default:
        throw unsupported(record);
    }
  }

  #time(): number | undefined {
    const { hasTimestamp, timestampMs } = this.#reader.record.header;
    return hasTimestamp ? timestampMs : undefined;
  }

  /** The reader stands at the record of an ingestion: it is walked from now on, if a keyspace of it is shown. */
  #beginIngestion(): void {
    const { record } = this.#reader;
    const { incarnation, sequence } = record.header;
    const where = { file: record.path, offset: record.offset };
    const edit = decodeIngestion(record.bytes, record.bodyStart, record.bodyEnd, sequence, where);
    const files: ShownFile[] = [];
    for (const { keyspace, file } of edit.addedFiles) {
      const selection = this.#filter.of(keyspace);
      if (selection !== null) files.push({ file, selection });
    }
    if (files.length === 0) return;
    const place = { token: { incarnation, sequence }, segment: record.segment, files };
    this.#pin.walk = new IngestionWalk(this.#table.core, place, this.#filter);
  }

  /** The next part of an ingestion. What it has looked at is before it until the last part: it begins anew after a restart. */
  #part(walk: IngestionWalk): AnyChange | undefined {
    const { token } = walk.place;
    const operations = walk.next();
    if (this.#pin.error !== undefined) throw this.#pin.error;
    const isLast = !walk.hasMore;
    if (isLast) {
      this.#pin.walk = undefined;
      this.#pin.token = token;
    }
    // A part is about as much work as a burst.
    this.#records = BURST_RECORDS;
    if (operations === undefined) return undefined;
    const ingestion = { part: walk.parts - 1, isLast };
    return {
      token: this.#pin.token,
      sequence: token.sequence,
      time: this.#time(),
      operations,
      ingestion,
    };
  }

  /** Another record was looked at: true when others are to get a turn. */
  #count(): boolean {
    this.#records++;
    if (this.#records % CLOCK_RECORDS !== 0) return false;
    if (this.#table.core.clock.monotonic() - this.#started > BURST_MS) this.#records = BURST_RECORDS;
    return this.#records >= BURST_RECORDS;
  }

  /** A segment is left behind. */
  #trim(): void {
    this.#segments = this.#reader.segments;
    this.#table.trim();
  }

  async #pause(): Promise<void> {
    const { scheduler, clock } = this.#table.core;
    await new Promise<void>((resolve) => scheduler.soon(resolve));
    this.#records = 0;
    this.#started = clock.monotonic();
  }

  /** Until there is more than `sequence`. */
  async #wait(durability: 'os' | 'disk', sequence: number): Promise<void> {
    const { clock } = this.#table.core;
    const more = new Deferred<void>();
    this.#pin.wake = () => more.resolve();
    this.#table.waits();
    // Another thread may have handed over more before it could know.
    if (this.#table.limit(durability, this.#log) > sequence) more.resolve();
    await more.promise;
    this.#records = 0;
    this.#started = clock.monotonic();
  }

  /** The name of a keyspace stands further on: also in what is not in the file yet. */
  async #findName(): Promise<void> {
    const { durability, poison, state } = this.#table.core;
    durability?.handOver();
    const { visible } = state;
    const limit = this.#table.limit('os', this.#log);
    await lookAhead(this.#reader.ahead(), limit, this.#filter, {
      count: () => this.#count(),
      pause: async () => {
        await this.#pause();
        // What it has ended by: its log may be gone.
        if (this.#pin.error !== undefined) throw this.#pin.error;
      },
    });
    if (!this.#filter.isNameMissing) return;
    if (limit >= visible) this.#filter.nameMissing();
    else {
      // A full disk: it stands in what could not be handed over.
      poison.check();
      await this.#wait('os', limit);
    }
  }

  #failed(error: unknown): Promise<Result> {
    this.#end();
    return Promise.reject(asError(error));
  }

  #end(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#table.left(this.#pin);
  }
}

function unsupported({ path: file, offset, header: { kind } }: RecordWindow): Error {
  const message = `a change feed does not know log records of kind ${recordKindName(kind)}`;
  return invalid('UNSUPPORTED_KIND', message, { file, offset, kind });
}
