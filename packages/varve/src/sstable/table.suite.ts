/**
 * What the tests of this folder share: building tables from plain entries, and the sorted model to compare them with.
 */
import { compareBytes } from '../base/bytes.ts';
import { type EntryIterator, PointResult } from '../base/entry.ts';
import { hashHigh, hashKey } from '../base/hash.ts';
import { KIND_DELETE, KIND_PUT } from '../base/kinds.ts';
import type { Random } from '../base/random.ts';
import type { FragmentedTombstones } from '../base/range-tombstones.ts';
import type { FileSystem } from '../fs/file-system.ts';
import { writeFully } from '../fs/file-system.ts';
import type { TableReader } from './reader.ts';
import { type TableSummary, TableWriter, type TableWriterOptions } from './writer.ts';

export interface Entry {
  readonly key: Uint8Array;
  readonly sequence: number;
  readonly kind: number;
  readonly value: Uint8Array;
}

export const TABLE_ID: Uint8Array = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i);

const utf8 = new TextEncoder();

export function bytesOf(text: string): Uint8Array {
  return utf8.encode(text);
}

export function put(key: string, sequence: number, value: string): Entry {
  return { key: bytesOf(key), sequence, kind: KIND_PUT, value: bytesOf(value) };
}

export function del(key: string, sequence: number): Entry {
  return { key: bytesOf(key), sequence, kind: KIND_DELETE, value: new Uint8Array(0) };
}

/** Internal order. */
export function compareEntries(a: Entry, b: Entry): number {
  return compareBytes(a.key, b.key) || b.sequence - a.sequence;
}

export interface EntryShape {
  readonly keys: number;
  /** Distinct first bytes and the like: smaller gives more shared prefixes. */
  readonly alphabet: number;
  readonly keyBytesMax: number;
  readonly versionsMax: number;
  readonly valueBytesMax: number;
  readonly sequenceMax: number;
}

export const smallShape: EntryShape = {
  keys: 400,
  alphabet: 4,
  keyBytesMax: 12,
  versionsMax: 3,
  valueBytesMax: 40,
  sequenceMax: 100_000,
};

export function randomBytes(random: Random, length: number, alphabet: number): Uint8Array {
  return Uint8Array.from({ length }, () =>
    alphabet >= 256 ? random.below(256) : 0x61 + random.below(alphabet),
  );
}

/** Entries in internal order, without doubles. */
export function randomEntries(random: Random, shape: EntryShape): Entry[] {
  const found = new Map<string, Entry>();
  for (let i = 0; i < shape.keys; i++) {
    const key = randomBytes(random, random.below(shape.keyBytesMax + 1), shape.alphabet);
    for (let version = random.below(shape.versionsMax); version >= 0; version--) {
      const sequence = 1 + Math.floor(random.fraction() * shape.sequenceMax);
      const kind = random.oneIn(5) ? KIND_DELETE : KIND_PUT;
      const length = kind === KIND_DELETE ? 0 : random.below(shape.valueBytesMax + 1);
      found.set(`${key.join()}@${sequence}`, { key, sequence, kind, value: randomBytes(random, length, 26) });
    }
  }
  return [...found.values()].sort(compareEntries);
}

export type BuildOptions = Partial<Omit<TableWriterOptions, 'file'>> & {
  readonly rangeTombstones?: FragmentedTombstones;
};

export function buildTable(
  fs: FileSystem,
  path: string,
  entries: readonly Entry[],
  options: BuildOptions = {},
): TableSummary {
  const { rangeTombstones, ...rest } = options;
  const writer = new TableWriter({ file: fs.open(path, 'create'), uniqueId: TABLE_ID, ...rest });
  if (rangeTombstones !== undefined) writer.addRangeTombstones(rangeTombstones);
  for (const { key, sequence, kind, value } of entries) {
    writer.add(key, 0, key.length, sequence, kind, value, 0, value.length);
  }
  return writer.finish();
}

/** A file with these bytes, in place of one that may be there. */
export function replaceFile(fs: FileSystem, path: string, bytes: Uint8Array): void {
  if (fs.status(path) !== undefined) fs.remove(path);
  const file = fs.open(path, 'create');
  writeFully(file, bytes, 0, bytes.length, 0);
  file.close();
}

/** The entry under an iterator, copied; undefined when it is not valid. */
export function current(iterator: EntryIterator): Entry | undefined {
  if (!iterator.valid) return undefined;
  return {
    key: iterator.key.slice(iterator.keyStart, iterator.keyEnd),
    sequence: iterator.sequence,
    kind: iterator.kind,
    value: iterator.value.slice(iterator.valueStart, iterator.valueEnd),
  };
}

/** Are the lists the same? Quicker than `toEqual` on thousands of byte arrays. */
export function sameEntries(a: readonly Entry[], b: readonly Entry[]): boolean {
  return a.length === b.length && a.every((entry, i) => sameEntry(entry, b[i]));
}

export function sameEntry(a: Entry | undefined, b: Entry | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return compareEntries(a, b) === 0 && a.kind === b.kind && Buffer.compare(a.value, b.value) === 0;
}

export function walkForward(iterator: EntryIterator): Entry[] {
  const found: Entry[] = [];
  for (iterator.first(); iterator.valid; iterator.next()) found.push(current(iterator)!);
  return found;
}

export function walkBackward(iterator: EntryIterator): Entry[] {
  const found: Entry[] = [];
  for (iterator.last(); iterator.valid; iterator.prev()) found.push(current(iterator)!);
  return found;
}

const result = new PointResult();

/** `TableReader.get` as an entry. */
export function getEntry(reader: TableReader, key: Uint8Array, sequence: number): Entry | undefined {
  const low = hashKey(key, 0, key.length);
  if (!reader.get(key, 0, key.length, low, hashHigh[0]!, sequence, result)) return undefined;
  const value = result.value.slice(result.valueStart, result.valueEnd);
  return { key, sequence: result.sequence, kind: result.kind, value };
}

/** What `getEntry` has to give. */
export function modelGet(entries: readonly Entry[], key: Uint8Array, sequence: number): Entry | undefined {
  return entries.find((entry) => compareBytes(entry.key, key) === 0 && entry.sequence <= sequence);
}

/** A generator driven to its end. */
export function drain<T>(generator: Generator<unknown, T>): T {
  for (;;) {
    const step = generator.next();
    if (step.done === true) return step.value;
  }
}
