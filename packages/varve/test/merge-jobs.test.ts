import { describe, expect, test } from 'vitest';
import { counter, json, jsonMergePatch, open, u64, utf8 } from '../src/index.ts';
import type { Database, Keyspace, MergeOperatorOption } from '../src/index.ts';
import { commas, fragile } from './fixtures/operators.ts';
import { storedKinds } from './stored-kinds.ts';
import { temporaryDirectory } from './temp-directory.ts';

const url = new URL('./fixtures/operators.ts', import.meta.url);

function warnings(db: Database): { code: string; message: string; context?: Record<string, unknown> }[] {
  const heard: { code: string; message: string; context?: Record<string, unknown> }[] = [];
  db.events.addEventListener('warning', (event) =>
    heard.push((event as CustomEvent<(typeof heard)[0]>).detail),
  );
  return heard;
}

function texts(
  db: Database,
  mergeOperator: MergeOperatorOption | MergeOperatorOption['operator'],
): Keyspace<string, string> {
  return db.keyspace('texts', { key: utf8, value: utf8, mergeOperator });
}

describe('merges in job threads', () => {
  test('flush and compaction fold with the operator of a module', async () => {
    const path = temporaryDirectory();
    await using db = await open(path);
    const keyspace = texts(db, { operator: commas, url });
    keyspace.put('a', '0');
    keyspace.merge('a', '1');
    keyspace.merge('a', '2');
    keyspace.merge('b', '1');
    await db.flush();
    expect(storedKinds(db)).toEqual({ a: ['put'], b: ['put'] });
    keyspace.merge('a', '3');
    keyspace.merge('a', '4');
    await db.flush();
    expect(keyspace.get('a')).toBe('0,1,2,3,4');
    await db.compact();
    expect(storedKinds(db)).toEqual({ a: ['put'], b: ['put'] });
    expect([keyspace.get('a'), keyspace.get('b')]).toEqual(['0,1,2,3,4', '1']);
  });

  test('operands of the tables above what they stand on are joined, not folded', async () => {
    const path = temporaryDirectory();
    await using db = await open(path);
    const keyspace = texts(db, { operator: commas, url });
    keyspace.put('a', '0');
    await db.flush();
    keyspace.merge('a', '1');
    keyspace.merge('a', '2');
    await db.flush();
    expect(storedKinds(db)['a']!.sort()).toEqual(['merge 1+2', 'put']);
    expect(keyspace.get('a')).toBe('0,1,2');
  });

  test('without the url of its module they join operands and leave them unmerged, and a warning says so', async () => {
    const path = temporaryDirectory();
    await using db = await open(path);
    const heard = warnings(db);
    const keyspace = texts(db, commas);
    keyspace.put('a', '0');
    for (let i = 1; i < 5; i++) {
      keyspace.merge('a', `${i}`);
      await db.flush();
      await db.compact();
      expect(keyspace.get('a')).toBe(['0', '1', '2', '3', '4'].slice(0, i + 1).join(','));
    }
    expect(storedKinds(db)['a']).toEqual(['merge 1+2+3+4', 'put']);
    expect(heard.map(({ code }) => code)).toEqual(['USER_CODE_WITHOUT_URL']);
  });

  test.each([
    [
      'a module that does not load',
      new URL('./fixtures/broken-operators.ts', import.meta.url),
      'does not load',
    ],
    ['a module that is not there', new URL('./fixtures/nowhere.ts', import.meta.url), 'nowhere'],
    ['a module without it', new URL('./golden.ts', import.meta.url), 'exports nothing'],
  ])('go on without %s, with a warning', async (_what, wrong, message) => {
    const path = temporaryDirectory();
    await using db = await open(path);
    const heard = warnings(db);
    const keyspace = texts(db, { operator: commas, url: wrong });
    keyspace.put('a', '0');
    keyspace.merge('a', '1');
    await db.flush();
    expect(keyspace.get('a')).toBe('0,1');
    expect(storedKinds(db)['a']).toEqual(['merge 1', 'put']);
    expect(heard).toMatchObject([
      { code: 'USER_CODE_MISSING', context: { keyspace: 'texts', operator: 'commas' } },
    ]);
    expect(heard[0]!.message).toContain(message);
  });

  test.each(['threads', 'slices'])(
    'an operator that throws costs nothing: operands stay, key and operator are told (%s)',
    async (where) => {
      const path = where === 'threads' ? temporaryDirectory() : ':memory:';
      await using db = await open(path);
      const heard = warnings(db);
      const keyspace = texts(db, { operator: fragile, url });
      for (const key of ['bad', 'good']) {
        keyspace.put(key, '0');
        keyspace.merge(key, '1');
      }
      await db.flush();
      await db.compact();
      const failed = {
        code: 'MERGE_FAILED',
        context: { keyspace: 'texts', operator: 'fragile', key: utf8.encode('bad') },
      };
      expect(heard.length).toBeGreaterThan(0);
      expect(heard.every(({ code }) => code === 'MERGE_FAILED')).toBe(true);
      expect(heard[0]).toMatchObject(failed);
      expect(keyspace.get('good')).toBe('0,1');
      const read = expect.objectContaining({
        ...failed,
        kind: 'invalid',
        cause: expect.any(Error) as unknown,
      }) as Error;
      expect(() => keyspace.get('bad')).toThrow(read);
      expect(() => [...keyspace.range()]).toThrow(read);
      await expect(keyspace.getAsync('bad')).rejects.toThrow(read);
      expect([...keyspace.range().keys()]).toEqual(['bad', 'good']);
      expect(() => db.write(db.batch().put(keyspace, 'bad', 'x').merge(keyspace, 'bad', 'y'))).toThrow(read);
      if (where === 'slices') return;
      await db.close();
      // Mended: the module is another one now, with what the operands need.
      await using again = await open(path);
      const mended = texts(again, { ...fragile, merge: commas.merge });
      expect([mended.get('bad'), mended.get('good')]).toEqual(['0,1', '0,1']);
    },
  );

  test('built-in operators need no url', async () => {
    const path = temporaryDirectory();
    await using db = await open(path);
    const heard = warnings(db);
    const counts = db.keyspace('counts', { key: utf8, value: u64, mergeOperator: counter });
    for (let i = 0; i < 5000; i++) counts.merge('hits', 2);
    const users = db.keyspace('users', { key: utf8, value: json<object>(), mergeOperator: jsonMergePatch });
    users.put('ada', { name: 'Ada', at: { city: 'Paris', zip: 1 } });
    users.merge('ada', { at: { city: 'London', zip: null }, phone: 7 });
    await db.flush();
    expect(counts.get('hits')).toBe(10_000);
    expect(users.get('ada')).toEqual({ name: 'Ada', at: { city: 'London' }, phone: 7 });
    expect(Object.values(storedKinds(db)).flat()).toEqual(['put', 'put']);
    expect(heard).toEqual([]);
  });

  test('a value in a blob file is merged with, and what is left of it goes', async () => {
    const path = temporaryDirectory();
    await using db = await open(path);
    const keyspace = db.keyspace('texts', {
      key: utf8,
      value: utf8,
      mergeOperator: { operator: commas, url },
      blobValueBytes: 64,
    });
    const long = 'x'.repeat(500);
    keyspace.put('a', long);
    await db.flush();
    keyspace.merge('a', '1');
    expect(keyspace.get('a')).toBe(`${long},1`);
    await db.flush();
    expect([...keyspace.range().values()]).toEqual([`${long},1`]);
    await db.compact();
    expect(storedKinds(db)['a']).toEqual(['blob']);
    expect(keyspace.get('a')).toBe(`${long},1`);
    expect((await db.verify({ full: true })).problems).toEqual([]);
  });

  test('another version of an operator is taken, and a warning says so', async () => {
    const path = temporaryDirectory();
    {
      await using db = await open(path);
      texts(db, commas).merge('a', '1');
    }
    {
      await using db = await open(path);
      const heard = warnings(db);
      expect(texts(db, { operator: { ...commas, version: 2 }, url }).get('a')).toBe('1');
      await db.sync('os');
      expect(heard).toMatchObject([{ code: 'MERGE_OPERATOR_VERSION' }]);
      expect(heard[0]!.message).toContain('version 1');
    }
    await using db = await open(path);
    const heard = warnings(db);
    expect(texts(db, { operator: { ...commas, version: 2 }, url }).get('a')).toBe('1');
    expect(heard).toEqual([]);
  });
});
