/**
 * What a serializable transaction has read: keys, there or not, and ranges as far as they were walked. Before it commits,
 * each of them has to be as it was: then all its reads could have been made at the moment of the commit, which is where it
 * stands in the order of all transactions.
 *
 * Keys are kept as bytes, one behind the other, and numbers; nothing is allocated for one.
 */
import { cloneRange, compareBytes, copyRange, EMPTY } from '../base/bytes.ts';
import { ownBytes, ownNumbers } from '../base/write-memory.ts';
import { invalid } from '../base/errors.ts';
import { holdsExpiring, keyChangedSince, rangeChangedSince, rangeExpires } from '../engine/changed-since.ts';
import type { ReadPoint } from '../engine/read-point.ts';
import type { EngineState } from '../engine/state.ts';
import type { Tree } from '../engine/tree.ts';
import { PointResult } from '../base/entry.ts';
import type { LockedKeys } from '../record/prepared.ts';
import { KIND_MERGE } from '../base/kinds.ts';
import { mergeBaseExpires } from '../engine/merging/merged-value.ts';

const FIRST_BYTES = 256;
const FIRST_KEYS = 16;
/** What is kept for the next transaction. */
const KEPT_MAX = 1024;
const KEPT_BYTES_MAX = 64 * 1024;

export interface Conflict {
  readonly tree: Tree;
  readonly key: Uint8Array;
  /** At which somebody else wrote it; undefined: it has expired. */
  readonly sequence: number | undefined;
}

/** Something in [from, to), or `from` alone, that was written after `since`; undefined when nothing was. With the write lock. */
export function spanChangedSince(
  tree: Tree,
  from: Uint8Array,
  to: Uint8Array | undefined,
  since: number,
): Conflict | undefined {
  if (to !== undefined) {
    const changed = rangeChangedSince(tree, { lower: from, upper: to }, since);
    return changed === undefined ? undefined : { tree, ...changed };
  }
  const sequence = keyChangedSince(tree, from, 0, from.length, since);
  return sequence === 0 ? undefined : { tree, key: from, sequence };
}

/** A range that was read, or is being read: whoever walks it sets how far. */
export interface RangeRead {
  readonly tree: Tree;
  lower: Uint8Array | undefined;
  upper: Uint8Array | undefined;
  /** Nothing was learnt of it. */
  isNothing: boolean;
}

interface LockedRange extends LockedKeys {
  /** Undefined: to the end of the keyspace. */
  readonly to: Uint8Array | undefined;
}

export class ReadSet {
  #bytes = new Uint8Array(FIRST_BYTES);
  #length = 0;
  /** Of each key its length, and which of the trees it is of. */
  #keys = new Int32Array(2 * FIRST_KEYS);
  #count = 0;
  /** Each keyspace of which a key was read, once: mostly one. */
  #trees: Tree[] = [];
  #ranges: RangeRead[] = [];
  readonly #found = new PointResult();

  /** @throws invalid `KEYSPACE_DROPPED` for a keyspace that was read */
  checkTrees(): void {
    const gone = this.#findTree(({ isDropped }) => isDropped);
    if (gone === undefined) return;
    const message = `keyspace '${gone.name}', which the transaction has read, was dropped`;
    throw invalid('KEYSPACE_DROPPED', message, { keyspace: gone.name });
  }

  /** Can anything that was read expire? */
  mayExpire({ hasExpiring, access }: EngineState): boolean {
    return hasExpiring || access !== undefined || this.#findTree(holdsExpiring) !== undefined;
  }

