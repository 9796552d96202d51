/**
 * Test helper: a small tree of real memtables and real tables on the memory file system, driven through the real jobs, and
 * beside it the plain list of all operations, from which the state at any sequence can be told.
 */
import { SegmentPool } from '../arena/segment-pool.ts';
import { compareBytes } from '../base/bytes.ts';
import type { EntryIterator } from '../base/entry.ts';
import { expiryOf, withTtl } from '../base/expiry.ts';
import { KIND_DELETE, KIND_PUT, KIND_PUT_EXPIRY, KIND_RANGE_DELETE } from '../base/kinds.ts';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import { inDirectory, tableName } from '../fs/file-names.ts';
import type { FileSystem } from '../fs/file-system.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { ConcatIterator, type KeyBounds } from '../iterator/concat.ts';
import { mergeIterators } from '../iterator/merging.ts';
import { VisibleIterator } from '../iterator/visible.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import type { Memtable } from '../memtable/memtable.ts';
import { SkipList } from '../memtable/skiplist.ts';
import { TableReader } from '../sstable/reader.ts';
import { type CompactionInput, compactionJob } from './compaction-job.ts';
import { type FlushInput, flushJob } from './flush-job.ts';
import type { JobEnv, JobOutput, TableSettings } from './job.ts';

export const DIRECTORY = '/db';
const LEVELS = 4;

export interface Operation {
  sequence: number;
  kind: number;
  key: string;
  /** Value, or the end of a range delete. */
  value: string;
  /** When a put expires. */
  expiry?: number;
}

const text = new TextEncoder();
const decoder = new TextDecoder();

export const smallTables: TableSettings = {
  blockBytes: 128,
  filterBitsPerKey: 10,
  filterPrefixBytes: 0,
  compression: 'none',
  tableBytesMax: 900,
};

/** Runs a job to its end. */
export function finish<T>(job: Generator<void, T>): T {
  for (;;) {
    const step = job.next();
    if (step.done === true) return step.value;
  }
}

export class TestTree {
  readonly fs: FileSystem;
  readonly pool = new SegmentPool(4 * 1024 * 1024);
  readonly fileNumbers = new SharedArrayBuffer(8);
  readonly operations: Operation[] = [];
  /** Newest first. */
  memtables: Memtable[] = [];
  /** Level 0 newest first. */
  levels: FileMeta[][] = Array.from({ length: LEVELS }, () => []);
  registered: number[] = [];
  /** Snapshots that also have a time; the others read by `time`. */
  timed: { readonly sequence: number; readonly time: number }[] = [];
  /** The stored clock. */
  time = 0;
  /** So many versions of a key stay. */
  versions = 0;
  /** Undefined: no history is kept. */
  historyFloor: number | undefined;
  sequence = 0;
  table: TableSettings = smallTables;
  readonly env: JobEnv;

  constructor(fs: FileSystem = new MemoryFs()) {
    this.fs = fs;
    fs.makeDirectory(DIRECTORY);
    new BigInt64Array(this.fileNumbers)[0] = 1n;
    let ids = 0;
    this.env = { fs, cancelled: () => false, uniqueId: () => new Uint8Array(16).fill(++ids) };
  }

  /** One batch of one operation. */
  write(kind: number, key: string, value = '', expiry?: number): void {
    const sequence = ++this.sequence;
    this.memtables[0] ??= new SkipList(this.pool);
    this.operations.push({ sequence, kind, key, value, ...(expiry !== undefined && { expiry }) });
    const k = text.encode(key);
    const v = expiry === undefined ? text.encode(value) : withTtl(text.encode(value), expiry);
    if (!this.memtables[0].reserve(k.length + v.length, 1)) throw new Error('the pool is too small');
    this.memtables[0].add(sequence, kind, k, 0, k.length, v, 0, v.length);
  }

  put(key: string, value = `${key}#${this.sequence + 1}`): void {
    this.write(KIND_PUT, key, value);
  }

  /** Is gone at `expiry`. */
  putUntil(key: string, expiry: number, value = `${key}#${this.sequence + 1}`): void {
    this.write(KIND_PUT_EXPIRY, key, value, expiry);
  }

  delete(key: string): void {
    this.write(KIND_DELETE, key);
  }

