/**
 * A range as a transaction sees it: what its snapshot has, with its own writes on top. A merge of two walks, of which the
 * newer one hides keys and adds some; it notes how far it went for the read set.
 */
import { compareBytes, EMPTY, successor } from '../base/bytes.ts';
import { invalid } from '../base/errors.ts';
import { EXPIRY_BYTES } from '../base/expiry.ts';
import { KIND_DELETE, KIND_MERGE, KIND_PUT_EXPIRY } from '../base/kinds.ts';
import type { RangeView } from '../engine/keyspace-types.ts';
import { decodeKey, decodeValue, type KeyCodec, type ValueCodec } from '../engine/codecs/codec.ts';
import type { Session } from '../engine/core.ts';
import type { CursorRange, RangeDecode } from '../engine/cursor.ts';
import { RangeReader, type WalkedCursor } from '../engine/range-view.ts';
import type { RangeRead } from './read-set.ts';
import type { Overlay, OwnMerge } from './write-set.ts';

export interface OverlaySource {
  readonly bounds: CursorRange;
  /** A walk over the snapshot in the bounds, without a limit. */
  open(): WalkedCursor;
  /** What the transaction has written in the bounds by now. */
  overlay(): Overlay;
  /** The value of a key that it has merged to. */
  merged(key: Uint8Array, merge: OwnMerge): Uint8Array;
  /** Notes that the bounds are read; undefined where reads are not noted. */
  note(): RangeRead | undefined;
  /** Throws when the transaction has ended. */
  check(): void;
}

/** The range for a user: iterated as any other (engine/range-view.ts). */
export function transactionRange<K, V>(
  { clock, scheduler }: Session,
  codecs: { readonly key: KeyCodec<K>; readonly value: ValueCodec<V> },
  source: OverlaySource,
): RangeView<K, V> {
  const open = (): OverlayCursor => new OverlayCursor(source);
  return new RangeReader<K, V>({
    open,
    openAhead: open,
    pause: () => new Promise((resolve) => scheduler.soon(resolve)),
    now: () => clock.monotonic(),
    partitions: () => {
      const message = 'a range of a transaction has no partitions; take those of a snapshot';
      throw invalid('RANGE_INVALID', message, {});
    },
    decodeKey: (bytes, start, end) => decodeKey(codecs.key, bytes, start, end),
    decodeValue: (bytes, start, end) => decodeValue(codecs.value, bytes, start, end),
  });
}

class OverlayCursor implements WalkedCursor {
  readonly #source: OverlaySource;
  readonly #base: WalkedCursor;
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
  /** Of the entry shown, when it was merged to and nobody has asked for its value yet. */
  #merge: OwnMerge | undefined;
  /** Is the base the one that is shown? Then key and value are its own. */
  #showsBase = false;
  #isOpen = true;
  #hasSought = false;
  #hasShown = false;
  #isAtEnd = false;

  constructor(source: OverlaySource) {
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
    if (this.#showsBase) return this.#base.key;
    this.#checkLent();
    return this.#key;
  }

  get value(): Uint8Array {
    this.#checkLent();
    if (this.#merge !== undefined) {
      this.#value = this.#source.merged(this.#key, this.#merge);
      this.#merge = undefined;
    }
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

  readKey<K>(decode: RangeDecode<K>): K {
    const { key } = this;
    return decode(key, 0, key.length);
  }

  readValue<V>(decode: RangeDecode<V>): V {
    const { value } = this;
    return decode(value, 0, value.length);
  }

  /** Its walk reads on this thread: it never has to wait. */
  tryNext(): boolean {
    return this.next();
  }

  tryValue(): boolean {
    return true;
  }

  async arrival(again: () => void): Promise<void> {
    await Promise.resolve();
    again();
  }

  leave(): void {
    this.#leave();
    this.#base.leave();
  }

  /** As any cursor, one that is closed still shows its last entry. */
  close(): void {
    this.#leave();
    this.#base.close();
  }

  #leave(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#narrow();
  }

  /** What the transaction has written lies in memory that goes to the next one when it ends. */
  #checkLent(): void {
    if (!this.#showsBase && this.#key !== EMPTY) this.#source.check();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Shows the next of both walks; false when that is hidden, undefined at the end. */
  #choose(): boolean | undefined {
    this.#merge = undefined;
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
    if (this.#overlay.kind(position!) === KIND_MERGE) {
      this.#merge = this.#overlay.merge(position!);
      return true;
    }
    const value = this.#overlay.value(position!);
    this.#value = this.#overlay.kind(position!) === KIND_PUT_EXPIRY ? value.subarray(EXPIRY_BYTES) : value;
    return true;
  }

  #hide(): false {
    this.#narrow();
    this.#showsBase = false;
    this.#merge = undefined;
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
    else {
      const key = this.#showsBase ? this.#base.key : this.#key;
      if (this.#step > 0) read.upper = successor(key);
      else read.lower = key.slice();
    }
  }
}
