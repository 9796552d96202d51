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
import { cloneRange, compareRanges, copyRange, EMPTY } from '../base/bytes.ts';
import type { VisibleIterator } from '../iterator/visible.ts';
import type { Cursor } from './api-types.ts';
import { keyInvalid } from './codecs/codec.ts';
import type { Session } from './core.ts';
import type { EntryIterator } from '../base/entry.ts';
import type { EntryRun } from '../base/entry-run.ts';
import type { ReadPoint } from './read-point.ts';
import type { ReadView } from './read-view.ts';
import { type KeyRange, mergedSources, openScan } from './scan.ts';
import type { Tree } from './tree.ts';
import type { WalkAhead } from './walk-ahead.ts';

export interface CursorRange extends KeyRange {
  readonly reverse: boolean;
  /** Entries shown at most. */
  readonly limit: number;
}

const EVERYTHING: KeyRange = { lower: undefined, upper: undefined };

/** Makes something of [start, end) of borrowed bytes and keeps none of them. */
export type RangeDecode<T> = (bytes: Uint8Array, start: number, end: number) => T;

export class RangeCursor implements Cursor {
  readonly #core: Session;
  readonly #tree: Tree;
  readonly #range: CursorRange;
  readonly #sequence: number;
  /** What has expired then is not shown, however long the walk takes. */
  readonly #time: number;
  /** Throws when what the cursor was made from (a snapshot) is closed. */
  readonly #check: () => void;
  #source: VisibleIterator | undefined;
  /** What `#source` walks over, and the view that it was made from. */
  #merged: EntryIterator | undefined;
  #view: ReadView | undefined;
  #generation = -1;
  #started = false;
  /** Stays true when a move throws: its source may stand anywhere then, and the next move seeks anew. */
  #isMoving = false;
  #ended = false;
  #open = true;
  #left: number;
  #keyBuffer: Uint8Array = EMPTY;
  #valueBuffer: Uint8Array = EMPTY;
  #key: Uint8Array = EMPTY;
  /** The buffer that `#key` is a view of. */
  #keyOf: Uint8Array = EMPTY;
  #value: Uint8Array = EMPTY;
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
    this.#range = range;
    this.#check = check;
    this.#left = range.limit;
    this.#step = range.reverse ? -1 : 1;
    const { register } = core;
    if (at !== undefined) register.add(at.sequence, at.time);
    this.#sequence = at?.sequence ?? register.addVisible();
    this.#time = at?.time ?? register.time;
  }

  /** The key of the current entry, borrowed until the next move. */
  get key(): Uint8Array {
    if (this.#run !== undefined && this.#keyAt !== this.#at) this.#showKey(this.#run);
    return this.#key;
  }

  /** The value of the current entry, borrowed until the next move. */
  get value(): Uint8Array {
    if (this.#run !== undefined && this.#valueAt !== this.#at) this.#showValue(this.#run);
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
    const reverse = this.#range.reverse;
    const source = this.#current();
    this.#isMoving = true;
    if (source === undefined) {
      const fresh = this.#reopen();
      if (!this.#started) {
        if (reverse) fresh.last();
        else fresh.first();
      } else if (reverse) fresh.seekBefore(this.#key, 0, this.#key.length);
      else {
        fresh.seek(this.#key, 0, this.#key.length);
        if (fresh.valid && this.#atKey(fresh)) fresh.next();
      }
    } else if (reverse) source.prev();
    else source.next();
    this.#isMoving = false;
    this.#started = true;
    return this.#take() && this.#enterRun();
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
    const current = this.#current();
    this.#isMoving = true;
    const source = current ?? this.#reopen();
    if (this.#range.reverse) {
      // At or below the key: strictly below its successor.
      const above = new Uint8Array(key.length + 1);
      above.set(key);
      source.seekBefore(above, 0, above.length);
    } else source.seek(key, 0, key.length);
    this.#isMoving = false;
    this.#started = true;
    return this.#take() && this.#enterRun();
  }

  close(): void {
    if (!this.#open) return;
    if (this.#run !== undefined) {
      // The block goes on to the next cursor, and a closed one still shows its last entry.
      this.#showKey(this.#run);
      this.#value = cloneRange(this.value, 0, this.value.length);
      this.#run = undefined;
      this.#memory = EMPTY.buffer;
    }
    this.#open = false;
    this.#source = undefined;
    this.#leaveMerged();
    this.#ahead?.close();
    this.#core.register.remove(this.#sequence, this.#time);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** After a move: goes on inside the run that the source has around the current entry, if any. Always true. */
  #enterRun(): boolean {
    const run = this.#source!.run();
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
    const source = this.#current();
    this.#isMoving = true;
    if (hasMoved) source?.moveTo(at);
    this.#isMoving = false;
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
    if (run === undefined || this.#valueAt === this.#at) return decode(this.#value, 0, this.#value.length);
    return decode(run.bytes, run.valueStart(this.#at), run.valueStart(this.#at + 1));
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
    const from = run.valueStart(this.#at);
    // Not subarray, which asks what class the view shall have.
    this.#value = new Uint8Array(this.#memory, this.#memoryAt + from, run.valueStart(this.#at + 1) - from);
    this.#valueAt = this.#at;
  }

  /** The source, when it is of the current view and stands where the last move left it. */
  #current(): VisibleIterator | undefined {
    return this.#generation === this.#core.state.generation && !this.#isMoving ? this.#source : undefined;
  }

  #reopen(): VisibleIterator {
    this.#leaveMerged();
    const { tables, idleSources } = this.#tree;
    const view = this.#tree.viewAt(this.#sequence, this.#time);
    const merged =
      (this.#takesAll ? idleSources.take(view) : undefined) ??
      mergedSources(view, tables, this.#takesAll ? EVERYTHING : this.#range, this.#ahead);
    this.#source = openScan(merged, view, tables, this.#range, this.#sequence, this.#time, this.#tree.dead);
    this.#merged = merged;
    this.#view = view;
    this.#generation = this.#core.state.generation;
    return this.#source;
  }

  /** The sources are free for the next cursor, if they are still those of the current view. */
  #leaveMerged(): void {
    const merged = this.#merged;
    this.#merged = undefined;
    if (merged === undefined || !this.#takesAll || this.#view !== this.#tree.view) return;
    this.#tree.idleSources.leave(this.#view, merged);
  }

  /** Nothing ends the walk but the last source: it takes all sources, which others have used and will use. */
  get #takesAll(): boolean {
    return (
      this.#ahead === undefined && (this.#range.reverse ? this.#range.lower : this.#range.upper) === undefined
    );
  }

  #atKey(source: VisibleIterator): boolean {
    return compareRanges(source.key, source.keyStart, source.keyEnd, this.#key, 0, this.#key.length) === 0;
  }

  /** Copies the entry that the source stands at. */
  #take(): boolean {
    const source = this.#source!;
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
    if (this.#value.length !== valueLength || this.#value.buffer !== this.#valueBuffer.buffer) {
      this.#value = upTo(this.#valueBuffer, valueLength);
    }
    return true;
  }

  #end(): boolean {
    this.#ended = true;
    this.#source = undefined;
    this.#leaveMerged();
    this.#generation = -1;
    this.#key = EMPTY;
    this.#keyOf = EMPTY;
    this.#value = EMPTY;
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
