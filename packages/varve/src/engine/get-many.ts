/**
 * Point reads of many keys at once: `pointGet` for a batch, source by source instead of key by key. The keys that are still
 * undecided go together through a memtable, the row cache, a file of level 0, a deeper level; in the tables their waits for
 * memory overlap and a cold block is read once (sstable/table-gets.ts). What comes out is what `pointGet` gives for each.
 *
 * Use: `keys.clear()`, `keys.add()` for each, `run`, then `values`, `valueStarts` and `valueEnds`. Values are not lent: they are
 * results for the caller (`ownResults`) or copies in memory that is reused by the next run. Codecs are user code and run
 * before and after, never in between; keys with operands of a merge operator, which is user code too, are only named (`merged`). One per database; one thread.
 */
import { cloneRange, copyRange, EMPTY } from '../base/bytes.ts';
import { PointResult } from '../base/entry.ts';
import { EXPIRY_BYTES, isExpired } from '../base/expiry.ts';
import { KIND_BLOB, KIND_MERGE, KIND_PUT_EXPIRY } from '../base/kinds.ts';
import type { RowCache } from '../cache/row-cache.ts';
import type { Memtable } from '../memtable/memtable.ts';
import { KeyBatch } from '../sstable/key-batch.ts';
import type { TableCache } from '../sstable/table-cache.ts';
import { type Finder, TableGets } from '../sstable/table-gets.ts';
import { loadValue } from './blob-values.ts';
import { resultCopy } from './codecs/result-copy.ts';
import { isLive, mayHold, memtableCover } from './get.ts';
import type { ReadView } from './read-view.ts';

const COPY_BYTES_MIN = 16 * 1024;
/** Memory for copies grows up to this; longer values get arrays of their own. */
const COPY_BYTES_MAX = 1024 * 1024;

export class ManyGets implements Finder {
  readonly keys: KeyBatch = new KeyBatch();
  /** Of each key the array that holds its value; undefined when there is none. */
  readonly values: (Uint8Array | undefined)[] = Array.from({ length: KeyBatch.KEYS_MAX }, () => undefined);
  readonly valueStarts: Int32Array = new Int32Array(KeyBatch.KEYS_MAX);
  readonly valueEnds: Int32Array = new Int32Array(KeyBatch.KEYS_MAX);
  /** Somebody is between `clear` and their last look at the values: codecs may come back here. */
  isBusy = false;
  readonly #tableGets = new TableGets(this.keys);
  /** Keys that no source has decided yet, ascending. */
  readonly #open = new Int32Array(KeyBatch.KEYS_MAX);
  #openCount = 0;
  readonly #isDecided = new Uint8Array(KeyBatch.KEYS_MAX);
  /** Of each key the highest range tombstone met so far. */
  readonly #covers = new Float64Array(KeyBatch.KEYS_MAX);
  readonly #asksRows = new Uint8Array(KeyBatch.KEYS_MAX);
  readonly #entry = new PointResult();
  #copies = EMPTY;
  #copied = 0;
  #ownResults = false;
  #time = 0;
  /** Of the run, for `found`. */
  #rows: RowCache | undefined;
  #versionId = 0;
  /** Keys of the run that have a reference instead of a value, in `values`. */
  readonly #referring: number[] = [];
  /** Keys of the run that have operands: who wants their values reads them one by one. */
  readonly merged: Set<number> = new Set();

