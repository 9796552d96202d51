import { beforeAll, describe, expect, test } from 'vitest';

import { hashHigh, hashKey } from '../base/hash.ts';
import { Random } from '../base/random.ts';
import { VarveError } from '../base/errors.ts';
import { BlockCache } from '../cache/block-cache.ts';
import { readFile } from '../fs/file-system.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { TableCounters } from './block-loader.ts';
import { ready } from './checksum.ts';
import { FilterMemory } from './filter-memory.ts';
import { FORMAT_VERSION } from './format.ts';
import { TableReader, type TableReaderOptions } from './reader.ts';
import { buildTable, bytesOf, drain, getEntry, put, replaceFile } from './table.suite.ts';

beforeAll(ready);

const PATH = '/1.sst';
const KEYS = 30_000;
const key = (n: number): string => `key${String(n).padStart(8, '0')}`;
const entries = Array.from({ length: KEYS }, (_, i) => put(key(i * 2), i + 1, `value ${i}`));

/** A table of about ten parts at 10 bits a key. */
function written(filterBitsPerKey = 10): MemoryFs {
  const fs = new MemoryFs();
  buildTable(fs, PATH, entries, { filterBitsPerKey });
  return fs;
}

function opened(fs: MemoryFs, options: Partial<TableReaderOptions> = {}): TableReader {
  return TableReader.open({ fs, path: PATH, fileNumber: 1, ...options });
}

const cached = (options: Partial<TableReaderOptions> = {}): Partial<TableReaderOptions> => ({
  cache: new BlockCache(4 << 20),
  ...options,
});

/** Finds every tenth key and few that are not there; counts the questions that the filter answered wrongly with yes. */
function ask(reader: TableReader, counters: TableCounters, questions = 3000): number {
  for (let i = 0; i < questions; i++) {
    const n = (i * 17) % KEYS;
    expect(getEntry(reader, bytesOf(key(n * 2)), KEYS + 1)?.sequence).toBe(n + 1);
    expect(getEntry(reader, bytesOf(key(n * 2 + 1)), KEYS + 1)).toBeUndefined();
  }
  return counters.filterFalsePositives;
}

const noRoom = (): FilterMemory => new FilterMemory(0);

describe.each([10, 20])('a filter in parts at %i bits a key', (bits) => {
  test('answers by its parts as it does whole', () => {
    const fs = written(bits);
    const byParts = new TableCounters();
    const whole = new TableCounters();
    const reader = opened(fs, cached({ counters: byParts, filterMemory: noRoom() }));
    ask(reader, byParts);
    ask(opened(fs, { counters: whole }), whole);
    expect(byParts.filterFalsePositives).toBe(whole.filterFalsePositives);
    expect(byParts.filterNegatives).toBe(whole.filterNegatives);
    expect(byParts.filterNegatives).toBeGreaterThan(2900);
  });

  test('is verified part by part, and all bytes are counted', () => {
    const fs = written(bits);
    const result = drain(opened(fs, cached()).verify());
    expect(result).toMatchObject({ entries: KEYS, bytes: fs.status(PATH)!.size });
  });
});

test('opening reads none of the parts', () => {
  const counters = new TableCounters();
  const reader = opened(written(), cached({ counters }));
  // Filter, top index and properties.
  expect(counters.blocksRead).toBe(3);
  expect(counters.blockBytesRead).toBeLessThan(6000);
  expect(reader.memoryBytes).toBeLessThan(16_000);
});

test('a filter that is asked more often than it has parts is held whole while there is room', () => {
  const filterMemory = new FilterMemory(100_000);
  const fs = written();
  const first = opened(fs, cached({ filterMemory }));
  const before = first.memoryBytes;
  ask(first, new TableCounters(), 4);
  expect(filterMemory.bytesHeld).toBe(0);
  expect(first.memoryBytes - before).toBeLessThan(30_000);
  ask(first, new TableCounters(), 30);
  expect(filterMemory.bytesHeld).toBeGreaterThan(38_000);
  expect(first.memoryBytes - before).toBeGreaterThan(38_000);
  const others = [2, 3].map((fileNumber) => opened(fs, cached({ filterMemory, fileNumber })));
  for (const other of others) ask(other, new TableCounters(), 100);
  expect(filterMemory.bytesHeld).toBeLessThan(100_000);
  first.close();
  first.close();
  // There is room again, and the next question takes it.
  ask(others[1]!, new TableCounters(), 1);
  expect(filterMemory.bytesHeld).toBeGreaterThan(70_000);
  for (const other of others) other.park();
  expect(filterMemory.bytesHeld).toBe(0);
});