  deleteRange(from: string, to: string): void {
    this.write(KIND_RANGE_DELETE, from, to);
  }

  rotate(): void {
    this.memtables.unshift(new SkipList(this.pool));
  }

  /** Registered sequences, ascending, as jobs get them. */
  get #sequences(): number[] {
    const timed = this.timed.map(({ sequence }) => sequence);
    return [...this.registered, ...timed].sort((a, b) => a - b);
  }

  get #readerTime(): number {
    return Math.min(this.time, ...this.timed.map(({ time }) => time));
  }

  get floor(): number {
    return this.historyFloor ?? this.sequence;
  }

  flushInput(): FlushInput {
    return {
      newestTime: 1000,
      directory: DIRECTORY,
      keyspace: 1,
      memtables: this.memtables.toReversed().map((memtable) => memtable.handle()),
      table: this.table,
      registered: this.#sequences,
      historyFloor: this.floor,
      readerTime: this.#readerTime,
      versions: this.versions,
      nothingBelow: this.levels.every((files) => files.length === 0),
      fileNumbers: this.fileNumbers,
    };
  }

  flush(): JobOutput {
    const output = finish(flushJob(this.flushInput(), this.env));
    this.levels[0]!.unshift(...output.files);
    for (const memtable of this.memtables) memtable.release();
    this.memtables = [];
    return output;
  }

  /** Compacts from a level to the next one, starting from one file (all of them when the level is 0). */
  compactionInput(level: number, pick: number): CompactionInput {
    let upper = level === 0 ? this.levels[0]! : [this.levels[level]![pick]!];
    const lower = this.levels[level + 1]!.filter((file) => upper.some((other) => overlap(file, other)));
    if (level === 0) upper = [...upper];
    return {
      directory: DIRECTORY,
      keyspace: 1,
      inputs: [
        { level, files: upper },
        { level: level + 1, files: lower },
      ],
      outputLevel: level + 1,
      table: this.table,
      registered: this.#sequences,
      historyFloor: this.floor,
      readerTime: this.#readerTime,
      versions: this.versions,
      below: this.levels.slice(level + 2).flat(),
      grandparents: this.levels[level + 2] ?? [],
      fileNumbers: this.fileNumbers,
    };
  }

  compact(level: number, pick: number): JobOutput {
    const input = this.compactionInput(level, pick);
    const output = finish(compactionJob(input, this.env));
    const gone = new Set(input.inputs.flatMap(({ files }) => files.map((file) => file.number)));
    this.levels = this.levels.map((files) => files.filter((file) => !gone.has(file.number)));
    this.levels[level + 1] = [...this.levels[level + 1]!, ...output.files].toSorted((a, b) =>
      compareBytes(a.smallestKey, b.smallestKey),
    );
    for (const number of gone) this.fs.remove(inDirectory(DIRECTORY, tableName(number)));
    return output;
  }

  open(file: FileMeta): TableReader {
    const path = inDirectory(DIRECTORY, tableName(file.number));
    return TableReader.open({ fs: this.fs, path, fileNumber: file.number, uniqueId: file.uniqueId });
  }

  /** What a reader at the sequence finds in the tree, as `key=value`. */
  found(reader: number, time: number = this.time): string[] {
    const opened: TableReader[] = [];
    const sources: EntryIterator[] = this.memtables.map((memtable) => memtable.iterator());
    const tombstones = this.memtables.map((memtable) => memtable.rangeTombstones());
    const openTable = (file: FileMeta): TableReader => {
      const table = this.open(file);
      opened.push(table);
      return table;
    };
    this.levels.forEach((files, level) => {
      for (const file of files) tombstones.push(openTable(file).rangeTombstones);
      if (level === 0) sources.push(...files.map((file) => openTable(file).iterator()));
      else sources.push(new ConcatIterator(files, (index) => openTable(files[index]!).iterator()));
    });
    const it = new VisibleIterator(mergeIterators(sources), {
      snapshot: reader,
      time,
      tombstones: FragmentedTombstones.merge(tombstones.filter((set) => set !== undefined)),
    });
    const pairs: string[] = [];
    for (it.first(); it.valid; it.next()) {
      const key = decoder.decode(it.key.slice(it.keyStart, it.keyEnd));
      pairs.push(`${key}=${decoder.decode(it.value.slice(it.valueStart, it.valueEnd))}`);
    }
    for (const table of opened) table.close();
    return pairs;
  }

  /** The same by replaying the operations. */
  expected(reader: number, time: number = this.time): string[] {
    const state = new Map<string, string>();
    for (const { sequence, kind, key, value, expiry } of this.operations) {
      if (sequence > reader) break;
      if (kind === KIND_PUT || (kind === KIND_PUT_EXPIRY && expiry! > time)) state.set(key, value);
      else if (kind !== KIND_RANGE_DELETE) state.delete(key);
      else for (const at of state.keys()) if (key <= at && at < value) state.delete(at);
    }
    return [...state.keys()].toSorted().map((key) => `${key}=${state.get(key)}`);
  }

  /** What is wrong: a reader that does not find its state, a file that is not where and what its metadata says. */
  problems(): string[] {
    const problems: string[] = [];
    const readers = new Set([...this.#sequences, this.sequence]);
    for (let at = this.floor; at < this.sequence; at += 3) readers.add(at);
    const points = [
      ...[...readers].flatMap((sequence) => [
        { sequence, time: this.time },
        { sequence, time: this.time + 7 },
      ]),
      ...this.timed,
    ];
    for (const { sequence, time } of points) {
      const found = this.found(sequence, time).join(' ');
      const expected = this.expected(sequence, time).join(' ');
      if (found !== expected) {
        problems.push(`a reader at ${sequence}, time ${time}, finds ${found} and not ${expected}`);
      }
    }
    for (const file of this.levels.flat()) problems.push(...this.#fileProblems(file));
    for (const files of this.levels.slice(1)) {
      for (let i = 1; i < files.length; i++) {
        if (overlap(files[i - 1]!, files[i]!))
          problems.push(`file ${files[i]!.number} overlaps the one before`);
      }
    }
    const names = this.levels.flat().map((file) => tableName(file.number));
    const listed = this.fs.list(DIRECTORY);
    if (listed.join() !== names.toSorted().join()) problems.push(`the directory holds ${listed.join()}`);
    return problems;
  }

  #fileProblems(file: FileMeta): string[] {
    const table = this.open(file);
    const wrong: string[] = [];
    const it = table.iterator();
    let entries = 0;
    let expiring = 0;
    for (it.first(); it.valid; it.next()) {
      entries++;
      if (it.kind === KIND_PUT_EXPIRY) {
        expiring++;
        const at = expiryOf(it.value, it.valueStart);
        const { earliestExpiry, latestExpiry } = file.expiry ?? { earliestExpiry: Infinity, latestExpiry: 0 };
        if (at < earliestExpiry || at > latestExpiry) wrong.push(`it expires at ${at}, out of bounds`);
      }
      if (!holds(file, it.key.slice(it.keyStart, it.keyEnd))) wrong.push('key out of bounds');
      if (it.sequence < file.smallestSequence || it.sequence > file.largestSequence) {
        wrong.push('sequence out of bounds');
      }
    }
    if (entries !== file.entries) wrong.push(`${entries} entries`);
    if (expiring !== (file.expiry?.expiring ?? 0)) wrong.push(`${expiring} entries that expire`);
    if ((table.rangeTombstones?.count ?? 0) !== file.rangeTombstones) wrong.push('range tombstones');
    const bounds = table.rangeTombstones?.bounds;
    if (bounds !== undefined) {
      if (!holds(file, bounds.start)) wrong.push('range tombstone starts out of bounds');
      if (compareBytes(bounds.end, file.largestKey) > 0) wrong.push('range tombstone ends out of bounds');
    }
    table.close();
    return wrong.map((problem) => `file ${file.number}: ${problem}`);
  }
}

function holds(file: KeyBounds, key: Uint8Array): boolean {
  const order = compareBytes(key, file.largestKey);
  return compareBytes(file.smallestKey, key) <= 0 && (file.largestExclusive ? order < 0 : order <= 0);
}

function overlap(a: KeyBounds, b: KeyBounds): boolean {
  return startsWithin(a, b) && startsWithin(b, a);
}

/** a begins at or before the end of b. */
function startsWithin(a: KeyBounds, b: KeyBounds): boolean {
  const order = compareBytes(a.smallestKey, b.largestKey);
  return b.largestExclusive ? order < 0 : order <= 0;
}
