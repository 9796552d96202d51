/**
 * A walk over a range of one keyspace at one sequence and one time, by bytes. All iteration of the public API stands on this.
 *
 * Between two moves a cursor holds no view: the entry that it shows is a copy in memory of its own, and when the views
 * have changed since the last move (rotation, flush, compaction) it seeks again from that key on the current view. What
 * makes that right is the registered sequence: no flush and no compaction drops what it still has to show.
 *
 * Most moves stay inside a run (base/entry-run.ts): neighbours in one block, which the cursor has a copy of. There a move
 * is one addition, and key and value are made when they are asked for. Outside of runs key and value are copied into
 * buffers that are reused while the lengths repeat.
 */
import { cloneRange, copyRange, EMPTY } from '../base/bytes.ts';
import { asError } from '../base/errors.ts';
import { KIND_BLOB, KIND_MERGE } from '../base/kinds.ts';
import type { VisibleIterator } from '../iterator/visible.ts';
import type { Cursor } from './keyspace-types.ts';
import { keyInvalid } from './codecs/codec.ts';
import type { Session } from './core.ts';
import type { EntryRun } from '../base/entry-run.ts';
import type { ReadPoint } from './read-point.ts';
import { CursorSource } from './cursor-source.ts';
import { ReferredValues } from './referred-values.ts';
import type { KeyRange } from './scan.ts';
import type { Tree } from './tree.ts';
import type { WalkAhead } from './walk-ahead.ts';

export interface CursorRange extends KeyRange {
  readonly reverse: boolean;
  /** Entries shown at most. */
  readonly limit: number;
}

/** Makes something of [start, end) of borrowed bytes and keeps none of them. */
export type RangeDecode<T> = (bytes: Uint8Array, start: number, end: number) => T;

export class RangeCursor implements Cursor {
  readonly #core: Session;
  readonly #tree: Tree;
  /** What has expired at its time is not shown, however long the walk takes. */
  readonly #point: ReadPoint;
  /** Throws when what the cursor was made from (a snapshot) is closed. */
  readonly #check: () => void;
  readonly #source: CursorSource;
  #ended = false;
  #open = true;
  #left: number;
  #keyBuffer: Uint8Array = EMPTY;
  #valueBuffer: Uint8Array = EMPTY;
  #key: Uint8Array = EMPTY;
  /** The buffer that `#key` is a view of. */
  #keyOf: Uint8Array = EMPTY;
  #value: Uint8Array = EMPTY;
  /** `#value` is the reference to it, which lies in a blob file, or has operands; or `#failure` says why a closed cursor has none. */
  #isReference = false;
  /** Of the entry whose `#value` that is. */
  #referredKind = KIND_BLOB;
  #failure: Error | undefined;
  #referred: ReferredValues | undefined;
  /** The run that the current entry is in, at `#at`; it was entered at `#runStart` and is left behind `#runLast`. */
  #run: EntryRun | undefined;
  #at = 0;
  #runStart = 0;
  #runLast = 0;
  readonly #step: 1 | -1;
  /** Positions in the run that `#key` and `#value` were made for. */
  #keyAt = 0;
  #valueAt = 0;
  /** The key buffer begins with the prefix of the run. */
  #hasPrefix = false;
  /** Where the bytes of the run lie: asking them each time takes as long as a move. */
  #memory: ArrayBufferLike = EMPTY.buffer;
  #memoryAt = 0;

  readonly #ahead: WalkAhead | undefined;
  #hasMoved = false;
  readonly #move: (() => void) | undefined;

