/**
 * The keys of a job that have merges: gathers all versions of one behind the merge where the walk stands, and has them folded
 * (merge-fold.ts). One job, one thread.
 */
import { cloneRange, EMPTY } from '../base/bytes.ts';
import type { WrittenEntry } from '../base/entry.ts';
import type { CoverCursor } from '../base/range-tombstones.ts';
import type { OrderedMerge } from '../iterator/ordered-merge.ts';
import { kindFor, type Readers } from './drop.ts';
import type { KeyRanges } from './key-ranges.ts';
import { KeyVersions } from './key-versions.ts';
import { type FoldedVersion, foldVersions } from './merge-fold.ts';
import type { UserValues } from './user-values.ts';

export class MergeKeys {
  /** Of the key that was taken last: its versions, and their bytes with the key's. */
  count = 0;
  bytes = 0;
  readonly #readers: Readers;
  readonly #below: KeyRanges;
  readonly #user: UserValues;
  readonly #versions = new KeyVersions();
  #key = EMPTY;

  constructor(readers: Readers, below: KeyRanges, user: UserValues) {
    this.#readers = readers;
    this.#below = below;
    this.#user = user;
  }

  /** What stays of the key at which the source stands, from there on; the source is behind the key then. */
  take(source: OrderedMerge, newer: number, cover: CoverCursor | undefined): FoldedVersion[] {
    const versions = this.#versions;
    const readers = this.#readers;
    let entry = source.entry!;
    const { key, keyStart, keyEnd } = entry;
    this.#key = cloneRange(key, keyStart, keyEnd);
    versions.clear();
    for (;;) {
      versions.add(entry, kindFor(readers, entry.kind, entry.value, entry.valueStart));
      source.next();
      if (source.entry === undefined || !source.isSameKey) break;
      entry = source.entry;
    }
    this.count = versions.count;
    this.bytes = versions.starts[versions.count]! + versions.count * this.#key.length;
    const own = this.#key;
    return foldVersions(
      {
        key: own,
        versions,
        newer,
        readers,
        coverAt: (sequence) => cover?.coveringSequence(own, 0, own.length, sequence) ?? 0,
        nothingBelow: !this.#below.contains(own, 0, own.length),
      },
      this.#user,
    );
  }

  /** A version of that key, as it is written down. */
  entryOf({ sequence, kind, value }: FoldedVersion): WrittenEntry {
    const key = this.#key;
    const places = { keyStart: 0, keyEnd: key.length, valueStart: 0, valueEnd: value.length };
    return { key, sequence, kind, value, ...places };
  }
}