  /**
   * Reads all keys at `sequence`; what has expired at `time` (stored clock) is absent. `seesAll` as for `pointGet`. With `ownResults` each value is a result of its own, to be
   * given away. ATOMIC: calls no user code.
   */
  run(
    view: ReadView,
    tables: TableCache,
    rows: RowCache,
    sequence: number,
    time: number,
    seesAll: boolean,
    ownResults: boolean,
  ): void {
    const { count } = this.keys;
    this.#ownResults = ownResults;
    this.#time = time;
    this.#copied = 0;
    this.#rows = undefined;
    this.#versionId = view.versionId;
    this.#referring.length = 0;
    if (this.merged.size > 0) this.merged.clear();
    for (let i = 0; i < count; i++) {
      this.values[i] = undefined;
      this.#isDecided[i] = 0;
      this.#covers[i] = 0;
      this.#open[i] = i;
    }
    this.#openCount = count;
    if (view.memtable !== undefined) this.#askMemtable(view.memtable, sequence);
    for (let i = 0; i < view.immutables.length; i++) this.#askMemtable(view.immutables[i]!, sequence);
    if (this.#openCount === 0 || view.version.levels.length === 0) return;
    this.keys.hash();
    this.#askRows(view.versionId, rows, sequence);
    if (seesAll) this.#rows = rows;
    this.#askLevels(view, tables, sequence);
    if (this.#referring.length > 0) this.#loadValues(view, tables);
  }

  /** Behind the search: reading a value may push out of the cache what the search still looks at. */
  #loadValues({ version }: ReadView, tables: TableCache): void {
    const { bytes, ends } = this.keys;
    const entry = this.#entry;
    for (const key of this.#referring) {
      const reference = this.values[key]!;
      this.values[key] = undefined;
      entry.value = reference;
      entry.valueStart = 0;
      entry.valueEnd = reference.length;
      loadValue(version, tables, bytes, ends[key]!, ends[key + 1]!, entry);
      this.#give(key, entry.value, entry.valueStart, entry.valueEnd);
    }
  }

  /** After the values were looked at: keeps none of them. */
  release(): void {
    this.values.fill(undefined);
    this.isBusy = false;
  }

  #askMemtable(memtable: Memtable, sequence: number): void {
    const { bytes, ends } = this.keys;
    for (let i = 0; i < this.#openCount; i++) {
      const key = this.#open[i]!;
      const start = ends[key]!;
      const end = ends[key + 1]!;
      this.#covers[key] = memtableCover(memtable, bytes, start, end, sequence, this.#covers[key]!);
      if (memtable.get(bytes, start, end, sequence, this.#entry)) this.found(key, this.#entry);
    }
    this.#leaveDecided();
  }

  #askRows(versionId: number, rows: RowCache, sequence: number): void {
    const { bytes, ends, lows, highs } = this.keys;
    for (let i = 0; i < this.#openCount; i++) {
      const key = this.#open[i]!;
      const asks = rows.asks();
      this.#asksRows[key] = asks ? 1 : 0;
      if (!asks) continue;
      const start = ends[key]!;
      const end = ends[key + 1]!;
      if (rows.find(versionId, lows[key]!, highs[key]!, bytes, start, end, sequence, this.#entry)) {
        this.found(key, this.#entry);
      }
    }
    this.#leaveDecided();
  }

  #askLevels(view: ReadView, tables: TableCache, sequence: number): void {
    const { bytes, ends } = this.keys;
    const { levels } = view.version;
    for (let level = 0; level < levels.length && this.#openCount > 0; level++) {
      const files = levels[level]!;
      if (level > 0) {
        const fences = view.fences[level]!;
        for (let i = 0; i < this.#openCount; i++) {
          const key = this.#open[i]!;
          const at = fences.find(bytes, ends[key]!, ends[key + 1]!);
          if (at < files.length) this.#askLater(key, tables, files[at]!, sequence);
        }
        this.#askTables(sequence);
        continue;
      }
      for (let at = 0; at < files.length && this.#openCount > 0; at++) {
        const file = files[at]!;
        for (let i = 0; i < this.#openCount; i++) {
          const key = this.#open[i]!;
          if (mayHold(file, bytes, ends[key]!, ends[key + 1]!)) this.#askLater(key, tables, file, sequence);
        }
        this.#askTables(sequence);
      }
    }
  }

  #askLater(
    key: number,
    tables: TableCache,
    file: ReadView['version']['levels'][number][number],
    sequence: number,
  ): void {
    const table = tables.get(file);
    if (table.rangeTombstones !== undefined) {
      const { bytes, ends } = this.keys;
      const covering = table.rangeTombstones.coveringSequence(bytes, ends[key]!, ends[key + 1]!, sequence);
      if (covering > this.#covers[key]!) this.#covers[key] = covering;
    }
    this.#tableGets.add(key, table);
  }

  #askTables(sequence: number): void {
    this.#tableGets.run(sequence, this);
    this.#leaveDecided();
  }

  /** The newest version of the key is here: it decides, whatever it is. */
  found(key: number, entry: PointResult): void {
    this.#isDecided[key] = 1;
    if (!isLive(entry, this.#covers[key]!)) return;
    if (entry.kind === KIND_MERGE) {
      this.merged.add(key);
      return;
    }
    const rows = this.#rows;
    if (rows !== undefined && this.#asksRows[key] === 1) {
      const { bytes, ends, lows, highs } = this.keys;
      rows.note(this.#versionId, lows[key]!, highs[key]!, bytes, ends[key]!, ends[key + 1]!, entry);
    }
    if (entry.kind === KIND_BLOB) {
      this.values[key] = cloneRange(entry.value, entry.valueStart, entry.valueEnd);
      this.#referring.push(key);
      return;
    }
    const { value, valueStart, valueEnd } = entry;
    if (entry.kind !== KIND_PUT_EXPIRY) this.#give(key, value, valueStart, valueEnd);
    else if (!isExpired(value, valueStart, this.#time)) {
      this.#give(key, value, valueStart + EXPIRY_BYTES, valueEnd);
    }
  }

  #give(key: number, value: Uint8Array, valueStart: number, valueEnd: number): void {
    if (this.#ownResults) this.values[key] = resultCopy(value, valueStart, valueEnd);
    else this.#copy(key, value, valueStart, valueEnd);
  }

  #copy(key: number, from: Uint8Array, start: number, end: number): void {
    const length = end - start;
    let at = this.#copied;
    if (at + length > this.#copies.length) {
      if (at + length > COPY_BYTES_MAX) {
        this.values[key] = cloneRange(from, start, end);
        this.valueStarts[key] = 0;
        this.valueEnds[key] = length;
        return;
      }
      // Values that were copied before stay where they are.
      this.#copies = new Uint8Array(Math.max(COPY_BYTES_MIN, 2 * (at + length)));
      at = 0;
    }
    copyRange(from, start, end, this.#copies, at);
    this.values[key] = this.#copies;
    this.valueStarts[key] = at;
    this.valueEnds[key] = at + length;
    this.#copied = at + length;
  }

  #leaveDecided(): void {
    const open = this.#open;
    let kept = 0;
    for (let i = 0; i < this.#openCount; i++) {
      const key = open[i]!;
      if (this.#isDecided[key] === 0) open[kept++] = key;
    }
    this.#openCount = kept;
  }
}