  /** A keyspace that was read and is so. */
  #findTree(is: (tree: Tree) => boolean): Tree | undefined {
    for (const tree of this.#trees) if (is(tree)) return tree;
    for (const { tree } of this.#ranges) if (is(tree)) return tree;
    return undefined;
  }

  addKey(tree: Tree, key: Uint8Array): void {
    const end = this.#length + key.length;
    if (end > this.#bytes.length) this.#growBytes(end);
    if (2 * this.#count === this.#keys.length) this.#growKeys();
    copyRange(key, 0, key.length, this.#bytes, this.#length);
    this.#length = end;
    this.#keys[2 * this.#count] = key.length;
    this.#keys[2 * this.#count + 1] = this.#indexOf(tree);
    this.#count++;
  }

  addRange(range: RangeRead): void {
    this.#ranges.push(range);
  }

  /** What was read, as keys and ranges to lock; ranges that meet are one, so who walks one queue often locks it once. */
  *spans(): Generator<LockedKeys, void> {
    let start = 0;
    for (let i = 0; i < this.#count; i++) {
      const { id: keyspaceId } = this.#treeAt(i);
      const end = start + this.#keys[2 * i]!;
      yield { keyspaceId, from: cloneRange(this.#bytes, start, end), to: 'key' };
      start = end;
    }
    let last: LockedRange | undefined;
    for (const range of this.#rangesInOrder()) {
      const { keyspaceId, from, to } = range;
      const meets =
        last !== undefined &&
        last.keyspaceId === keyspaceId &&
        (last.to === undefined || compareBytes(from, last.to) <= 0);
      if (!meets) {
        if (last !== undefined) yield last;
        last = range;
      } else if (last!.to !== undefined && (to === undefined || compareBytes(to, last!.to) > 0)) {
        last = { keyspaceId, from: last!.from, to };
      }
    }
    if (last !== undefined) yield last;
  }

  #rangesInOrder(): LockedRange[] {
    return this.#ranges
      .filter(({ isNothing }) => !isNothing)
      .map(({ tree, lower, upper }) => ({ keyspaceId: tree.id, from: lower ?? EMPTY, to: upper }))
      .sort((a, b) => a.keyspaceId - b.keyspaceId || compareBytes(a.from, b.from));
  }

  clear(): void {
    this.#length = 0;
    this.#count = 0;
    // Not by its length: that would give its memory back.
    while (this.#trees.length > 0) this.#trees.pop();
    if (this.#keys.length > 2 * KEPT_MAX) this.#keys = new Int32Array(2 * FIRST_KEYS);
    if (this.#ranges.length > 0) this.#ranges = [];
    if (this.#bytes.length > KEPT_BYTES_MAX) this.#bytes = new Uint8Array(FIRST_BYTES);
  }

  /** Something read that somebody else has written since; undefined when there is nothing. With the write lock. */
  changedSince(sequence: number): Conflict | undefined {
    let start = 0;
    for (let i = 0; i < this.#count; i++) {
      const end = start + this.#keys[2 * i]!;
      const tree = this.#treeAt(i);
      const changed = keyChangedSince(tree, this.#bytes, start, end, sequence);
      if (changed > 0) return { tree, key: cloneRange(this.#bytes, start, end), sequence: changed };
      start = end;
    }
    for (const { tree, lower, upper, isNothing } of this.#ranges) {
      if (isNothing) continue;
      const changed = rangeChangedSince(tree, { lower, upper }, sequence);
      if (changed !== undefined) return { tree, ...changed };
    }
    return undefined;
  }

  /** Something read at the point that has expired by `now`. */
  expiredSince({ sequence, time }: ReadPoint, now: number): Conflict | undefined {
    if (now === time) return undefined;
    let start = 0;
    for (let i = 0; i < this.#count; i++) {
      const end = start + this.#keys[2 * i]!;
      const tree = this.#treeAt(i);
      if (tree.get(this.#bytes, start, end, sequence, this.#found, time)) {
        const key = cloneRange(this.#bytes, start, end);
        const expires =
          this.#found.kind === KIND_MERGE
            ? mergeBaseExpires(tree, key, sequence, time, now)
            : !tree.get(this.#bytes, start, end, sequence, this.#found, now);
        if (expires) return { tree, key, sequence: undefined };
      }
      start = end;
    }
    for (const { tree, lower, upper, isNothing } of this.#ranges) {
      if (isNothing) continue;
      const key = rangeExpires(tree, { lower, upper }, time, now);
      if (key !== undefined) return { tree, key, sequence: undefined };
    }
    return undefined;
  }

  #treeAt(key: number): Tree {
    return this.#trees[this.#keys[2 * key + 1]!]!;
  }

  #indexOf(tree: Tree): number {
    if (this.#trees[0] === tree) return 0;
    const index = this.#trees.indexOf(tree);
    return index < 0 ? this.#trees.push(tree) - 1 : index;
  }

  #growBytes(wanted: number): void {
    const larger = ownBytes(Math.max(wanted, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }

  #growKeys(): void {
    const larger = ownNumbers(this.#keys.length * 2);
    larger.set(this.#keys);
    this.#keys = larger;
  }
}
