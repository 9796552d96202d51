/**
 * The operands of a key for one reader, from the newest down to what they stand on: a put, a delete, or nothing.
 *
 * The slow way behind a point read that has ended at operands. It asks the sources of the view in the same order, newest
 * first, and goes on in each of them as long as it has older versions of the key: through memtables, which may hold very many,
 * by a walk; in tables, which hold few (flush and compaction join them), by further gets. Copies all that it takes: what
 * comes next is user code. Any thread, over its own tables.
 */
import { cloneRange, compareRanges } from '../../base/bytes.ts';
import { PointResult } from '../../base/entry.ts';
import { EXPIRY_BYTES, expiryOf } from '../../base/expiry.ts';
import { hashHigh, hashKey } from '../../base/hash.ts';
import { KIND_BLOB, KIND_DELETE, KIND_MERGE, KIND_PUT_EXPIRY } from '../../base/kinds.ts';
import { copyNewestFirst } from '../../base/operands.ts';
import type { FileMeta } from '../../manifest/file-meta.ts';
import type { Memtable } from '../../memtable/memtable.ts';
import type { TableCache } from '../../sstable/table-cache.ts';
import { loadValue } from '../blob-values.ts';
import { mayHold, memtableCover } from '../get.ts';
import type { ReadView } from '../read-view.ts';

/** What is known of older states of a key. */
interface Known {
  find(key: Uint8Array, sequence: number): Uint8Array | undefined;
}

export class MergeChain {
  /** The newest first. */
  readonly operands: Uint8Array[] = [];
  /** What they stand on; undefined: nothing. */
  existing: Uint8Array | undefined;
  /** When that expires, or expired; undefined: never. */
  expiry: number | undefined;
  readonly #view: ReadView;
  readonly #tables: TableCache;
  readonly #key: Uint8Array;
  readonly #sequence: number;
  readonly #time: number;
  readonly #known: Known;
  readonly #entry = new PointResult();
  #cover = 0;

  /** For a reader at `sequence` and `time`. */
  constructor(
    view: ReadView,
    tables: TableCache,
    key: Uint8Array,
    sequence: number,
    time: number,
    known: Known,
  ) {
    this.#view = view;
    this.#tables = tables;
    this.#key = key;
    this.#sequence = sequence;
    this.#time = time;
    this.#known = known;
    this.#collect();
  }

  #collect(): void {
    const { memtable, immutables, version, fences } = this.#view;
    if (memtable !== undefined && this.#takeMemtable(memtable)) return;
    for (const each of immutables) if (this.#takeMemtable(each)) return;
    const key = this.#key;
    for (const [level, files] of version.levels.entries()) {
      if (files.length === 0) continue;
      if (level === 0) {
        for (const file of files) if (mayHold(file, key, 0, key.length) && this.#takeTable(file)) return;
        continue;
      }
      const file = files[fences[level]!.find(key, 0, key.length)];
      if (file !== undefined && this.#takeTable(file)) return;
    }
  }

  #takeMemtable(memtable: Memtable): boolean {
    const key = this.#key;
    const entry = this.#entry;
    this.#cover = memtableCover(memtable, key, 0, key.length, this.#sequence, this.#cover);
    if (!memtable.get(key, 0, key.length, this.#sequence, entry)) return false;
    if (this.#take(entry)) return true;
    if (entry.sequence === 0) return false;
    const walk = memtable.iterator();
    walk.seek(key, 0, key.length, entry.sequence - 1);
    for (; walk.valid; walk.next()) {
      if (compareRanges(walk.key, walk.keyStart, walk.keyEnd, key, 0, key.length) !== 0) return false;
      if (this.#take(walk)) return true;
    }
    return false;
  }

  #takeTable(file: FileMeta): boolean {
    const key = this.#key;
    const entry = this.#entry;
    const table = this.#tables.get(file);
    const covering = table.rangeTombstones?.coveringSequence(key, 0, key.length, this.#sequence) ?? 0;
    if (covering > this.#cover) this.#cover = covering;
    const hash = hashKey(key, 0, key.length);
    const high = hashHigh[0]!;
    let sequence = this.#sequence;
    while (sequence >= 0 && table.get(key, 0, key.length, hash, high, sequence, entry)) {
      if (this.#take(entry)) return true;
      sequence = entry.sequence - 1;
    }
    return false;
  }

  /** Takes the next older version; true when there is nothing to look for behind it. */
  #take(entry: Pick<PointResult, 'kind' | 'sequence' | 'value' | 'valueStart' | 'valueEnd'>): boolean {
    const { kind, sequence, value, valueStart, valueEnd } = entry;
    if (sequence < this.#cover || kind === KIND_DELETE) return true;
    if (kind === KIND_MERGE) {
      this.existing = this.#known.find(this.#key, sequence);
      if (this.existing !== undefined) return true;
      copyNewestFirst(value, valueStart, valueEnd, this.operands);
      return false;
    }
    if (kind === KIND_BLOB) {
      const found = this.#entry;
      found.value = value;
      found.valueStart = valueStart;
      found.valueEnd = valueEnd;
      loadValue(this.#view.version, this.#tables, this.#key, 0, this.#key.length, found);
      this.existing = cloneRange(found.value, found.valueStart, found.valueEnd);
      return true;
    }
    if (kind !== KIND_PUT_EXPIRY) this.existing = cloneRange(value, valueStart, valueEnd);
    else {
      this.expiry = expiryOf(value, valueStart);
      if (this.expiry > this.#time) this.existing = cloneRange(value, valueStart + EXPIRY_BYTES, valueEnd);
    }
    return true;
  }
}
