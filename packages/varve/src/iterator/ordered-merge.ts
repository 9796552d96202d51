/**
 * The merge of a job: all entries of several sources in internal order, forward, once. Flush and compaction stand on it;
 * readers, who seek and turn, have iterator/merging.ts.
 *
 * With each entry comes how many bytes its key shares with the one before, which is known from the merge (iterator/loser-tree.ts)
 * and is what who writes a table needs next. One thread; an entry is lent by its source until `next`.
 */
import { sharedPrefix } from '../base/bytes.ts';
import { type EntryIterator, SEQUENCE_MAX } from '../base/entry.ts';
import { LoserTree } from './loser-tree.ts';

export class OrderedMerge {
  /** The source that stands at the current entry; undefined at the end. */
  entry: EntryIterator | undefined;
  /** How many bytes the current key shares with the one before; 0 at the first. */
  shared = 0;
  /** Is it the same user key as the one before? */
  isSameKey = false;
  readonly #sources: readonly EntryIterator[];
  readonly #tree: LoserTree;

  /** @param sources newest first */
  constructor(sources: readonly EntryIterator[]) {
    this.#sources = sources;
    this.#tree = new LoserTree(sources);
  }

  /** To the first entry of all, or of those whose key is at or above `from`. */
  first(from?: Uint8Array): void {
    if (this.#sources.length === 0) return;
    for (const source of this.#sources) {
      if (from === undefined) source.first();
      else source.seek(from, 0, from.length, SEQUENCE_MAX);
    }
    this.#tree.build();
    const source = this.#sources[this.#tree.winner]!;
    this.entry = source.valid ? source : undefined;
    this.shared = 0;
    this.isSameKey = false;
  }

  /** To the next entry; only while there is a current one. */
  next(): void {
    const tree = this.#tree;
    const left = this.entry!;
    tree.leave(left);
    left.next();
    if (this.#sources.length === 1) {
      this.#showOnly(left);
      return;
    }
    tree.replay();
    const source = this.#sources[tree.winner]!;
    if (!source.valid) {
      this.entry = undefined;
      return;
    }
    this.entry = source;
    this.#showShared(source, tree.sharedWith(source));
  }

  /** Where there is nobody to play against a key needs no code. */
  #showOnly(source: EntryIterator): void {
    if (!source.valid) {
      this.entry = undefined;
      return;
    }
    const { key, keyStart, keyEnd } = source;
    const { last, lastLength } = this.#tree;
    this.#showShared(source, sharedPrefix(last, 0, lastLength, key, keyStart, keyEnd));
  }

  #showShared(source: EntryIterator, shared: number): void {
    this.shared = shared;
    this.isSameKey = shared === this.#tree.lastLength && shared === source.keyEnd - source.keyStart;
  }
}
