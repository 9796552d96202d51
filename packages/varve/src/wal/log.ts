/**
 * The write-ahead log of an open database: appends records to a buffer, hands the buffer to the system, knows how far it
 * is on disk. Third hop of the write path; called by the commit pipeline (append) and by Durability (all the rest).
 *
 * Three positions, each at or behind the one before it: `end` (appended, visible to nobody but this object), `handedOver`
 * (survives the process), `synced` (survives the machine). Every record states the synced position known when it was
 * written, so that recovery can tell damage from a torn tail (CONTRACT 3).
 *
 * An open always writes to new segments, made at its first append: an open that writes nothing leaves no file.
 * A full disk keeps the buffer for the next `handOver`; every other failure is final for this object and is thrown again
 * by each later call. The end of the log is in log-writer.ts, which other threads of a shared database have as well; here is
 * what only the owner's thread does: beginning segments, fsync, release. Synchronous.
 */
import { assert } from '../base/assert.ts';
import { closed } from '../base/errors.ts';
import { inDirectory, logName } from '../fs/file-names.ts';
import type { FileSystem } from '../fs/file-system.ts';
import { comparePosition, type LogPosition, RECORD_MARKER } from '../record/log-record.ts';
import type { LogHandle } from './attached-log.ts';
import { LogBuffer } from './log-buffer.ts';
import { LogFront } from './log-front.ts';
import type { LogOptions, UnsyncedLog } from './log-options.ts';
import { LogWriter } from './log-writer.ts';
import type { RetainedLog } from './retained-log.ts';
import { SegmentList } from './segment-list.ts';
import { type LogSegment, SegmentWriter } from './segment-writer.ts';
import type { SharedTail } from './shared-tail.ts';

const BUFFER_BYTES = 65_536;

export class Log extends LogFront {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #nextSegment: () => number;
  readonly #list: SegmentList;

  constructor(options: LogOptions) {
    const previous = options.previous ?? { segment: 0, endOffset: 0, lastSequence: 0 };
    assert(options.segmentBytes <= 1024 ** 3, 'a log segment is at most 1 GiB');
    const buffer = new LogBuffer(
      options.bufferBytes ?? BUFFER_BYTES,
      options.incarnation,
      options.timestamps,
    );
    buffer.syncedSegment = previous.segment;
    buffer.syncedOffset = previous.endOffset;
    super(
      new LogWriter(
        buffer,
        options.segmentBytes,
        options.counters ?? { log: 0 },
        { full: () => this.#rotate(), follow: (number) => this.#lost(number), checkOwner: () => undefined },
        { segment: previous.segment, offset: previous.endOffset },
        previous.lastSequence,
      ),
    );
    this.#fs = options.fs;
    this.#directory = options.directory;
    this.#nextSegment = options.nextSegment;
    this.#list = new SegmentList(
      options.recovered ?? [],
      2 * options.segmentBytes,
      options.retained,
      options.holesUpTo,
    );
  }

  /** End of what was appended. */
  get end(): LogPosition {
    const { segment, offset } = this.writer.handedOver;
    return { segment, offset: offset + this.writer.buffer.used };
  }

  get handedOver(): LogPosition {
    return this.writer.handedOver;
  }

  get synced(): LogPosition {
    const { buffer } = this.writer;
    return { segment: buffer.syncedSegment, offset: buffer.syncedOffset };
  }

  /** Bytes of records in live segments, to hold against `logBytesMax`. */
  get bytes(): number {
    return this.#list.bytes + this.writer.buffer.used;
  }

  /** Oldest segment that would go if everything up to its `lastSequence` were flushed; undefined when none is finished. */
  get oldest(): LogSegment | undefined {
    return this.#list.oldest;
  }

  /**
   * Appends a record that states the synced position, so that damage at the very end is told from a torn tail. Nothing
   * happens when the last record is such a marker already, or nothing was ever appended by this open.
   */
  override writeMarker(): void {
    const { writer } = this;
    if (writer.isSealed) return;
    const { bytes, syncedSegment, syncedOffset } = writer.buffer;
    const all = comparePosition(this.end, syncedSegment, syncedOffset) === 0;
    writer.append(RECORD_MARKER, writer.lastSequence, 0, bytes, 0, 0);
    writer.isSealed = all;
    writer.publish();
  }

  /** Makes sure that there is a segment to write to. */
  begin(): void {
    if (this.writer.current === undefined) this.#rotate();
  }

  /** The end of the log moves into `tail`, where other threads go on from it; `begin` was called. With the write lock. */
  share(tail: SharedTail): void {
    const { writer } = this;
    writer.buffer.share();
    writer.share(tail);
    this.#noteUnsynced();
    writer.publish();
  }