test('without a block cache a filter is held whole from the first question on', () => {
  const counters = new TableCounters();
  const filterMemory = noRoom();
  const reader = opened(written(), { counters, filterMemory, cache: new BlockCache(0) });
  expect(getEntry(reader, bytesOf('key'), 9)).toBeUndefined();
  expect(filterMemory.bytesHeld).toBeGreaterThan(38_000);
  const { blocksRead } = counters;
  for (let i = 0; i < 100; i++) getEntry(reader, bytesOf(`no${i}`), 9);
  expect(counters.blocksRead - blocksRead).toBeLessThan(10);
});

test('parts come from the cache when they are asked again, and are read again when they left it', () => {
  const counters = new TableCounters();
  const cache = new BlockCache(4 << 20);
  const reader = opened(written(), { counters, cache, filterMemory: noRoom() });
  const question = bytesOf(key(1));
  getEntry(reader, question, 9);
  const { blocksRead } = counters;
  for (let i = 0; i < 10; i++) getEntry(reader, question, 9);
  expect(counters.blocksRead).toBe(blocksRead);
  cache.drop(1);
  getEntry(reader, question, 9);
  expect(counters.blocksRead).toBe(blocksRead + 1);
});

test('warming reads parts of the filter as well as data blocks', () => {
  const fs = written();
  const counters = new TableCounters();
  const cache = new BlockCache(4 << 20);
  const reader = opened(fs, { counters, cache, filterMemory: noRoom() });
  drain(reader.warm([0, 1, reader.dataBytes, reader.dataBytes + 1, reader.dataBytes + 4110]));
  expect(cache.lookup(1, 0)).toBeGreaterThanOrEqual(0);
  expect(cache.lookup(1, reader.dataBytes)).toBeGreaterThanOrEqual(0);
  expect(cache.lookup(1, reader.dataBytes + 4110)).toBeGreaterThanOrEqual(0);
  expect(cache.lookup(1, reader.dataBytes + 1)).toBe(-1);
});

test('a damaged part gives corruption where it is asked and nothing else', () => {
  const fs = written(20);
  const bytes = readFile(fs, PATH);
  const sound = opened(fs);
  const start = sound.dataBytes;
  const random = new Random(3);
  let refused = 0;
  for (let round = 0; round < 60; round++) {
    const damaged = bytes.slice();
    damaged[start + random.below(sound.footer.filter.offset - start)]! ^= 1 << random.below(8);
    replaceFile(fs, PATH, damaged);
    for (const options of [cached({ filterMemory: noRoom() }), cached(), {}]) {
      const reader = opened(fs, options);
      for (let i = 0; i < 60; i++) {
        const n = random.below(KEYS);
        const question = bytesOf(key(n));
        const low = hashKey(question, 0, question.length);
        expect(low).toBe(hashKey(question, 0, question.length));
        expect(hashHigh[0]).toBeGreaterThanOrEqual(0);
        try {
          const expected = n % 2 === 0 ? n / 2 + 1 : undefined;
          expect(getEntry(reader, question, KEYS + 1)?.sequence).toBe(expected);
        } catch (error) {
          if (!(error instanceof VarveError)) throw error;
          expect(error).toMatchObject({ kind: 'corruption', context: { file: PATH } });
          expect(error.context['offset']).toBeGreaterThanOrEqual(start);
          refused++;
        }
      }
      reader.close();
    }
  }
  expect(refused).toBeGreaterThan(60);
});

test('a small filter and one of an older table stay in one block, which is the same as ever', () => {
  const fs = new MemoryFs();
  buildTable(fs, PATH, entries, { filterWholeBytesMax: Number.POSITIVE_INFINITY });
  const filterMemory = new FilterMemory(1);
  const reader = opened(fs, cached({ filterMemory }));
  expect(reader.footer.filter.length).toBeGreaterThan(38_000);
  expect(filterMemory.bytesHeld).toBeGreaterThan(38_000);
  ask(reader, new TableCounters(), 100);
  expect(FORMAT_VERSION).toBe(1);
});
