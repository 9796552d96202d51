/**
 * Walks over tables whose blocks are shown as runs: every direction, bound, limit and seek must show what a sorted list
 * shows, whatever mixture of levels, versions and deletes the entries lie in.
 */
import type { Bytes, Cursor, Database, Keyspace, Range } from 'varve';
import { Random } from 'varve/testing';
import { expect, test } from 'vitest';
import { inMemory } from './in-memory.ts';

const text = new TextEncoder();
const decoder = new TextDecoder();

class World {
  readonly random: Random;
  readonly db: Database;
  readonly keyspace: Keyspace<Bytes, Bytes>;
  readonly model: Map<string, string> = new Map();
  readonly #values: number;
  /** What all keys begin with: as much as codes of keys tell apart, more, and zeros. */
  readonly #prefix: string;
  #written = 0;

  constructor(random: Random, db: Database) {
    this.random = random;
    this.db = db;
    this.#values = random.pick([1, 40, 2000]);
    this.#prefix = random.pick(['key', '\0\0', 'k'.repeat(124), 'k'.repeat(200)]);
    this.keyspace = db.keyspace('k', {
      blockBytes: random.pick([256, 1024, 4096]),
      tableBytes: 65_536,
      memtableBytes: 65_536,
      levelRatio: 2,
      compression: random.pick(['none', 'lz4'] as const),
      ...random.pick([{}, { blobValueBytes: 64 }, { blobValueBytes: 1000 }]),
    });
  }

  key(number = this.random.below(200)): string {
    return this.#prefix + (number % 3 === 0 ? `${number / 3}\0` : String(number).padStart(4, '0'));
  }

  async write(): Promise<void> {
    const { random, model, keyspace } = this;
    // In a stretch the entries of one source follow one another, which is what runs are for.
    const first = random.oneIn(2) ? random.below(150) : undefined;
    for (let i = random.below(150); i > 0; i--) {
      const key = this.key(first === undefined ? undefined : first + (i % 50));
      if (random.oneIn(6)) {
        keyspace.delete(text.encode(key));
        model.delete(key);
      } else {
        const value = `${++this.#written}-${'v'.repeat(random.below(this.#values))}`;
        keyspace.put(text.encode(key), text.encode(value));
        model.set(key, value);
      }
    }
    if (random.oneIn(2)) await this.db.flush();
    if (random.oneIn(5)) await this.db.compact();
  }

  range(): Range<string> {
    const { random } = this;
    const [a, b] = [this.key(), this.key()].toSorted();
    return {
      ...(random.oneIn(2) && { gte: a! }),
      ...(random.oneIn(2) && { lt: b! }),
      ...(random.oneIn(3) && { limit: random.below(60) }),
      reverse: random.oneIn(2),
    };
  }
}

function expected(model: ReadonlyMap<string, string>, range: Range<string>): [string, string][] {
  const entries = [...model].toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (range.reverse === true) entries.reverse();
  return entries
    .filter(
      ([key]) => (range.gte === undefined || key >= range.gte) && (range.lt === undefined || key < range.lt),
    )
    .slice(0, range.limit);
}

function encoded({ gte, lt, limit, reverse }: Range<string>): Range<Bytes> {
  return {
    ...(gte !== undefined && { gte: text.encode(gte) }),
    ...(lt !== undefined && { lt: text.encode(lt) }),
    ...(limit !== undefined && { limit }),
    ...(reverse !== undefined && { reverse }),
  };
}

function shown(cursor: Cursor): [string, string] {
  return [decoder.decode(cursor.key), decoder.decode(cursor.value)];
}

test('ranges and cursors show what a sorted list shows', async () => {
  const random = new Random(17);
  for (let round = 0; round < 12; round++) {
    const db = await inMemory();
    const world = new World(random, db);
    for (let part = 0; part < 5; part++) {
      await world.write();
      for (let i = 0; i < 6; i++) {
        const range = world.range();
        const pairs = [...world.keyspace.range(encoded(range))].map(([k, v]) => [
          decoder.decode(k),
          decoder.decode(v),
        ]);
        expect(pairs).toEqual(expected(world.model, range));
      }
    }
  }
});

