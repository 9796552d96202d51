/**
 * Asks a compaction filter about an entry that a job would write, and says what is written instead. What is removed is a delete at
 * its own sequence, about which the drop rule is asked again: it stays where something older may lie below. One job, one thread.
 */
import { cloneRange, EMPTY } from '../base/bytes.ts';
import type { WrittenEntry } from '../base/entry.ts';
import { EXPIRY_BYTES } from '../base/expiry.ts';
import { KIND_BLOB, KIND_DELETE, KIND_MERGE, KIND_PUT, KIND_PUT_EXPIRY } from '../base/kinds.ts';
import { mayDrop, NO_NEWER, type Readers } from './drop.ts';
import type { KeyRanges } from './key-ranges.ts';
import type { UserValues } from './user-values.ts';

export class EntryFilter {
  /** What is written in the place of the entry that was asked about last. */
  entry: WrittenEntry | undefined;
  kind: number = KIND_PUT;
  /** Sequence of the oldest entry that was removed or changed. */
  from: number | undefined;
  readonly #readers: Readers;
  readonly #below: KeyRanges;
  readonly #user: UserValues;

  constructor(readers: Readers, below: KeyRanges, user: UserValues) {
    this.#readers = readers;
    this.#below = below;
    this.#user = user;
  }

  /** Of the newest version of a key, which is to be written as `kind`: false when nothing of it is written. */
  ask(given: WrittenEntry, kind: number): boolean {
    const { keyStart, keyEnd, sequence, value, valueStart, valueEnd } = given;
    this.entry = given;
    this.kind = kind;
    if (kind === KIND_DELETE || kind === KIND_MERGE || !this.#readers.mayFilter(sequence)) return true;
    const key = cloneRange(given.key, keyStart, keyEnd);
    const from = valueStart + (kind === KIND_PUT_EXPIRY ? EXPIRY_BYTES : 0);
    const stored = cloneRange(value, from, valueEnd);
    const shown = kind === KIND_BLOB ? this.#user.load(key, stored) : stored;
    if (shown === undefined) return true;
    const decision = this.#user.filter({ key, value: shown, sequence });
    if (decision === 'keep') return true;
    if (this.from === undefined || sequence < this.from) this.from = sequence;
    const places = { key, keyStart: 0, keyEnd: key.length, sequence };
    if (decision === 'remove') {
      const nothingBelow = !this.#below.contains(key, 0, key.length);
      if (mayDrop(this.#readers, KIND_DELETE, sequence, NO_NEWER, 0, nothingBelow)) return false;
      this.kind = KIND_DELETE;
      this.entry = { ...places, kind: KIND_DELETE, value: EMPTY, valueStart: 0, valueEnd: 0 };
      return true;
    }
    const changed = new Uint8Array(from - valueStart + decision.length);
    changed.set(value.subarray(valueStart, from));
    changed.set(decision, from - valueStart);
    this.kind = kind === KIND_BLOB ? KIND_PUT : kind;
    this.entry = { ...places, kind: this.kind, value: changed, valueStart: 0, valueEnd: changed.length };
    return true;
  }
}
