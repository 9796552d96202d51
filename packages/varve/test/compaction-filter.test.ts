import { describe, expect, test } from 'vitest';
import { open, utf8 } from '../src/index.ts';
import type { CompactionFilter, Database, FilteredEntry, Keyspace } from '../src/index.ts';
import { commas, listed } from './fixtures/operators.ts';
import { storedKinds } from './stored-kinds.ts';
import { temporaryDirectory } from './temp-directory.ts';

const url = new URL('./fixtures/operators.ts', import.meta.url);

function texts(db: Database, gone: readonly string[]): Keyspace<string, string> {
  return db.keyspace('texts', {
    key: utf8,
    value: utf8,
    compactionFilter: { filter: listed, url, data: () => ({ gone }) },
  });
}

/** A filter in this thread that is asked about everything. */
function inHere(filter: (entry: FilteredEntry) => ReturnType<CompactionFilter['filter']>): CompactionFilter {
  return { name: 'in here', version: 1, filter };
}

async function inMemory(
  filter: (entry: FilteredEntry) => ReturnType<CompactionFilter['filter']>,
): Promise<{ db: Database; keyspace: Keyspace<string, string> }> {
  const db = await open(':memory:');
  const keyspace = db.keyspace('texts', { key: utf8, value: utf8, compactionFilter: inHere(filter) });
  return { db, keyspace };
}

