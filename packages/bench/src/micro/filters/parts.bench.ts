/**
 * Filters of one block against filters in parts: 32 tables of 72,000 entries (8 MiB each, as compaction writes them) in
 * files. What opening them takes and holds, and what gets cost: whole, by parts through the cache, and as tables do it by
 * themselves (by parts first, then whole while there is room).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BlockCache,
  FilterMemory,
  hashHigh,
  hashKey,
  KIND_PUT,
  PointResult,
  ready,
  TableCounters,
  TableReader,
  TableWriter,
} from 'varve/internals';
import { nodeFileSystem } from 'varve/testing';
import { formatBytes } from '../../format.ts';
import { KeyBuffer } from '../../keys.ts';
import { Random } from '../../random.ts';
import { nanosecondsEach, row } from './rounds.ts';

const TABLES = 32;
const ENTRIES = 72_000;
const CALLS = 20_000;
const ROUNDS = 31;
const MIB = 1024 * 1024;
const SEQUENCE = 1;

const ways = {
  whole: { wholeBytesMax: Number.POSITIVE_INFINITY, room: Number.POSITIVE_INFINITY },
  parts: { wholeBytesMax: undefined, room: 0 },
  'by itself': { wholeBytesMax: undefined, room: Number.POSITIVE_INFINITY },
} as const;
type WayName = keyof typeof ways;
const names = Object.keys(ways) as WayName[];

export async function measureParts(): Promise<void> {
  await ready();
  const directory = mkdtempSync(join(tmpdir(), 'varve-filters-'));
  try {
    for (let table = 0; table < TABLES; table++) {
      write(join(directory, `whole-${table}`), table, Number.POSITIVE_INFINITY);
      write(join(directory, `parts-${table}`), table, undefined);
    }
    measureOpening(directory);
    measureGets(directory, 512 * MIB);
    measureGets(directory, 64 * MIB);
    measureGets(directory, 8 * MIB);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function write(path: string, table: number, filterWholeBytesMax: number | undefined): void {
  const writer = new TableWriter({
    file: nodeFileSystem.open(path, 'create'),
    uniqueId: new Uint8Array(16).fill(table + 1),
    ...(filterWholeBytesMax === undefined ? {} : { filterWholeBytesMax }),
  });
  const key = new KeyBuffer(16);
  const value = new Uint8Array(100).fill(118);
  for (let i = 0; i < ENTRIES; i++) {
    key.set((table * ENTRIES + i) * 2);
    writer.add(key.bytes, 0, 16, SEQUENCE, KIND_PUT, value, 0, value.length);
  }
  writer.finish();
}

class Tables {
  readonly cache: BlockCache;
  readonly counters = new TableCounters();
  readonly readers: TableReader[] = [];
  readonly #key = new KeyBuffer(16);
  readonly #found = new PointResult();

  constructor(directory: string, name: WayName, cacheBytes: number) {
    const filterMemory = new FilterMemory(ways[name].room);
    this.cache = new BlockCache(cacheBytes);
    const prefix = name === 'whole' ? 'whole' : 'parts';
    for (let table = 0; table < TABLES; table++) {
      const path = join(directory, `${prefix}-${table}`);
      const { cache, counters } = this;
      this.readers.push(
        TableReader.open({ fs: nodeFileSystem, path, fileNumber: table + 1, cache, counters, filterMemory }),
      );
    }
  }

  /** 1 when key number `n` is there. */
  get(n: number): number {
    this.#key.set(n);
    const low = hashKey(this.#key.bytes, 0, 16);
    const reader = this.readers[Math.floor(n / 2 / ENTRIES)]!;
    return reader.get(this.#key.bytes, 0, 16, low, hashHigh[0]!, SEQUENCE, this.#found) ? 1 : 0;
  }

  get memoryBytes(): number {
    return this.readers.reduce((sum, reader) => sum + reader.memoryBytes, 0);
  }

  close(): void {
    for (const reader of this.readers) reader.close();
  }
}

function measureOpening(directory: string): void {
  console.log(row(['opening 32 tables of 8 MiB', 'ms', 'read', 'held a table', '+ first get, ms']));
  const opening = names.map((name) => ({
    name,
    operations: 1,
    run: () => {
      const tables = new Tables(directory, name, 0);
      tables.close();
      return tables.readers.length;
    },
  }));
  const withGet = names.map((name) => ({
    name,
    operations: 1,
    run: () => {
      const tables = new Tables(directory, name, 16 * MIB);
      let found = 0;
      for (let table = 0; table < TABLES; table++) found += tables.get(table * ENTRIES * 2 + 100);
      tables.close();
      return found;
    },
  }));
  const times = nanosecondsEach(opening, ROUNDS);
  const firstTimes = nanosecondsEach(withGet, ROUNDS);
  names.forEach((name, i) => {
    const tables = new Tables(directory, name, 0);
    const cells = [
      (times[i]! / 1e6).toFixed(2),
      formatBytes(tables.counters.blockBytesRead),
      formatBytes(tables.memoryBytes / TABLES),
      (firstTimes[i]! / 1e6).toFixed(2),
    ];
    console.log(row([name, ...cells]));
    tables.close();
  });
}

function measureGets(directory: string, cacheBytes: number): void {
  const title = `gets, cache of ${cacheBytes / MIB} MiB`;
  console.log(row([title, 'missing, ns', 'there, ns', 'blocks a get', 'held a table']));
  const all = names.map((name) => new Tables(directory, name, cacheBytes));
  const random = new Random(5);
  const gets = (odd: number): { name: string; operations: number; run: () => number }[] =>
    all.map((tables, i) => ({
      name: names[i]!,
      operations: CALLS,
      run: () => {
        let found = 0;
        for (let call = 0; call < CALLS; call++)
          found += tables.get(random.below(TABLES * ENTRIES) * 2 + odd);
        return found;
      },
    }));
  const missing = nanosecondsEach(gets(1), ROUNDS);
  const there = nanosecondsEach(gets(0), ROUNDS);
  all.forEach((tables, i) => {
    const before = tables.counters.blocksRead;
    gets(0)[i]!.run();
    const blocks = (tables.counters.blocksRead - before) / CALLS;
    const cells = [missing[i]!.toFixed(0), there[i]!.toFixed(0), blocks.toFixed(3)];
    console.log(row([names[i]!, ...cells, formatBytes(tables.memoryBytes / TABLES)]));
    tables.close();
  });
}
