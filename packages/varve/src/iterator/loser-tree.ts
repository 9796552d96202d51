/**
 * Who of several sources in internal order has the next entry, walking forward: a tree of losers whose keys are compared as
 * offset-value codes (base/offset-value.ts). Every key but the winner's is coded against the key that was shown last, so a
 * step costs one comparison of a key with the one before it, and then one of two integers on each level of the tree; keys are
 * compared only where codes are equal. What falls out is how many bytes a key shares with the one before.
 *
 * Invariants: (1) `#codes[i]` of a source that lost is the code of its key against the winner it lost to, and the winners
 * on the way from that place to the root have passed it since: on the path of the last winner all codes are against
 * the key shown last. (2) Of two sources with the same (key, sequence) the one given first comes first.
 * One thread.
 */
import { compareRanges, copyRange } from '../base/bytes.ts';
import type { EntryIterator } from '../base/entry.ts';
import { CODE_MAX, codeBehind, codeFromHead, codeOf, sharedBytes, sharedOf } from '../base/offset-value.ts';

export class LoserTree {
  /** Number of the source with the next entry; the entry is there if the source is valid. */
  winner = 0;
  /** The key shown last, in a buffer that may be longer. */
  last: Uint8Array = new Uint8Array(256);
  lastLength = 0;
  readonly #sources: readonly EntryIterator[];
  readonly #codes: Int32Array;
  /** From 1 on: who lost at each place, the children of n at 2n and 2n + 1, source i below (i + count) / 2. */
  readonly #losers: Int32Array;

  /** @param sources newest first, at least one */
  constructor(sources: readonly EntryIterator[]) {
    this.#sources = sources;
    this.#codes = new Int32Array(sources.length);
    this.#losers = new Int32Array(sources.length);
  }

  /** All sources stand at their first entries of a walk. */
  build(): void {
    const sources = this.#sources;
    const codes = this.#codes;
    const count = sources.length;
    for (let i = 0; i < count; i++) {
      const source = sources[i]!;
      codes[i] = source.valid ? codeFromHead(source.key, source.keyStart, source.keyEnd) : CODE_MAX;
    }
    this.winner = count === 1 ? 0 : this.#play(1);
  }

  /** Before the winner moves on: its key is the one shown last. */
  leave(source: EntryIterator): void {
    const { key, keyStart, keyEnd } = source;
    const length = keyEnd - keyStart;
    if (length > this.last.length) this.last = new Uint8Array(2 * length);
    copyRange(key, keyStart, keyEnd, this.last, 0);
    this.lastLength = length;
  }

  /** The winner has moved on: it plays against those that lost on its way to the root. */
  replay(): void {
    const losers = this.#losers;
    const codes = this.#codes;
    let { winner } = this;
    const source = this.#sources[winner]!;
    let code = CODE_MAX;
    if (source.valid) {
      const { key, keyStart, keyEnd } = source;
      const shared = sharedBytes(key, keyStart, keyEnd, this.last, 0, this.lastLength, 0);
      code = codeOf(key, keyStart, keyEnd, shared);
    }
    codes[winner] = code;
    for (let place = (winner + codes.length) >>> 1; place > 0; place >>>= 1) {
      const other = losers[place]!;
      const difference = codes[other]! - codes[winner]!;
      // Codes that differ early leave that of the loser as it is.
      if (difference >= 0x1000000) continue;
      if (this.#wins(winner, other)) continue;
      losers[place] = winner;
      winner = other;
    }
    this.winner = winner;
  }

  /** After `replay`, of the winner, which is valid: is its key the one shown last? */
  isSameKey(source: EntryIterator): boolean {
    if (this.#codes[this.winner] !== 0) return false;
    const { key, keyStart, keyEnd } = source;
    return compareRanges(key, keyStart, keyEnd, this.last, 0, this.lastLength) === 0;
  }

  /** The same: how many bytes its key shares with the one shown last. */
  sharedWith(source: EntryIterator): number {
    const code = this.#codes[this.winner]!;
    const length = source.keyEnd - source.keyStart;
    const limit = length < this.lastLength ? length : this.lastLength;
    let shared = sharedOf(code);
    if (code === 0) {
      // They share so much that the code can not say how much.
      const last = this.last;
      while (shared < limit && source.key[source.keyStart + shared] === last[shared]) shared++;
    }
    return shared > limit ? limit : shared;
  }

  /** Number of the source whose entry comes behind the winner's; undefined when there is none. */
  second(): number | undefined {
    const codes = this.#codes;
    let second: number | undefined;
    for (let place = (this.winner + codes.length) >>> 1; place > 0; place >>>= 1) {
      const other = this.#losers[place]!;
      if (!this.#sources[other]!.valid) continue;
      // Both codes are against the winner's key, and stay so: they have not played against each other.
      const difference = second === undefined ? -1 : codes[other]! - codes[second]!;
      if (difference < 0 || (difference === 0 && this.#isBefore(other, second!))) second = other;
    }
    return second;
  }

  /** The winner among the sources below a place, when nobody has played there yet. */
  #play(place: number): number {
    const count = this.#codes.length;
    if (place >= count) return place - count;
    const left = this.#play(2 * place);
    const right = this.#play(2 * place + 1);
    const leftWins = this.#wins(left, right);
    this.#losers[place] = leftWins ? right : left;
    return leftWins ? left : right;
  }

  /** Does the entry of source `a` come before that of `b`? The loser's code is one against the winner then. */
  #wins(a: number, b: number): boolean {
    const codes = this.#codes;
    const difference = codes[a]! - codes[b]!;
    if (difference === 0) return this.#winsByKey(a, b);
    const loser = difference < 0 ? b : a;
    const source = this.#sources[loser]!;
    if (source.valid) {
      const winnerCode = codes[difference < 0 ? a : b]!;
      codes[loser] = codeBehind(codes[loser]!, winnerCode, source.key, source.keyStart, source.keyEnd);
    }
    return difference < 0;
  }

  #isBefore(i: number, j: number): boolean {
    return (compareHeads(this.#sources[i]!, this.#sources[j]!) || i - j) < 0;
  }

  #winsByKey(i: number, j: number): boolean {
    const a = this.#sources[i]!;
    const b = this.#sources[j]!;
    if (!a.valid || !b.valid) return a.valid;
    const known = sharedOf(this.#codes[i]!);
    const shared = sharedBytes(a.key, a.keyStart, a.keyEnd, b.key, b.keyStart, b.keyEnd, known);
    const aLength = a.keyEnd - a.keyStart;
    const bLength = b.keyEnd - b.keyStart;
    let order =
      shared < aLength && shared < bLength
        ? a.key[a.keyStart + shared]! - b.key[b.keyStart + shared]!
        : aLength - bLength;
    if (order === 0) order = b.sequence - a.sequence || i - j;
    const loser = order < 0 ? b : a;
    this.#codes[order < 0 ? j : i] = codeOf(loser.key, loser.keyStart, loser.keyEnd, shared);
    return order < 0;
  }
}

/** Internal order of the entries that two valid iterators stand at. */
export function compareHeads(a: EntryIterator, b: EntryIterator): number {
  const order = compareRanges(a.key, a.keyStart, a.keyEnd, b.key, b.keyStart, b.keyEnd);
  return order !== 0 ? order : b.sequence - a.sequence;
}
