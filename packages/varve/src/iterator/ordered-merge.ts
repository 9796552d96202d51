/**
 * The merge of a job: all entries of several sources in internal order, forward, once. Flush and compaction stand on it;
 * readers, who seek and turn, have iterator/merging.ts.
 *
 * A tree of losers whose keys are compared as offset-value codes (base/offset-value.ts). Every key but the winner's is coded
 * against the key that was shown last, so a step costs one comparison of a key with the one before it, and then one of
 * two integers on each level of the tree; keys are compared only where codes are equal. What falls out is how many
 * bytes each key shares with the one before: who writes a table needs that next.
 *
 * Invariants: (1) `#codes[i]` of a source that lost is the code of its key against the winner it lost to, and the winners
 * on the way from that place to the root have passed it since: on the path of the last winner all codes are against
 * the key shown last. (2) Of two sources with the same (key, sequence) the one given first comes first.
 * One thread; an entry is lent by its source until `next`.
 */
import { copyRange, sharedPrefix } from '../base/bytes.ts';
import { type EntryIterator, SEQUENCE_MAX } from '../base/entry.ts';
import { CODE_MAX, codeBehind, codeFromHead, codeOf, sharedBytes, sharedOf } from '../base/offset-value.ts';

export class OrderedMerge {
  /** The source that stands at the current entry; undefined at the end. */
  entry: EntryIterator | undefined;
  /** How many bytes the current key shares with the one before; 0 at the first. */
  shared = 0;
  /** Is it the same user key as the one before? */
  isSameKey = false;
  readonly #sources: readonly EntryIterator[];
  readonly #codes: Int32Array;
  /** From 1 on: who lost at each place, the children of n at 2n and 2n + 1, source i below (i + count) / 2. */
  readonly #losers: Int32Array;
  #winner = 0;
  /** The key shown last. */
  #last: Uint8Array = new Uint8Array(256);
  #lastLength = 0;

  /** @param sources newest first */
  constructor(sources: readonly EntryIterator[]) {
    this.#sources = sources;
    this.#codes = new Int32Array(sources.length);
    this.#losers = new Int32Array(Math.max(1, sources.length));
  }

  /** To the first entry of all, or of those whose key is at or above `from`. */
  first(from?: Uint8Array): void {
    const count = this.#sources.length;
    if (count === 0) return;
    for (let i = 0; i < count; i++) {
      const source = this.#sources[i]!;
      if (from === undefined) source.first();
      else source.seek(from, 0, from.length, SEQUENCE_MAX);
      this.#codes[i] = source.valid ? codeFromHead(source.key, source.keyStart, source.keyEnd) : CODE_MAX;
    }
    this.#winner = count === 1 ? 0 : this.#play(1);
    this.#show(0, false);
  }

  /** To the next entry; only while there is a current one. */
  next(): void {
    const winner = this.#winner;
    const source = this.entry!;
    this.#keep(source);
    source.next();
    if (this.#codes.length === 1) {
      this.#showOnly(source);
      return;
    }
    let code = CODE_MAX;
    if (source.valid) {
      const shared = sharedBytes(
        source.key,
        source.keyStart,
        source.keyEnd,
        this.#last,
        0,
        this.#lastLength,
        0,
      );
      code = codeOf(source.key, source.keyStart, source.keyEnd, shared);
    }
    this.#codes[winner] = code;
    this.#winner = this.#replay(winner);
    this.#showNext();
  }

  /** The winner among the sources below a place, when nobody has played there yet. */
  #play(place: number): number {
    const count = this.#sources.length;
    if (place >= count) return place - count;
    const left = this.#play(2 * place);
    const right = this.#play(2 * place + 1);
    const leftWins = this.#wins(left, right);
    this.#losers[place] = leftWins ? right : left;
    return leftWins ? left : right;
  }

  /** The last winner has a new entry: it plays against those that lost on its way to the root. */
  #replay(source: number): number {
    const losers = this.#losers;
    const codes = this.#codes;
    let winner = source;
    for (let place = (source + this.#sources.length) >>> 1; place > 0; place >>>= 1) {
      const other = losers[place]!;
      const difference = codes[other]! - codes[winner]!;
      // Codes that differ early leave that of the loser as it is.
      if (difference >= 0x1000000) continue;
      if (this.#wins(winner, other)) continue;
      losers[place] = winner;
      winner = other;
    }
    return winner;
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

  #keep(source: EntryIterator): void {
    const { key, keyStart, keyEnd } = source;
    const length = keyEnd - keyStart;
    if (length > this.#last.length) this.#last = new Uint8Array(2 * length);
    copyRange(key, keyStart, keyEnd, this.#last, 0);
    this.#lastLength = length;
  }

  /** Shows the winner, whose code is against the key shown last. */
  #showNext(): void {
    const source = this.#sources[this.#winner]!;
    if (!source.valid) {
      this.entry = undefined;
      return;
    }
    const code = this.#codes[this.#winner]!;
    const length = source.keyEnd - source.keyStart;
    const limit = length < this.#lastLength ? length : this.#lastLength;
    let shared = sharedOf(code);
    if (code === 0) {
      // They share so much that the code can not say how much.
      const last = this.#last;
      while (shared < limit && source.key[source.keyStart + shared] === last[shared]) shared++;
    }
    if (shared > limit) shared = limit;
    this.#show(shared, shared === length && length === this.#lastLength);
  }

  /** The same where there is nobody to play against. */
  #showOnly(source: EntryIterator): void {
    if (!source.valid) {
      this.entry = undefined;
      return;
    }
    const { key, keyStart, keyEnd } = source;
    const lastLength = this.#lastLength;
    const shared = sharedPrefix(this.#last, 0, lastLength, key, keyStart, keyEnd);
    this.shared = shared;
    this.isSameKey = shared === lastLength && shared === keyEnd - keyStart;
  }

  #show(shared: number, isSameKey: boolean): void {
    const source = this.#sources[this.#winner]!;
    this.entry = source.valid ? source : undefined;
    this.shared = shared;
    this.isSameKey = isSameKey;
  }
}
