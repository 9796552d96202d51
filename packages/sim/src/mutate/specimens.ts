/**
 * The databases that are mutated: small, with every kind of file and record in them, together with their whole history.
 *
 *   young       crashed soon after its first writes: one manifest without edits but for keyspaces, one log segment
 *   closed      two lives, closed cleanly: tables with range tombstones in level 0 and below, compressed and not, blob files,
 *               a manifest with edits, unflushed data in several log segments, one of them recycled
 *   untouched   the same, opened and closed once more without a write: a manifest that is only a snapshot
 *   crashed     a third life on top, copied while open: a synced part of the log and an unsynced one, recycled segments
 *   compacted   the same life a little later, copied right after a compaction: the manifest ends with its edit
 *
 * Made from a seed. Table ids and times differ from run to run, sizes and places do not.
 */
import { setImmediate as turn } from 'node:timers/promises';
import {
  append,
  type Batch,
  type Database,
  type DatabaseOptions,
  type KeyspaceSettings,
  open,
  utf8,
} from 'varve';
import { MemoryFs, Random } from 'varve/testing';
import type { TextKeyspace } from '../check.ts';
import type { Change } from '../model.ts';
import type { Step } from '../steps.ts';
import { addChange } from '../write-change.ts';
import { type DirectoryImage, readDirectoryImage } from './directory-image.ts';

export const DIRECTORY = '/db';

export interface Specimen {
  readonly name: string;
  readonly files: DirectoryImage;
  /** What every sequence did; the first is sequence 1. */
  readonly history: readonly Step[];
  /** A flip may lose what comes after this sequence: it was never synced. */
  readonly synced: number;
}

const KIB = 1024;

/** Nothing compacts unasked, so that every run numbers its files alike. */
const quiet = { strategy: 'leveled', level0Files: 1000, level1Bytes: 1024 * 1024 * KIB } as const;

const keyspaceSettings: Readonly<Record<string, KeyspaceSettings>> = {
  plain: { compression: 'none', blockBytes: 1024, tableBytes: 16 * KIB, compaction: quiet },
  packed: {
    compression: 'lz4',
    blockBytes: 4096,
    filterBitsPerKey: 0,
    tableBytes: 64 * KIB,
    blobValueBytes: 128,
    compaction: quiet,
  },
  small: { compression: 'none', compaction: quiet },
};

/**
 * How every copy is opened; thousands are. Memory for memtables is large all the same: from 32 MiB on the system's allocator
 * gives fresh pages, which cost nothing until they are touched, and below that it clears every byte.
 */
export const specimenOptions: DatabaseOptions = {
  sync: 'manual',
  logBytesMax: 512 * KIB,
  memtableBytesMax: 64 * 1024 * KIB,
  memoryBytesMax: 128 * 1024 * KIB,
  cacheBytesMax: 256 * KIB,
  batchBytesMax: 256 * KIB,
  workers: 1,
  keyspaceDefaults: { compaction: quiet },
};

/** The specimens of a seed. */
export async function makeSpecimens(seed: number): Promise<Specimen[]> {
  const random = new Random(seed);
  const young = new Keeper(random);
  await young.open();
  young.write(5, 40);
  await young.db.sync('disk');
  const youngSynced = young.history.length;
  young.write(4, 40);
  young.db.syncNow('os');
  const specimens = [young.specimen('young', youngSynced)];
  await young.db.close();

  const keeper = new Keeper(random);
  await keeper.open();
  await buildTables(keeper);
  await keeper.db.close();
  await keeper.open();
  keeper.write(3, 100);
  await keeper.db.close();
  specimens.push(keeper.specimen('closed'));
  await keeper.open();
  await keeper.db.close();
  specimens.push(keeper.specimen('untouched'));
  await keeper.open();
  await recycleSegments(keeper);
  await keeper.db.sync('disk');
  const synced = keeper.history.length;
  keeper.writeBytes(70 * KIB, 200);
  keeper.db.syncNow('os');
  specimens.push(keeper.specimen('crashed', synced));
  await keeper.flush();
  await keeper.db.compact();
  await idle();
  specimens.push(keeper.specimen('compacted'));
  await keeper.db.close();
  return specimens;
}

