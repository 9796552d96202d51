/** Bad input: what is done with a database, a snapshot or a cursor after it was closed. */
import { open } from 'varve';
import { describe, expect, onTestFinished, test } from 'vitest';
import { bytes, inMemory, texts } from './in-memory.ts';
import { expectRefusal, refusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

describe('after close', () => {
  test('every method says that the database is closed, and closing again does nothing', async () => {
    const path = temporaryDirectory();
    const db = await open(path);
    const data = texts(db);
    data.put('a', '1');
    data.put('b', '2');
    const batch = db.batch().put(data, 'c', '3');
    const snapshot = db.snapshot();
    const cursor = data.range().cursor();
    cursor.next();
    const iterator = data.range()[Symbol.iterator]();
    iterator.next();
    const unstarted = data.range();
    const asyncIterator = data.range()[Symbol.asyncIterator]();
    await asyncIterator.next();
    const ofSnapshot = snapshot.range(data).cursor();
    await Promise.all([db.close(), db.close()]);
    await db.close();
    await db[Symbol.asyncDispose]();

    const calls: Record<string, () => unknown> = {
      keyspace: () => db.keyspace('texts'),
      keyspaces: () => db.keyspaces(),
      dropKeyspace: () => db.dropKeyspace('texts'),
      batch: () => db.batch(),
      write: () => db.write(batch),
      'write and wait': () => db.write(batch, { durability: 'os' }),
      snapshot: () => db.snapshot(),
      sync: () => db.sync(),
      syncNow: () => db.syncNow(),
      flush: () => db.flush(),
      compact: () => db.compact(),
      verify: () => db.verify(),
      checkpoint: () => db.checkpoint(`${path}-copy`),
      stats: () => db.stats(),
      applyExternal: () => db.applyExternal(1, batch),
      appliedPosition: () => db.appliedPosition(),
      put: () => data.put('a', '1'),
      'put and wait': () => data.put('a', '1', { durability: 'disk' }),
      delete: () => data.delete('a'),
      deleteRange: () => data.deleteRange({ gte: 'a', lt: 'b' }),
      'empty deleteRange': () => data.deleteRange({ gte: 'a', lt: 'a' }),
      putIfAbsent: () => data.putIfAbsent('a', '1'),
      update: () => data.update('a', () => '1'),
      get: () => data.get('a'),
      getAsync: () => data.getAsync('a'),
      getMany: () => data.getMany(['a']),
      'getMany of none': () => data.getMany([]),
      has: () => data.has('a'),
      count: () => data.count(),
      approximateSize: () => data.approximateSize(),
      range: () => data.range(),
      'batch.put': () => batch.put(data, 'a', '1'),
      'batch.delete': () => batch.delete(data, 'a'),
      'batch.deleteRange': () => batch.deleteRange(data, { gte: 'a', lt: 'b' }),
      'snapshot.get': () => snapshot.get(data, 'a'),
      'snapshot.getMany': () => snapshot.getMany(data, ['a']),
      'snapshot.has': () => snapshot.has(data, 'a'),
      'snapshot.range': () => snapshot.range(data),
      'cursor.next': () => cursor.next(),
      'cursor.seek': () => cursor.seek(bytes('a')),
      'cursor of a snapshot': () => ofSnapshot.next(),
      'a running for': () => iterator.next(),
      'a running for await': () => asyncIterator.next(),
      'a range that was made before': () => [...unstarted],
    };
    for (const [name, call] of Object.entries(calls)) {
      const error = await refusal(call).catch((cause: unknown) => {
        throw new Error(name, { cause });
      });
      expect({ name, code: error.code, kind: error.kind }).toEqual({ name, code: 'CLOSED', kind: 'closed' });
    }
    // What holds nothing any more may still be put away.
    cursor.close();
    ofSnapshot.close();
    snapshot.close();
    snapshot.close();
    batch.clear();
    expect({ path: db.path, batches: db.recovered.batches, count: batch.count }).toEqual({
      path,
      batches: 0,
      count: 0,
    });

    const again = await open(path);
    onTestFinished(() => again.close());
    expect([...texts(again).range().keys()]).toEqual(['a', 'b']);
  });

  test('a snapshot after its own close says so, and its cursors with it', async () => {
    const db = await inMemory();
    const data = texts(db);
    data.put('a', '1');
    const snapshot = db.snapshot();
    const cursor = snapshot.range(data).cursor();
    snapshot.close();
    const context = { sequence: snapshot.sequence };
    await expectRefusal(() => snapshot.get(data, 'a'), 'CLOSED', 'closed', context);
    await expectRefusal(() => snapshot.getMany(data, ['a']), 'CLOSED', 'closed', context);
    await expectRefusal(() => snapshot.has(data, 'a'), 'CLOSED', 'closed', context);
    await expectRefusal(() => snapshot.range(data), 'CLOSED', 'closed', context);
    await expectRefusal(() => cursor.next(), 'CLOSED', 'closed', context);
    cursor.close();
    expect(data.get('a')).toBe('1');
    expect(db.stats().snapshots.count).toBe(0);
  });

  test('a closed cursor moves no more, and gives its sequence back once', async () => {
    const db = await inMemory();
    const data = texts(db);
    data.put('a', '1');
    const cursor = data.range().cursor();
    expect(db.stats().snapshots.count).toBe(1);
    cursor.close();
    cursor.close();
    expect(cursor.next()).toBe(false);
    expect(cursor.seek(bytes('a'))).toBe(false);
    expect(db.stats().snapshots.count).toBe(0);
  });

  test('promises that were pending at close settle', async () => {
    const db = await open(':memory:');
    const data = texts(db);
    const pending = [
      data.put('a', '1', { durability: 'os' }),
      data.put('b', '2', { durability: 'disk' }),
      db.sync(),
      db.flush(),
      db.compact(),
      db.verify(),
    ];
    const settled = Promise.allSettled(pending);
    await db.close();
    for (const outcome of await settled) {
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({ code: 'CLOSED', kind: 'closed' });
    }
    await expect(pending[1]).resolves.toBeGreaterThan(0);
  });
});