test('a cursor that is moved, sought and left alone while tables change shows the state of its beginning', async () => {
  const random = new Random(23);
  for (let round = 0; round < 12; round++) {
    const db = await inMemory();
    const world = new World(random, db);
    for (let part = 0; part < 3; part++) await world.write();
    const range = { ...world.range(), limit: Number.MAX_SAFE_INTEGER };
    const list = expected(world.model, range);
    const cursor = world.keyspace.range(encoded(range)).cursor();
    let at = -1;
    for (let step = 0; step < 60; step++) {
      if (random.oneIn(12)) await world.write();
      if (random.oneIn(4)) {
        const key = world.key();
        at = list.findIndex(([k]) => (range.reverse ? k <= key : k >= key));
        if (at < 0) at = list.length;
        expect(cursor.seek(text.encode(key))).toBe(at < list.length);
      } else {
        for (let moves = random.below(30); moves >= 0 && at < list.length; moves--) {
          at++;
          expect(cursor.next()).toBe(at < list.length);
        }
      }
      // Not every entry is looked at, and some are looked at twice.
      for (let looks = random.below(3); looks > 0 && at >= 0 && at < list.length; looks--) {
        expect(shown(cursor)).toEqual(list[at]);
      }
    }
    cursor.close();
  }
});

test('a reader who writes to a borrowed value spoils neither another read nor another cursor', async () => {
  const db = await inMemory();
  const keyspace = db.keyspace('k');
  for (let i = 0; i < 500; i++) keyspace.put(text.encode(`key${1000 + i}`), text.encode(`value${i}`));
  await db.flush();
  for (let round = 0; round < 2; round++) {
    const cursor = keyspace.range().cursor();
    for (let i = 0; i < 500; i++) {
      expect(cursor.next()).toBe(true);
      expect(shown(cursor)).toEqual([`key${1000 + i}`, `value${i}`]);
      cursor.value.fill(0);
      if (i === 250) {
        expect(cursor.seek(text.encode(`key${1000 + i}`))).toBe(true);
        expect(shown(cursor)).toEqual([`key${1000 + i}`, `value${i}`]);
      }
    }
    cursor.close();
  }
  expect(decoder.decode(keyspace.get(text.encode('key1003')))).toBe('value3');
});

test('a closed cursor still shows its last entry, whatever the next cursor does', async () => {
  const db = await inMemory();
  const keyspace = db.keyspace('k');
  for (let i = 0; i < 100; i++) keyspace.put(text.encode(`key${100 + i}`), text.encode(`value${i}`));
  await db.flush();
  const first = keyspace.range().cursor();
  for (let i = 0; i <= 7; i++) first.next();
  first.close();
  const second = keyspace.range({ reverse: true }).cursor();
  second.next();
  expect(shown(first)).toEqual(['key107', 'value7']);
  second.close();
});

test('versions of one key that lie in several blocks are one entry in both directions', async () => {
  const db = await inMemory();
  const keyspace = db.keyspace('k', { blockBytes: 256 });
  const snapshots = [];
  const list: [string, string][] = [];
  for (let i = 0; i < 40; i++) {
    const key = `key${100 + i}`;
    for (let version = 0; version <= i % 5; version++) {
      const value = `${version}${'v'.repeat(90)}`;
      keyspace.put(text.encode(key), text.encode(value));
      snapshots.push(db.snapshot());
      list[i] = [key, value];
    }
  }
  await db.flush();
  const pairs = (reverse: boolean): [string, string][] =>
    [...keyspace.range({ reverse })].map(([k, v]) => [decoder.decode(k), decoder.decode(v)]);
  expect(pairs(false)).toEqual(list);
  expect(pairs(true)).toEqual(list.toReversed());
  for (const snapshot of snapshots) snapshot.close();
});
