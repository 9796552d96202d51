/**
 * Test helper: an EntryIterator over a sorted array, and the sorted-map model that other iterators are compared with.
 *
 * It lends strictly: every move hands out fresh bytes and overwrites those it lent before, so that whoever uses borrowed
 * bytes for longer than the contract allows (base/entry.ts) fails its test instead of working by luck.
 */
import { compareBytes, compareRanges } from '../base/bytes.ts';
import type { EntryIterator } from '../base/entry.ts';
import { KIND_PUT } from '../base/kinds.ts';

export interface TestEntry {
  readonly key: Uint8Array;
  readonly sequence: number;
  readonly kind: number;
  readonly value: Uint8Array;
}

const text = new TextEncoder();
const decoder = new TextDecoder();

/** Bytes of a string. */
export function bytesOf(of: string): Uint8Array {
  return text.encode(of);
}

/** An entry; value defaults to `key@sequence`. */
export function entryOf(
  key: string,
  sequence: number,
  kind: number = KIND_PUT,
  value = `${key}@${sequence}`,
): TestEntry {
  return { key: text.encode(key), sequence, kind, value: text.encode(value) };
}

/** Internal order: key ascending, sequence descending. */
export function compareEntries(a: TestEntry, b: TestEntry): number {
  return compareBytes(a.key, b.key) || b.sequence - a.sequence;
}

/** What an iterator shows now, as text: `key@sequence kind value`, or 'end'. */
export function shown(at: EntryIterator): string {
  if (!at.valid) return 'end';
  const key = decoder.decode(at.key.slice(at.keyStart, at.keyEnd));
  return `${key}@${at.sequence} ${at.kind} ${decoder.decode(at.value.slice(at.valueStart, at.valueEnd))}`;
}

/** The same of a model entry. */
export function shownEntry(entry: TestEntry | undefined): string {
  if (entry === undefined) return 'end';
  return `${decoder.decode(entry.key)}@${entry.sequence} ${entry.kind} ${decoder.decode(entry.value)}`;
}

export class ArrayIterator implements EntryIterator {
  valid = false;
  key: Uint8Array = new Uint8Array(0);
  keyStart = 0;
  keyEnd = 0;
  sequence = 0;
  kind = 0;
  value: Uint8Array = new Uint8Array(0);
  valueStart = 0;
  valueEnd = 0;
  readonly #entries: readonly TestEntry[];
  #at = -1;

  constructor(entries: readonly TestEntry[]) {
    this.#entries = entries.toSorted(compareEntries);
  }

  first(): void {
    this.#lend(0);
  }

  last(): void {
    this.#lend(this.#entries.length - 1);
  }

  seek(key: Uint8Array, start: number, end: number, sequence: number): void {
    this.#lend(positionAtOrAfter(this.#entries, key, start, end, sequence));
  }

  seekBefore(key: Uint8Array, start: number, end: number): void {
    this.#lend(positionAtOrAfter(this.#entries, key, start, end, Number.POSITIVE_INFINITY) - 1);
  }

  next(): void {
    if (!this.valid) throw new Error('next() of an iterator that is not valid');
    this.#lend(this.#at + 1);
  }

  prev(): void {
    if (!this.valid) throw new Error('prev() of an iterator that is not valid');
    this.#lend(this.#at - 1);
  }

  #lend(at: number): void {
    this.key.fill(0xee);
    this.value.fill(0xee);
    this.#at = at;
    const entry = this.#entries[at];
    this.valid = entry !== undefined;
    if (entry === undefined) return;
    this.key = padded(entry.key);
    this.keyStart = 2;
    this.keyEnd = 2 + entry.key.length;
    this.sequence = entry.sequence;
    this.kind = entry.kind;
    this.value = padded(entry.value);
    this.valueStart = 2;
    this.valueEnd = 2 + entry.value.length;
  }
}

/** The bytes with junk on both sides: whoever ignores start and end notices. */
function padded(bytes: Uint8Array): Uint8Array {
  const room = new Uint8Array(bytes.length + 5).fill(0x7e);
  room.set(bytes, 2);
  return room;
}

/** Index of the first entry at or after (key, sequence) in a sorted list. */
export function positionAtOrAfter(
  entries: readonly TestEntry[],
  key: Uint8Array,
  start: number,
  end: number,
  sequence: number,
): number {
  let at = 0;
  while (at < entries.length) {
    const entry = entries[at]!;
    const order = compareRanges(entry.key, 0, entry.key.length, key, start, end);
    if (order > 0 || (order === 0 && entry.sequence <= sequence)) break;
    at++;
  }
  return at;
}