  /** For threads that share the log and sync it themselves: what they can not bring to disk, or do not know of. */
  #noteUnsynced(): void {
    const { writer } = this;
    writer.isOlderUnsynced = this.#list.unsynced().some((segment) => segment !== writer.current);
    writer.isDirectoryUnsynced = this.#list.directoryUnsynced;
  }

  /** What a thread needs to append to the log that `tail` is the end of. */
  handle(tail: SharedTail): LogHandle {
    const { buffer, segmentBytes } = this.writer;
    const { incarnation, timestamps } = buffer;
    return { buffer: buffer.share(), tail: tail.memory, incarnation, timestamps, segmentBytes };
  }

  /** Goes on in a new segment when the current one is as long as it should get: other threads can not. With the write lock. */
  rotateIfFull(): void {
    if (this.writer.isSegmentFull) this.#rotate();
  }

  /** Takes over what other threads have done, an fsync of the current segment too. With the write lock. */
  override load(): void {
    super.load();
    const { writer } = this;
    const { syncedSegment, syncedOffset } = writer.buffer;
    const { current } = writer;
    if (current?.number === syncedSegment) current.syncedBytes = Math.max(current.syncedBytes, syncedOffset);
  }

  /** What an fsync by somebody else has to cover; it covers what is handed over now. */
  override unsynced(): UnsyncedLog {
    const segments = this.#list.unsynced();
    const directory = this.#list.directoryUnsynced ? this.#directory : undefined;
    const upTo = this.writer.handedOver;
    if (segments.length > 0 || directory !== undefined) this.#list.ask(upTo, segments);
    return {
      paths: segments.map((segment) => segment.path),
      directory,
      upTo,
      sequence: this.writer.handedOverSequence,
    };
  }

  /** An fsync of what `unsynced` named has succeeded. Calls come in the order of the requests. */
  override markSynced(upTo: LogPosition, sequence: number): void {
    this.#list.done(upTo);
    this.#noteUnsynced();
    this.writer.synced(upTo, sequence);
  }

  /** Hands over and fsyncs on this thread. A failure of the fsync (`SYNC_FAILED`, kind io) is final. */
  override syncNow(): void {
    const { writer } = this;
    writer.handOver();
    try {
      for (const segment of this.#list.unsynced()) segment.sync();
      if (this.#list.directoryUnsynced) this.#fs.syncDirectory(this.#directory);
    } catch (error) {
      writer.failure = asError(error);
      throw error;
    }
    this.#list.doneNow(writer.handedOver);
    this.#noteUnsynced();
    writer.synced(writer.handedOver, writer.handedOverSequence);
  }

  /** Live segments, oldest first; the last is the one being written. */
  segments(): LogSegment[] {
    const { current, buffer } = this.writer;
    return this.#list.live().map((segment) => {
      const { number, path, firstSequence, lastSequence } = segment;
      const bytes = segment === current ? segment.bytes + buffer.used : segment.bytes;
      return { number, path, firstSequence, lastSequence, bytes };
    });
  }

  /**
   * Number of the first segment that a replay needs when everything up to `upToSequence` is in tables: what the next
   * manifest edit states as the start of the log. Segments not yet begun have higher numbers.
   */
  firstNeeded(upToSequence: number): number {
    return this.#list.firstNeeded(upToSequence) ?? this.writer.handedOver.segment + 1;
  }

  /**
   * Finished segments below `manifestSegment`, which the manifest on disk states as the start of the log, that hold nothing
   * past `upToSequence`, leave the log. Returns the paths to remove, in order; two segments at most are kept aside to be
   * recycled. Segments that are not synced whole stay until a later call.
   */
  release(upToSequence: number, manifestSegment: number): string[] {
    return this.#list.release(upToSequence, manifestSegment);
  }

  /** Segments that were released and are kept for change feeds. */
  get retained(): RetainedLog {
    return this.#list.retained;
  }

  /** What was kept for feeds and is not needed any more leaves the log; paths to remove, as `release`. */
  trim(): string[] {
    return this.#list.trim();
  }

  /** A name was made in the log's directory: the next fsync covers it, also that of the next manifest edit. */
  nameMade(): void {
    this.#list.nameMade();
    this.writer.isDirectoryUnsynced = true;
  }

  /**
   * The segments that a feed can read, oldest first: unbroken in sequence up to what was appended last. Of those that hold no
   * record none is among them.
   */
  readable(): LogSegment[] {
    return this.#list.readable();
  }

  /** Until the result is called no live segment is recycled: who has one open reads what was in it (CONTRACT 4). */
  pin(): () => void {
    return this.#list.pin();
  }

  /** Closes the files and removes spares. Hands nothing over: see `syncNow`. Idempotent. */
  override close(): void {
    this.writer.failure ??= closed('the log');
    for (const path of this.#list.close()) {
      try {
        this.#fs.remove(path);
      } catch {
        // The next open finds it released and removes it.
      }
    }
  }

  /** Goes on in a new segment, whose first record says where the last one ended. */
  #rotate(): void {
    const { writer } = this;
    writer.handOver();
    const last = writer.current;
    if (last !== undefined) last.endTime = writer.lastTime > 0 ? writer.lastTime : undefined;
    const number = this.#nextSegment();
    const path = inDirectory(this.#directory, logName(number));
    const spare = this.#list.takeSpare();
    let segment: SegmentWriter;
    try {
      segment = SegmentWriter.open(this.#fs, number, path, writer.lastSequence, spare);
    } catch (error) {
      throw writer.failed(path, error);
    }
    this.#list.add(segment);
    if (last?.isSynced === true) last.close();
    writer.isOlderUnsynced ||= last?.isSynced === false;
    writer.isDirectoryUnsynced = true;
    writer.begin(segment, spare !== undefined);
  }

  /** Only the owner begins segments, so its own is always the one that the tail names. */
  #lost(number: number): never {
    throw new Error(`log segment ${number} is not known to the owner of the log`);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
