/**
 * A range as a transaction sees it: what its snapshot has, with its own writes on top. A merge of two walks, of which the
 * newer one hides keys and adds some; it notes how far it went for the read set.
 */
import { compareBytes, EMPTY, successor } from '../base/bytes.ts';
import { invalid } from '../base/errors.ts';
import { EXPIRY_BYTES } from '../base/expiry.ts';
import { KIND_DELETE, KIND_PUT_EXPIRY } from '../base/kinds.ts';
import type { Cursor, RangeView } from '../engine/keyspace-types.ts';
import { decodeKey, decodeValue, type KeyCodec, type ValueCodec } from '../engine/codecs/codec.ts';
import type { CursorRange } from '../engine/cursor.ts';
import type { RangeRead } from './read-set.ts';
import type { Overlay } from './write-set.ts';

const TURN_ENTRIES = 256;

export interface TransactionRangeSource<K, V> {
  readonly key: KeyCodec<K>;
  readonly value: ValueCodec<V>;
  readonly bounds: CursorRange;
  /** A walk over the snapshot in the bounds, without a limit. */
  open(): Cursor;
  /** What the transaction has written in the bounds by now. */
  overlay(): Overlay;
  /** Notes that the bounds are read; undefined where reads are not noted. */
  note(): RangeRead | undefined;
  /** Throws when the transaction has ended. */
  check(): void;
  /** Resolves after other tasks of the event loop had their turn. */
  pause(): Promise<void>;
}

export class TransactionRange<K, V> implements RangeView<K, V> {
  readonly #source: TransactionRangeSource<K, V>;

  constructor(source: TransactionRangeSource<K, V>) {
    this.#source = source;
  }