describe('compaction filters', () => {
  test('remove and change entries, with data of the owner that is frozen when the compaction begins', async () => {
    const path = temporaryDirectory();
    await using db = await open(path);
    const gone = ['b'];
    const keyspace = texts(db, gone);
    for (const key of ['a', 'b', 'c', 'up']) keyspace.put(key, `value of ${key}`);
    await db.flush();
    expect([...keyspace.range().keys()]).toEqual(['a', 'b', 'c', 'up']);
    await db.compact();
    expect([...keyspace.range()]).toEqual([
      ['a', 'value of a'],
      ['c', 'value of c'],
      ['up', 'VALUE OF UP'],
    ]);
    expect(storedKinds(db)).toEqual({ a: ['put'], c: ['put'], up: ['put'] });
    gone.push('c');
    await db.compact();
    expect([...keyspace.range().keys()]).toEqual(['a', 'up']);
    keyspace.put('b', 'again');
    expect(keyspace.get('b')).toBe('again');
  });

  test('a removed entry takes the versions with it that stay by their count', async () => {
    const db = await open(':memory:');
    const compactionFilter = inHere(({ value }) => (utf8.decode(value) === '4' ? 'remove' : 'keep'));
    const keyspace = db.keyspace('texts', {
      key: utf8,
      value: utf8,
      retention: { versions: 3 },
      compactionFilter,
    });
    for (const value of ['1', '2', '3', '4']) {
      keyspace.put('a', value);
      keyspace.put('b', value.repeat(2));
      await db.flush();
    }
    await db.compact();
    expect(keyspace.get('a')).toBeUndefined();
    expect(keyspace.history('a')).toEqual([]);
    expect(keyspace.history('b').map(({ value }) => value)).toEqual(['44', '33', '22']);
    await db.compact();
    expect([...keyspace.range()]).toEqual([['b', '44']]);
    await db.close();
  });

  test('a removed entry hides what is older below it', async () => {
    const { db, keyspace } = await inMemory(({ value }) =>
      utf8.decode(value) === 'new' ? 'remove' : 'keep',
    );
    keyspace.put('a', 'old');
    await db.compact();
    keyspace.put('a', 'new');
    await db.flush();
    await db.compact();
    expect(keyspace.get('a')).toBeUndefined();
    expect([...keyspace.range()]).toEqual([]);
    await db.close();
  });

  test('what an open snapshot or walk sees stays as it is', async () => {
    const { db, keyspace } = await inMemory(() => 'remove');
    for (let i = 0; i < 10; i++) keyspace.put(`k${i}`, 'x');
    await db.flush();
    const snapshot = db.snapshot();
    const walk = keyspace.range()[Symbol.iterator]();
    walk.next();
    await db.compact();
    expect([...snapshot.range(keyspace)]).toHaveLength(10);
    expect(keyspace.count()).toBe(10);
    snapshot.close();
    await db.compact();
    expect(keyspace.count()).toBe(10);
    let walked = 1;
    while (walk.next().done !== true) walked++;
    expect(walked).toBe(10);
    await db.compact();
    expect(keyspace.count()).toBe(0);
    await db.close();
  });

  test('a snapshot that begins while a compaction runs sees no change of the filter either', async () => {
    const world: { db?: Database } = {};
    let snapshot: ReturnType<Database['snapshot']> | undefined;
    const { db, keyspace } = await inMemory(() => {
      snapshot ??= world.db!.snapshot();
      return 'remove';
    });
    world.db = db;
    for (let i = 0; i < 10; i++) keyspace.put(`k${i}`, 'x');
    await db.flush();
    await db.compact();
    expect(snapshot).toBeDefined();
    expect([...snapshot!.range(keyspace)]).toHaveLength(10);
    snapshot!.close();
    await db.compact();
    await db.compact();
    expect(keyspace.count()).toBe(0);
    await db.close();
  });

  test('asks about the newest version only, and not about deletes', async () => {
    const asked: string[] = [];
    const { db, keyspace } = await inMemory(({ key, value }) => {
      asked.push(`${utf8.decode(key)}=${utf8.decode(value)}`);
      return 'keep';
    });
    keyspace.put('a', '1');
    const snapshot = db.snapshot();
    keyspace.put('a', '2');
    keyspace.put('b', '1');
    keyspace.delete('b');
    keyspace.put('c', '1', { ttlMs: 1_000_000 });
    await db.compact();
    expect(asked).toEqual(['a=2', 'c=1']);
    snapshot.close();
    await db.close();
  });

  test('one that throws keeps the entry, and key and name are told', async () => {
    const path = temporaryDirectory();
    await using db = await open(path);
    const heard: { code: string; context?: Record<string, unknown> }[] = [];
    db.events.addEventListener('warning', (event) =>
      heard.push((event as CustomEvent<(typeof heard)[0]>).detail),
    );
    const keyspace = texts(db, ['b']);
    for (const key of ['b', 'throws']) keyspace.put(key, 'x');
    await db.compact();
    expect([...keyspace.range().keys()]).toEqual(['throws']);
    expect(heard[0]).toMatchObject({
      code: 'FILTER_FAILED',
      context: { keyspace: 'texts', operator: 'listed', key: utf8.encode('throws') },
    });
  });

  test('data that can not be given leaves the filter out, with a warning', async () => {
    const db = await open(':memory:');
    const heard: string[] = [];
    db.events.addEventListener('warning', (event) =>
      heard.push((event as CustomEvent<{ code: string }>).detail.code),
    );
    const filter = inHere(() => 'remove');
    const keyspace = db.keyspace('texts', {
      key: utf8,
      value: utf8,
      compactionFilter: { filter, data: () => () => 'a function can not be cloned' },
    });
    keyspace.put('a', 'x');
    await db.compact();
    expect(keyspace.get('a')).toBe('x');
    expect(heard).toContain('FILTER_FAILED');
    await db.close();
  });

  test('is shown what merges have made, and values from blob files', async () => {
    const asked: string[] = [];
    const db = await open(':memory:');
    const filter = inHere(({ key, value }) => {
      asked.push(`${utf8.decode(key)}=${value.length}`);
      return utf8.decode(key) === 'b' ? { value: utf8.encode('small') } : 'keep';
    });
    const keyspace = db.keyspace('texts', {
      key: utf8,
      value: utf8,
      blobValueBytes: 64,
      mergeOperator: commas,
      compactionFilter: filter,
    });
    keyspace.put('a', '1');
    keyspace.merge('a', '23');
    keyspace.put('b', 'x'.repeat(100));
    await db.flush();
    await db.compact();
    expect(asked).toContain('a=4');
    expect(asked).toContain('b=100');
    expect([keyspace.get('a'), keyspace.get('b')]).toEqual(['1,23', 'small']);
    expect((await db.verify({ full: true })).problems).toEqual([]);
    await db.close();
  });

  test('refuses what is no filter', async () => {
    await using db = await open(':memory:');
    const options: unknown[] = [
      {},
      { name: 'x', version: 1 },
      { filter: listed, path: url },
      { filter: listed, url: 'no url' },
      { filter: listed, data: 7 },
      { filter: { name: '', version: 1, filter: () => 'keep' } },
    ];
    for (const compactionFilter of options) {
      expect(() => db.keyspace('texts', { compactionFilter } as never)).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID', kind: 'invalid' }) as Error,
      );
    }
    expect(db.keyspaces()).toEqual([]);
  });
});
