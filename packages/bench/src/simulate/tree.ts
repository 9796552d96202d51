/**
 * A keyspace of the simulator: the engine's own version of it, and beside each file what it holds. Flushes put tables into
 * level 0; plans are executed on contents and installed by the engine's edits, which check what they can.
 */
import {
  applyEdit,
  type CompactionPlan,
  editOf,
  emptyVersion,
  type FileMeta,
  filesOf,
  KeyRanges,
  type KeyspaceVersion,
  type Version,
} from 'varve/internals';
import { type Contents, encodeKey } from './contents.ts';
import type { Place, Truth } from './truth.ts';
import { type EntrySizes, rewrite } from './rewrite.ts';

const KEYSPACE = 1;
/** One more than the largest key: the end of a tombstone up to the end of the key space. */
const KEY_MAX = 2 ** 32 - 1;

export class Tree {
  readonly #sizes: EntrySizes;
  readonly #contents = new Map<number, Contents>();
  #version: Version = applyEdit(emptyVersion(), {
    keyspacesCreated: [
      { id: KEYSPACE, name: 'simulated', keyCodec: 'bytes', valueCodec: 'bytes', createdSequence: 1 },
    ],
  });
  #number = 0;

  constructor(sizes: EntrySizes) {
    this.#sizes = sizes;
  }

  get keyspace(): KeyspaceVersion {
    return this.#version.keyspaces.get(KEYSPACE)!;
  }

  get diskBytes(): number {
    return this.keyspace.levels.flat().reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Share of the file's entries that a read still gets. */
  liveOf(file: FileMeta, truth: Truth): number {
    const { keys, stamps } = this.contentsOf(file);
    let live = 0;
    for (let i = 0; i < keys.length; i++) {
      if (truth.sequenceOf(keys[i]!) === stamps[i]! >>> 1) live++;
    }
    return live / Math.max(1, keys.length);
  }

  contentsOf(file: FileMeta): Contents {
    return this.#contents.get(file.number)!;
  }

  /** Tables from the newest to the oldest. */
  places(): Place[] {
    return this.keyspace.levels.flatMap((files, level) =>
      files.map((file) => ({
        name: `file ${file.number} of level ${level}`,
        contents: this.contentsOf(file),
      })),
    );
  }

  /** A memtable becomes tables of level 0, written at `now`; they are installed by `installFlush`. */
  flush(memtable: Contents, expiredThrough: number, now: number): readonly FileMeta[] {
    const isEmpty = this.keyspace.levels.every((files) => files.length === 0);
    return this.#write(
      rewrite({
        runs: [[memtable]],
        expiredThrough,
        below: isEmpty ? KeyRanges.none : KeyRanges.all,
        grandparents: [],
        tableBytesMax: Number.POSITIVE_INFINITY,
        sizes: this.#sizes,
      }),
      now,
    );
  }

  installFlush(files: readonly FileMeta[]): void {
    const addedFiles = files.map((file) => ({ keyspace: KEYSPACE, level: 0, file }));
    this.#version = applyEdit(this.#version, { addedFiles });
  }

  /** The tables that a merge makes out of its inputs; they are installed by `install`. */
  execute(plan: CompactionPlan, expiredThrough: number): readonly FileMeta[] {
    if (plan.kind !== 'merge') return [];
    const runs = plan.inputs.flatMap(({ level, files }) => {
      const contents = files.map((file) => this.contentsOf(file));
      return level === 0 ? contents.map((each) => [each]) : [contents];
    });
    return this.#write(
      rewrite({
        runs,
        expiredThrough,
        below: new KeyRanges(plan.below),
        grandparents: plan.grandparents,
        tableBytesMax: plan.tableBytesMax,
        sizes: this.#sizes,
      }),
      Math.max(...filesOf(plan).map(({ newestTime }) => newestTime ?? 0)),
    );
  }

  install(plan: CompactionPlan, outputs: readonly FileMeta[]): void {
    this.#version = applyEdit(this.#version, editOf(KEYSPACE, plan, outputs));
    if (plan.kind === 'move') return;
    for (const { number } of filesOf(plan)) this.#contents.delete(number);
  }

  #write(tables: readonly Contents[], newestTime: number): readonly FileMeta[] {
    return tables.map((contents) => {
      const number = ++this.#number;
      this.#contents.set(number, contents);
      return { ...metaOf(number, contents, this.#sizes), newestTime };
    });
  }
}

function metaOf(number: number, { keys, stamps, fragments }: Contents, sizes: EntrySizes): FileMeta {
  let tombstones = 0;
  let smallest = KEY_MAX;
  let largest = 0;
  for (const stamp of stamps) {
    tombstones += stamp & 1;
    smallest = Math.min(smallest, stamp >>> 1);
    largest = Math.max(largest, stamp >>> 1);
  }
  for (const { sequence } of fragments) {
    smallest = Math.min(smallest, sequence);
    largest = Math.max(largest, sequence);
  }
  const first = Math.min(keys[0] ?? KEY_MAX, fragments[0]?.start ?? KEY_MAX);
  const lastKey = keys.at(-1) ?? -1;
  const lastEnd = Math.min(fragments.at(-1)?.end ?? -1, KEY_MAX);
  return {
    number,
    bytes:
      (keys.length - tombstones) * sizes.put +
      tombstones * sizes.delete +
      fragments.length * sizes.rangeDelete,
    entries: keys.length,
    tombstones,
    rangeTombstones: fragments.length,
    smallestKey: encodeKey(first),
    largestKey: encodeKey(Math.max(lastKey, lastEnd)),
    largestExclusive: lastEnd > lastKey,
    smallestSequence: smallest,
    largestSequence: largest,
    uniqueId: new Uint8Array(16),
  };
}