  /** With no point to read at, at what is visible now. With `ahead` it is moved by `tryNext`. */
  constructor(
    core: Session,
    tree: Tree,
    range: CursorRange,
    at: ReadPoint | undefined,
    check: () => void,
    ahead?: WalkAhead,
  ) {
    check();
    this.#ahead = ahead;
    if (ahead !== undefined) {
      this.#move = () => {
        this.#hasMoved = this.next();
      };
    }
    this.#core = core;
    this.#tree = tree;
    this.#check = check;
    this.#left = range.limit;
    this.#step = range.reverse ? -1 : 1;
    const { register } = core;
    if (at !== undefined) register.add(at.sequence, at.time);
    this.#point = at ?? { sequence: register.addVisible(), time: register.time };
    this.#source = new CursorSource(core, tree, range, this.#point, ahead);
  }

  /** The key of the current entry, borrowed until the next move. */
  get key(): Uint8Array {
    if (this.#run !== undefined && this.#keyAt !== this.#at) this.#showKey(this.#run);
    return this.#key;
  }

  /** The value of the current entry, borrowed until the next move. */
  get value(): Uint8Array {
    if (this.#run !== undefined && this.#valueAt !== this.#at) this.#showValue(this.#run);
    else if (this.#isReference) this.#showReferred();
    return this.#value;
  }

  next(): boolean {
    this.#check();
    if (this.#run !== undefined) {
      if (this.#at !== this.#runLast) {
        this.#at += this.#step;
        return true;
      }
    }
    const { access } = this.#core.state;
    if (access === undefined) return this.#advance();
    access.enter();
    try {
      return this.#advance();
    } finally {
      access.leave();
    }
  }

  /** A move that the run does not make. */
  #advance(): boolean {
    if (this.#run !== undefined) this.#leaveRun(this.#run);
    if (!this.#open || this.#ended) return false;
    if (this.#left <= 0) return this.#end();
    return this.#take(this.#source.advance(this.#key));
  }

  /** As `next`; undefined when it needs blocks that other threads still read: then `arrival`. */
  tryNext(): boolean | undefined {
    // Inside a run nothing is read.
    if (this.#move === undefined || (this.#run !== undefined && this.#at !== this.#runLast)) {
      return this.next();
    }
    return this.#ahead!.try(this.#move) ? this.#hasMoved : undefined;
  }

  /** Calls `again`, which tries to move again, when the blocks are here. */
  async arrival(again: () => void): Promise<void> {
    await this.#ahead?.arrival(again);
  }

  /** To the first entry at or past `key` in the direction of the range. */
  seek(key: Uint8Array): boolean {
    this.#check();
    if (!(key instanceof Uint8Array)) throw keyInvalid('bytes', 'a Uint8Array', key);
    if (!this.#open) return false;
    const { access } = this.#core.state;
    if (access === undefined) return this.#seek(key);
    access.enter();
    try {
      return this.#seek(key);
    } finally {
      access.leave();
    }
  }

  #seek(key: Uint8Array): boolean {
    if (this.#run !== undefined) this.#dropRun();
    this.#ended = false;
    if (this.#left <= 0) return this.#end();
    return this.#take(this.#source.seek(key));
  }

  close(): void {
    if (!this.#open) return;
    // The block goes on to the next cursor, and a closed one still shows its last entry.
    if (this.#run !== undefined || this.#isReference) this.#keepShown();
    this.leave();
  }

  #keepShown(): void {
    if (this.#run !== undefined) this.#showKey(this.#run);
    try {
      const { value } = this;
      this.#value = cloneRange(value, 0, value.length);
    } catch (error) {
      // Whoever asks for the value is told.
      this.#failure = asError(error);
      this.#isReference = true;
    }
  }

  /** Closes a cursor that nobody will look at any more. */
  leave(): void {
    if (!this.#open) return;
    this.#run = undefined;
    this.#memory = EMPTY.buffer;
    this.#open = false;
    this.#source.end();
    this.#ahead?.close();
    this.#core.register.remove(this.#point.sequence, this.#point.time);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** After a move: goes on inside the run that the source has around the current entry, if any. Always true. */
  #enterRun(source: VisibleIterator): boolean {
    const run = source.run();
    if (run === undefined) return true;
    const isForward = this.#step === 1;
    // Walking back the entry shown is the one behind the run.
    const start = isForward ? run.position : run.position + 1;
    const room = Math.min(this.#left, isForward ? run.to - 1 - start : start - run.from);
    if (room <= 0) return true;
    this.#run = run;
    this.#at = start;
    this.#runStart = start;
    this.#runLast = start + this.#step * room;
    this.#keyAt = start;
    this.#valueAt = start;
    this.#hasPrefix = false;
    this.#referred?.enterRun();
    this.#memory = run.bytes.buffer;
    this.#memoryAt = run.bytes.byteOffset;
    return true;
  }

  /** The source follows to where the run ends, unless the views have changed: then the next move seeks from the key. */
  #leaveRun(run: EntryRun): void {
    const at = this.#at;
    const hasMoved = at !== this.#runStart;
    this.#showKey(run);
    this.#dropRun();
    if (hasMoved) this.#source.leaveRun(at);
  }

  #dropRun(): void {
    this.#left -= Math.abs(this.#at - this.#runStart);
    this.#run = undefined;
  }

  /** What `decode` makes of the current key, which it borrows: spares a view that nobody else needs. */
  readKey<K>(decode: RangeDecode<K>): K {
    const run = this.#run;
    if (run === undefined || this.#keyAt === this.#at) return decode(this.#key, 0, this.#key.length);
    const length = this.#fillKey(run);
    return decode(this.#keyBuffer, 0, length);
  }

  /** The same for the value. */
  readValue<V>(decode: RangeDecode<V>): V {
    const run = this.#run;
    if (run === undefined || this.#valueAt === this.#at) {
      if (this.#isReference) {
        return this.#readReferred(this.#referredKind, this.#value, 0, this.#value.length, decode);
      }
      return decode(this.#value, 0, this.#value.length);
    }
    const from = run.valueStart(this.#at);
    const to = run.valueStart(this.#at + 1);
    if (run.kind === KIND_BLOB) return this.#readReferred(KIND_BLOB, run.bytes, from, to, decode);
    return decode(run.bytes, from, to);
  }

  /** False when the value lies in a blob file that other threads still read: then `arrival`, and again. */
  tryValue(): boolean {
    if (this.#ahead === undefined || !this.#refers) return true;
    return this.#ahead.try(this.#prepare);
  }

  get #refers(): boolean {
    const run = this.#run;
    if (run === undefined || this.#valueAt === this.#at) return this.#isReference;
    return run.kind === KIND_BLOB;
  }

  readonly #prepare = (): void => {
    const run = this.#run;
    if (run?.kind === KIND_BLOB) this.#values.fetchAhead(this.#source, run, this.#at, this.#runLast);
    this.#showReferred();
  };

  get #values(): ReferredValues {
    this.#referred ??= new ReferredValues(this.#core, this.#tree, this.#point, this.#check);
    return this.#referred;
  }

  #readReferred<V>(kind: number, bytes: Uint8Array, start: number, end: number, decode: RangeDecode<V>): V {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#values.load(this.#source, kind, this.key, bytes, start, end, decode);
  }

  /** The value of the current entry, which is a reference or operands, in memory of its own. */
  #showReferred(): void {
    this.#value = this.readValue(cloneRange);
    this.#valueAt = this.#at;
    this.#isReference = false;
  }

  #showKey(run: EntryRun): void {
    const length = this.#fillKey(run);
    const buffer = this.#keyBuffer;
    if (this.#key.length !== length || this.#keyOf !== buffer) this.#viewKey(buffer, length);
    this.#keyAt = this.#at;
  }

  #viewKey(buffer: Uint8Array, length: number): void {
    this.#key = upTo(buffer, length);
    this.#keyOf = buffer;
  }

  /** Puts the key of the current entry together in the key buffer. */
  #fillKey(run: EntryRun): number {
    const from = run.keySuffixStart(this.#at);
    const to = run.keySuffixStart(this.#at + 1);
    const { bytes, prefixStart, prefixLength } = run;
    const length = prefixLength + to - from;
    if (length > this.#keyBuffer.length) {
      this.#keyBuffer = larger(this.#keyBuffer, length);
      this.#hasPrefix = false;
    }
    const buffer = this.#keyBuffer;
    if (!this.#hasPrefix) {
      this.#hasPrefix = true;
      copyRange(bytes, prefixStart, prefixStart + prefixLength, buffer, 0);
    }
    copyRange(bytes, from, to, buffer, prefixLength);
    return length;
  }

  /** A view: the block is a copy that only this cursor looks at until it closes. */
  #showValue(run: EntryRun): void {
    if (run.kind === KIND_BLOB) {
      this.#showReferred();
      return;
    }
    const from = run.valueStart(this.#at);
    // Not subarray, which asks what class the view shall have.
    this.#value = new Uint8Array(this.#memory, this.#memoryAt + from, run.valueStart(this.#at + 1) - from);
    this.#valueAt = this.#at;
    this.#isReference = false;
  }

  /** Copies the entry that the source stands at, and enters the run around it. */
  #take(source: VisibleIterator): boolean {
    if (!source.valid) return this.#end();
    this.#left--;
    const keyLength = source.keyEnd - source.keyStart;
    if (keyLength > this.#keyBuffer.length) this.#keyBuffer = larger(this.#keyBuffer, keyLength);
    copyRange(source.key, source.keyStart, source.keyEnd, this.#keyBuffer, 0);
    if (this.#key.length !== keyLength || this.#keyOf !== this.#keyBuffer) {
      this.#viewKey(this.#keyBuffer, keyLength);
    }
    const valueLength = source.valueEnd - source.valueStart;
    if (valueLength > this.#valueBuffer.length) this.#valueBuffer = larger(this.#valueBuffer, valueLength);
    copyRange(source.value, source.valueStart, source.valueEnd, this.#valueBuffer, 0);
    this.#isReference = source.kind === KIND_BLOB || source.kind === KIND_MERGE;
    this.#referredKind = source.kind;
    if (this.#value.length !== valueLength || this.#value.buffer !== this.#valueBuffer.buffer) {
      this.#value = upTo(this.#valueBuffer, valueLength);
    }
    return this.#enterRun(source);
  }

  #end(): boolean {
    this.#ended = true;
    this.#source.end();
    this.#key = EMPTY;
    this.#keyOf = EMPTY;
    this.#value = EMPTY;
    this.#isReference = false;
    return false;
  }
}

/** A first buffer is no larger than its entry: many cursors show one. */
function larger(buffer: Uint8Array, length: number): Uint8Array {
  return new Uint8Array(buffer.length === 0 ? length : length * 2);
}

function upTo(buffer: Uint8Array, length: number): Uint8Array {
  return length === buffer.length ? buffer : buffer.subarray(0, length);
}
