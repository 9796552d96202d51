/** Bad input: batches, keyspaces and codecs that belong elsewhere or are gone. */
import { json, open, u64, utf8, VarveError } from 'varve';
import { describe, expect, onTestFinished, test } from 'vitest';
import { inMemory, texts } from './in-memory.ts';
import { expectRefusal, refusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

describe('what belongs to whom', () => {
  test('a batch, a keyspace or a made-up object of elsewhere is refused', async () => {
    const db = await inMemory();
    const other = await inMemory();
    const data = texts(db);
    const foreign = texts(other);
    await expectRefusal(() => db.write(other.batch().put(foreign, 'a', '1')), 'BATCH_FOREIGN', 'invalid');
    await expectRefusal(() => db.write({} as never), 'BATCH_FOREIGN', 'invalid');
    await expectRefusal(() => db.write(undefined as never), 'BATCH_FOREIGN', 'invalid');
    await expectRefusal(() => db.batch().put(foreign, 'a', '1'), 'KEYSPACE_FOREIGN', 'invalid');
    await expectRefusal(() => db.batch().delete(foreign, 'a'), 'KEYSPACE_FOREIGN', 'invalid');
    await expectRefusal(
      () => db.batch().deleteRange(foreign, { gte: 'a', lt: 'b' }),
      'KEYSPACE_FOREIGN',
      'invalid',
    );
    await expectRefusal(() => db.batch().put({} as never, 'a', '1'), 'KEYSPACE_FOREIGN', 'invalid');
    const snapshot = db.snapshot();
    await expectRefusal(() => snapshot.get(foreign, 'a'), 'KEYSPACE_FOREIGN', 'invalid');
    await expectRefusal(() => snapshot.range(foreign), 'KEYSPACE_FOREIGN', 'invalid');
    snapshot.close();
    expect(data.count() + foreign.count()).toBe(0);
  });

  test('a refused operation leaves the batch as it was, and a refused batch keeps its operations', async () => {
    const db = await inMemory();
    const data = texts(db);
    const batch = db.batch().put(data, 'a', '1');
    await expectRefusal(() => batch.put(data, 'b', 2 as never), 'VALUE_INVALID', 'invalid');
    await expectRefusal(() => batch.put(data, 3 as never, 'v'), 'KEY_INVALID', 'invalid');
    expect(batch.count).toBe(1);
    await expectRefusal(() => db.write(batch, { durability: 'replicated' }), 'DURABILITY_INVALID', 'invalid');
    expect(batch.count).toBe(1);
    db.write(batch);
    expect([...data.range()]).toEqual([['a', '1']]);
  });

  test('a dropped keyspace refuses everything, also in a batch, a snapshot and a cursor that knew it', async () => {
    const db = await inMemory();
    const data = texts(db);
    const kept = texts(db, 'kept');
    for (let i = 0; i < 10; i++) data.put(`k${i}`, '1');
    const batch = db.batch().put(kept, 'a', '1').put(data, 'a', '1');
    const snapshot = db.snapshot();
    const cursors = [data.range().cursor(), snapshot.range(data).cursor()];
    for (const cursor of cursors) cursor.next();
    await db.dropKeyspace('texts');
    const context = { keyspace: 'texts' };
    await expectRefusal(() => data.put('a', '1'), 'KEYSPACE_DROPPED', 'invalid', context);
    await expectRefusal(() => data.get('a'), 'KEYSPACE_DROPPED', 'invalid', context);
    await expectRefusal(() => db.batch().put(data, 'a', '1'), 'KEYSPACE_DROPPED', 'invalid', context);
    await expectRefusal(() => snapshot.get(data, 'k1'), 'KEYSPACE_DROPPED', 'invalid', context);
    for (const cursor of cursors)
      await expectRefusal(() => cursor.next(), 'KEYSPACE_DROPPED', 'invalid', context);
    await expectRefusal(() => db.write(batch), 'KEYSPACE_DROPPED', 'invalid');
    expect(kept.count()).toBe(0);
    for (const cursor of cursors) cursor.close();
    snapshot.close();
    kept.put('b', '1');
    expect(kept.count()).toBe(1);
  });

  test('another key codec than the stored one is refused, and the data stays readable with the right one', async () => {
    const path = temporaryDirectory();
    const db = await open(path);
    db.keyspace('data', { key: u64, value: utf8 }).put(1, 'one');
    const context = { keyspace: 'data', expected: 'u64', got: 'utf8' };
    await expectRefusal(
      () => db.keyspace('data', { key: utf8, value: utf8 }),
      'KEYSPACE_CODEC',
      'invalid',
      context,
    );
    await db.close();
    const again = await open(path);
    onTestFinished(() => again.close());
    await expectRefusal(
      () => again.keyspace('data', { key: utf8, value: utf8 }),
      'KEYSPACE_CODEC',
      'invalid',
      context,
    );
    expect(again.keyspace('data', { key: u64, value: utf8 }).get(1)).toBe('one');
  });

  test('what is stored in another form than the value codec reads is told, not guessed', async () => {
    const path = temporaryDirectory();
    const db = await open(path);
    db.keyspace('data', { key: utf8, value: utf8 }).put('a', 'not json');
    await db.close();
    const again = await open(path);
    onTestFinished(() => again.close());
    const error = await refusal(() => again.keyspace('data', { key: utf8, value: json<unknown>() }).get('a'));
    expect(error).toBeInstanceOf(VarveError);
    expect(error.code).toMatch(/^(VALUE_INVALID|KEYSPACE_CODEC)$/);
  });
});