/** Tables below level 0, tables in it, a log of several segments of which some were recycled. */
async function buildTables(keeper: Keeper): Promise<void> {
  // Keeps tombstones and old versions from being dropped.
  const snapshot = keeper.db.snapshot();
  keeper.write(150, 150);
  await keeper.flush();
  await keeper.db.compact();
  keeper.write(60, 150);
  await keeper.flush();
  keeper.write(30, 50);
  await keeper.flush();
  await recycleSegments(keeper);
  snapshot.close();
}

/** Writes through some segments, flushes, and writes on: in files that were segments before. */
async function recycleSegments(keeper: Keeper): Promise<void> {
  keeper.writeBytes(150 * KIB, 2000);
  keeper.db.syncNow('disk');
  await keeper.flush();
  keeper.writeBytes(90 * KIB, 500);
  keeper.db.syncNow('disk');
}

/** A database under construction, and what was written to it. */
class Keeper {
  readonly history: Step[] = [];
  db!: Database;
  readonly #fs = new MemoryFs();
  readonly #random: Random;
  readonly #keyspaces = new Map<string, TextKeyspace>();

  constructor(random: Random) {
    this.#random = random;
  }

  async open(): Promise<void> {
    this.db = await open(DIRECTORY, { ...specimenOptions, fileSystem: this.#fs });
    for (const [name, settings] of Object.entries(keyspaceSettings)) {
      if (!this.db.keyspaces().includes(name)) this.history.push({ kind: 'create', keyspace: name });
      this.#keyspaces.set(
        name,
        this.db.keyspace(name, { key: utf8, value: utf8, mergeOperator: append, ...settings }),
      );
    }
    await idle();
  }

  async flush(): Promise<void> {
    await this.db.flush();
    await idle();
  }

  /** Batches of a few changes, with values of about `valueBytes`. */
  write(batches: number, valueBytes: number): void {
    for (let i = 0; i < batches; i++) {
      const changes: Change[] = [];
      const batch = this.db.batch();
      for (let count = 1 + this.#random.below(4); count > 0; count--) {
        const change = this.#change(valueBytes);
        changes.push(change);
        this.#add(batch, change);
      }
      this.db.write(batch);
      this.history.push({ kind: 'batch', changes });
    }
  }

  /** Batches until the log has grown by `bytes`. */
  writeBytes(bytes: number, valueBytes: number): void {
    const until = this.db.stats().written.user + bytes;
    while (this.db.stats().written.user < until) this.write(1, valueBytes);
  }

  specimen(name: string, synced = this.history.length): Specimen {
    return { name, files: readDirectoryImage(this.#fs, DIRECTORY), history: [...this.history], synced };
  }

  #change(valueBytes: number): Change {
    const random = this.#random;
    const keyspace = random.oneIn(8) ? 'small' : random.oneIn(2) ? 'plain' : 'packed';
    const number = random.below(300);
    // Long runs of zeros in tables, log and manifest: to a reader they look like sectors that a crash lost.
    const prefix = keyspace === 'small' && random.oneIn(3) ? '\0'.repeat(1500) : '';
    const key = prefix + keyText(number);
    const roll = random.below(20);
    if (roll < 2) {
      const to = prefix + keyText(number + 1 + random.below(20));
      return { kind: 'deleteRange', keyspace, from: key, to };
    }
    if (roll < 5) return { kind: 'delete', keyspace, key };
    if (roll < 9) return { kind: 'merge', keyspace, key, operand: `+${this.history.length + 1}` };
    const length = random.below(valueBytes * 2);
    const filler = random.oneIn(2) ? '\0'.repeat(length) : noise(random, length);
    return { kind: 'put', keyspace, key, value: `${this.history.length + 1}:${filler}` };
  }

  #add(batch: Batch, change: Change): void {
    addChange(batch, this.#keyspaces.get(change.keyspace)!, change, undefined);
  }
}

/** Lets background work come to its end, so that the files of a seed are the same every time. */
async function idle(): Promise<void> {
  for (let turns = 0; turns < 50; turns++) await turn();
}

function keyText(number: number): string {
  return `key-${String(number).padStart(4, '0')}`;
}

function noise(random: Random, length: number): string {
  let text = '';
  while (text.length < length) text += random.u32().toString(36);
  return text.slice(0, length);
}