  [Symbol.iterator](): Iterator<[K, V]> {
    return walk(this.#source, (cursor) => [this.#key(cursor), this.#value(cursor)]);
  }

  [Symbol.asyncIterator](): AsyncIterator<[K, V]> {
    return walkInTurns(this.#source, (cursor) => [this.#key(cursor), this.#value(cursor)]);
  }

  keys(): Iterable<K> & AsyncIterable<K> {
    return projection(this.#source, (cursor) => this.#key(cursor));
  }

  values(): Iterable<V> & AsyncIterable<V> {
    return projection(this.#source, (cursor) => this.#value(cursor));
  }

  cursor(): Cursor {
    return new OverlayCursor(this.#source);
  }

  partitions(): never {
    throw invalid(
      'RANGE_INVALID',
      'a range of a transaction has no partitions; take those of a snapshot',
      {},
    );
  }

  #key({ key }: Cursor): K {
    return decodeKey(this.#source.key, key, 0, key.length);
  }

  #value({ value }: Cursor): V {
    return decodeValue(this.#source.value, value, 0, value.length);
  }
}

class OverlayCursor implements Cursor {
  readonly #source: TransactionRangeSource<unknown, unknown>;
  readonly #base: Cursor;
  readonly #overlay: Overlay;
  readonly #read: RangeRead | undefined;
  readonly #step: 1 | -1;
  #left: number;
  /** Does the base stand at an entry that was not shown yet? */
  #isAhead = false;
  #isBaseEnded = false;
  /** Place in the order of the overlay that comes next. */
  #at: number;
  #key: Uint8Array = EMPTY;
  #value: Uint8Array = EMPTY;
  /** Is the base the one that is shown? Then key and value are its own. */
  #showsBase = false;
  #isOpen = true;
  #hasSought = false;
  #hasShown = false;
  #isAtEnd = false;

  constructor(source: TransactionRangeSource<unknown, unknown>) {
    source.check();
    this.#source = source;
    const { reverse, limit } = source.bounds;
    this.#base = source.open();
    this.#overlay = source.overlay();
    this.#read = source.note();
    this.#step = reverse ? -1 : 1;
    this.#left = limit;
    this.#at = reverse ? this.#overlay.order.length - 1 : 0;
  }

  get key(): Uint8Array {
    return this.#showsBase ? this.#base.key : this.#key;
  }

  get value(): Uint8Array {
    return this.#showsBase ? this.#base.value : this.#value;
  }

  next(): boolean {
    this.#source.check();
    if (!this.#isOpen || this.#left <= 0) return this.#hide();
    for (;;) {
      if (!this.#isAhead && !this.#isBaseEnded) {
        this.#isAhead = this.#base.next();
        this.#isBaseEnded = !this.#isAhead;
      }
      const shown = this.#choose();
      if (shown === undefined) {
        this.#isAtEnd = true;
        return this.#hide();
      }
      if (!shown) continue;
      this.#left--;
      this.#hasShown = true;
      return true;
    }
  }

  seek(key: Uint8Array): boolean {
    this.#source.check();
    if (!this.#isOpen) return false;
    this.#hasSought = true;
    this.#isAhead = this.#base.seek(key);
    this.#isBaseEnded = !this.#isAhead;
    const { order } = this.#overlay;
    const isPassed = (position: number): boolean =>
      this.#step * compareBytes(this.#overlay.key(position), key) < 0;
    if (this.#step > 0) {
      const first = order.findIndex((position) => !isPassed(position));
      this.#at = first < 0 ? order.length : first;
    } else this.#at = order.findLastIndex((position) => !isPassed(position));
    return this.next();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#narrow();
    if (this.#showsBase) {
      this.#key = this.#base.key.slice();
      this.#value = this.#base.value.slice();
      this.#showsBase = false;
    }
    this.#base.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Shows the next of both walks; false when that is hidden, undefined at the end. */
  #choose(): boolean | undefined {
    const { order } = this.#overlay;
    const position = order[this.#at];
    if (position === undefined && this.#isBaseEnded) return undefined;
    const compared =
      position === undefined
        ? 1
        : this.#isBaseEnded
          ? -1
          : this.#step * compareBytes(this.#overlay.key(position), this.#base.key);
    if (compared > 0) {
      this.#isAhead = false;
      this.#showsBase = true;
      return !this.#overlay.covers(this.#base.key);
    }
    this.#at += this.#step;
    // What the snapshot has under that key is hidden.
    if (compared === 0) this.#isAhead = false;
    if (this.#overlay.kind(position!) === KIND_DELETE) {
      this.#showsBase = false;
      this.#key = this.#overlay.key(position!);
      return false;
    }
    this.#showsBase = false;
    this.#key = this.#overlay.key(position!);
    const value = this.#overlay.value(position!);
    this.#value = this.#overlay.kind(position!) === KIND_PUT_EXPIRY ? value.subarray(EXPIRY_BYTES) : value;
    return true;
  }

  #hide(): false {
    this.#narrow();
    this.#showsBase = false;
    this.#key = EMPTY;
    this.#value = EMPTY;
    return false;
  }

  /** Only up to the last key shown was anything learnt, unless the walk came to its end. */
  #narrow(): void {
    const read = this.#read;
    if (read === undefined || this.#isAtEnd || this.#hasSought) return;
    this.#isAtEnd = true;
    if (!this.#hasShown) read.isNothing = true;
    else if (this.#step > 0) read.upper = successor(this.key);
    else read.lower = this.key.slice();
  }
}

function projection<T>(
  source: TransactionRangeSource<unknown, unknown>,
  show: (cursor: Cursor) => T,
): Iterable<T> & AsyncIterable<T> {
  return {
    [Symbol.iterator]: () => walk(source, show),
    [Symbol.asyncIterator]: () => walkInTurns(source, show),
  };
}

function* walk<T>(
  source: TransactionRangeSource<unknown, unknown>,
  show: (cursor: Cursor) => T,
): Generator<T, void, undefined> {
  const cursor = new OverlayCursor(source);
  try {
    while (cursor.next()) yield show(cursor);
  } finally {
    cursor.close();
  }
}

async function* walkInTurns<T>(
  source: TransactionRangeSource<unknown, unknown>,
  show: (cursor: Cursor) => T,
): AsyncGenerator<T, void, undefined> {
  const cursor = new OverlayCursor(source);
  try {
    for (let shown = 1; cursor.next(); shown++) {
      yield show(cursor);
      if (shown % TURN_ENTRIES === 0) await source.pause();
    }
  } finally {
    cursor.close();
  }
}
