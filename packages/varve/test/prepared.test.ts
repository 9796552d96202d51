/** Two-phase commit of one database: prepared transactions, their locks, their decisions, over reopenings. */
import { type Database, dumpFile, type Keyspace, open } from 'varve';
import { MemoryFs, nodeFileSystem, Random, SimFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openAttached } from './attached-database.ts';
import { inMemory, type Texts, texts } from './in-memory.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';
import { transactionWorld } from './transaction-world.ts';
import { HandClock, START } from './ttl-world.ts';

async function prepared(db: Database, data: Texts, id = 'one'): Promise<void> {
  const tx = db.begin();
  tx.get(data, 'a');
  tx.put(data, 'b', 'new b');
  tx.delete(data, 'c');
  tx.deleteRange(data, { gte: 'x', lt: 'z' });
  await tx.prepare(id);
}

describe('a prepared transaction', () => {
  test('is not to be seen before it is committed, and then as one batch', async () => {
    const { db, data } = await transactionWorld();
    data.put('y', 'old y');
    await prepared(db, data);
    expect(data.get('b')).toBe('old b');
    expect(db.preparedTransactions()).toMatchObject([{ id: 'one', keyspaces: ['texts'], operations: 3 }]);
    expect(db.stats().transactions).toMatchObject({ prepared: 1, open: 0 });
    const sequence = db.commitPrepared('one');
    expect(sequence).toBe(db.stats().sequence);
    expect([...data.range()].map(([key, value]) => `${key}=${value}`).join(' ')).toBe(
      'a=old a b=new b d=old d',
    );
    expect(db.preparedTransactions()).toEqual([]);
    expect(db.stats().transactions.locks).toBe(0);
  });

  test('leaves nothing behind when it is rolled back', async () => {
    const { db, data } = await transactionWorld();
    await prepared(db, data);
    await db.rollbackPrepared('one', { durability: 'disk' });
    expect(data.get('b')).toBe('old b');
    data.put('a', 'free');
    data.put('b', 'free');
    await expectRefusal(() => db.commitPrepared('one'), 'PREPARED_NOT_FOUND', 'invalid', { id: 'one' });
  });

  test('locks what it writes and what it has read, for writes of all kinds', async () => {
    const { db, data } = await transactionWorld();
    await prepared(db, data);
    const locked = { keyspace: 'texts', prepared: 'one' };
    for (const key of ['a', 'b', 'c', 'x', 'y']) {
      await expectRefusal(() => data.put(key, 'x'), 'KEY_LOCKED', 'conflict', locked);
      await expectRefusal(() => data.delete(key), 'KEY_LOCKED', 'conflict', locked);
      await expectRefusal(() => db.write(db.batch().put(data, key, 'x')), 'KEY_LOCKED', 'conflict', locked);
      const tx = db.begin({ lockTimeoutMs: 0 });
      tx.put(data, key, 'x');
      await expectRefusal(() => tx.commit(), 'KEY_LOCKED', 'conflict', locked);
      const waits = db.begin({ lockTimeoutMs: 1 });
      await expectRefusal(() => waits.getForUpdate(data, key), 'LOCK_TIMEOUT', 'busy');
      waits.rollback();
    }
    await expectRefusal(() => data.deleteRange({ gte: 'a', lt: 'd' }), 'KEY_LOCKED', 'conflict', locked);
    data.put('d', 'free');
    data.put('z', 'free');
    expect(data.get('a')).toBe('old a');
    db.commitPrepared('one');
    data.put('a', 'free');
  });

  test('under snapshot isolation locks what it writes only', async () => {
    const { db, data } = await transactionWorld();
    const tx = db.begin({ isolation: 'snapshot' });
    tx.get(data, 'a');
    tx.put(data, 'b', 'new');
    await tx.prepare('one');
    data.put('a', 'free');
    await expectRefusal(() => data.put('b', 'x'), 'KEY_LOCKED', 'conflict');
  });

  test('keeps ranges that it has read from growing, up to the end of the keyspace', async () => {
    const { db, data } = await transactionWorld();
    const tx = db.begin();
    expect([...tx.range(data, { gte: 'c' })]).toHaveLength(2);
    await tx.prepare('one');
    for (const key of ['c', 'dd', '\u{10ffff}'.repeat(100)]) {
      await expectRefusal(() => data.put(key, 'x'), 'KEY_LOCKED', 'conflict');
    }
    data.put('b', 'free');
    // It writes nothing, and has to be decided all the same.
    expect(db.commitPrepared('one')).toBe(db.stats().sequence);
    data.put('c', 'free');
  });

  test('is validated like a commit, and what is refused is rolled back', async () => {
    const { db, data } = await transactionWorld();
    const tx = db.begin();
    tx.get(data, 'a');
    tx.put(data, 'b', 'new');
    data.put('a', 'meanwhile');
    await expectRefusal(() => tx.prepare('one'), 'TRANSACTION_CONFLICT', 'conflict', { keyspace: 'texts' });
    expect(tx.isOpen).toBe(false);
    expect(db.preparedTransactions()).toEqual([]);
    data.put('b', 'free');
    const other = db.begin();
    await other.getForUpdate(data, 'c');
    const reads = db.begin();
    reads.get(data, 'c');
    await expectRefusal(() => reads.prepare('one'), 'KEY_LOCKED', 'conflict', { transaction: other.id });
    other.rollback();
  });

  test('keeps the locks that it took before, and lets waiters go when it is decided', async () => {
    const { db, data } = await transactionWorld();
    const tx = db.begin();
    await tx.getForUpdate(data, 'a');
    tx.put(data, 'a', 'new');
    await tx.prepare('one');
    const waits = db.begin({ lockTimeoutMs: 60_000 });
    const value = waits.getForUpdate(data, 'a');
    const awaited = data.put('a', 'after', { durability: 'memory', deadlineMs: 60_000 });
    db.commitPrepared('one');
    expect(await value).toBe('new');
    waits.rollback();
    await awaited;
    expect(data.get('a')).toBe('after');
  });

  test('can be used by its id alone: the object has ended', async () => {
    const { db, data } = await transactionWorld();
    const tx = db.begin();
    tx.put(data, 'a', 'new');
    await tx.prepare('one');
    for (const use of [() => tx.commit(), () => tx.put(data, 'a', 'x'), () => tx.prepare('two')]) {
      await expectRefusal(use, 'TRANSACTION_ENDED', 'invalid', { endedBy: 'prepare' });
    }
    tx.rollback();
    expect(db.preparedTransactions()).toHaveLength(1);
  });

  test('is refused for bad ids, and stays open then', async () => {
    const { db, data } = await transactionWorld();
    await prepared(db, data);
    const tx = db.begin();
    tx.put(data, 'd', 'new');
    for (const id of ['', 'x'.repeat(256), '\ud800', 5, undefined, null]) {
      await expectRefusal(() => tx.prepare(id as never), 'PREPARED_ID_INVALID', 'invalid');
      await expectRefusal(() => db.commitPrepared(id as never), 'PREPARED_ID_INVALID', 'invalid');
    }
    await expectRefusal(() => tx.prepare('one'), 'PREPARED_ID_USED', 'conflict', { id: 'one' });
    await expectRefusal(
      () => tx.prepare('two', { durability: 'replicated' }),
      'DURABILITY_INVALID',
      'invalid',
    );
    expect(tx.isOpen).toBe(true);
    await tx.prepare('two');
    expect(db.preparedTransactions().map(({ id }) => id)).toEqual(['one', 'two']);
    await db.close();
    await expectRefusal(() => db.commitPrepared('one'), 'CLOSED', 'closed');
    await expectRefusal(() => db.preparedTransactions(), 'CLOSED', 'closed');
  });

  test('whose keyspace was dropped before is refused, also when it has only written there', async () => {
    const { db, data } = await transactionWorld();
    const tx = db.begin();
    tx.put(data, 'a', 'new');
    await db.dropKeyspace('texts');
    await expectRefusal(() => tx.prepare('one'), 'KEYSPACE_DROPPED', 'invalid');
    expect(tx.isOpen).toBe(false);
    expect(db.preparedTransactions()).toEqual([]);
  });

  test('keeps its keyspaces from being dropped', async () => {
    const { db, data } = await transactionWorld();
    await prepared(db, data);
    await expectRefusal(() => db.dropKeyspace('texts'), 'KEYSPACE_PREPARED', 'conflict', { prepared: 'one' });
    db.rollbackPrepared('one');
    await db.dropKeyspace('texts');
  });

  test('lives its time from the commit on', async () => {
    const clock = new HandClock();
    const db = await inMemory({ clock });
    const data = texts(db);
    const tx = db.begin();
    tx.put(data, 'a', 'short', { ttlMs: 100 });
    await tx.prepare('one');
    expect(db.preparedTransactions()[0]!.time).toBe(START);
    clock.time += 1000;
    db.commitPrepared('one');
    clock.time += 99;
    expect(data.get('a')).toBe('short');
    clock.time += 1;
    expect(data.get('a')).toBeUndefined();
  });

  test('is prepared by the owner of a shared database, and decided by any thread', async () => {
    const there = await openAttached(temporaryDirectory(), { sync: 'manual' });
    onTestFinished(() => there.close());
    await expectRefusal(() => there.begin().prepare('one'), 'PREPARE_UNSUPPORTED', 'invalid');
    await expectRefusal(() => there.commitPrepared('one'), 'PREPARED_NOT_FOUND', 'invalid');
    expect(there.preparedTransactions()).toEqual([]);
  });
});

/** Flips a bit behind the second place in the log at which the id stands. */
function damageDecision(fileSystem: MemoryFs, id: string): void {
  for (const name of fileSystem.list('/db').filter((each) => each.endsWith('.wal'))) {
    const file = fileSystem.open(`/db/${name}`, 'readWrite');
    const bytes = new Uint8Array(file.size());
    file.read(bytes, 0, bytes.length, 0);
    const content = Buffer.from(bytes.buffer);
    const at = content.indexOf(id, content.indexOf(id) + 1);
    if (at > 0) {
      bytes[at + 5]! ^= 1;
      file.write(bytes, 0, bytes.length, 0);
    }
    file.close();
  }
}

describe('over a reopening', () => {
  const reopened = async (
    fileSystem: SimFs | MemoryFs,
    options = {},
  ): Promise<{ db: Database; data: Texts }> => {
    const db = await open('/db', { fileSystem, ...options });
    onTestFinished(() => db.close().catch(() => undefined));
    return { db, data: texts(db) };
  };

  test('a prepared transaction is there again, with its locks, and can be decided', async () => {
    const fileSystem = new MemoryFs();
    const first = await reopened(fileSystem);
    first.data.put('a', 'old a');
    await prepared(first.db, first.data);
    await first.db.close();
    const second = await reopened(fileSystem);
    expect(second.db.preparedTransactions()).toMatchObject([
      { id: 'one', operations: 3, keyspaces: ['texts'] },
    ]);
    for (const key of ['a', 'b', 'y']) {
      await expectRefusal(() => second.data.put(key, 'x'), 'KEY_LOCKED', 'conflict', { prepared: 'one' });
    }
    await second.db.flush();
    await second.db.close();
    const third = await reopened(fileSystem);
    third.db.commitPrepared('one');
    third.data.put('a', 'free');
    await third.db.close();
    const fourth = await reopened(fileSystem, { recovery: 'strict' });
    expect(fourth.db.preparedTransactions()).toEqual([]);
    expect(fourth.data.get('b')).toBe('new b');
    expect(fourth.data.get('a')).toBe('free');
    await fourth.db.flush();
    await fourth.db.close();
    const reader = await reopened(fileSystem, { readOnly: true });
    expect(reader.data.get('b')).toBe('new b');
  });

  test('one that only read is committed too', async () => {
    const fileSystem = new MemoryFs();
    const first = await reopened(fileSystem);
    first.data.put('a', 'old a');
    const tx = first.db.begin();
    tx.get(first.data, 'a');
    await tx.prepare('one');
    const reader = await reopened(fileSystem, { readOnly: true });
    expect(reader.db.preparedTransactions().map(({ id }) => id)).toEqual(['one']);
    first.db.commitPrepared('one');
    first.data.put('a', 'free');
    first.db.syncNow('os');
    await reader.db.refresh();
    expect(reader.db.preparedTransactions()).toEqual([]);
    expect(reader.data.get('a')).toBe('free');
    await first.db.close();
    for (const recovery of ['strict', 'salvage'] as const) {
      const again = await reopened(fileSystem, { recovery });
      expect(again.data.get('a')).toBe('free');
      expect(again.db.preparedTransactions()).toEqual([]);
      await again.db.close();
    }
  });

  test('a reader that follows sees nothing of it before it is committed', async () => {
    const fileSystem = new SimFs();
    const writer = await reopened(fileSystem);
    await prepared(writer.db, writer.data);
    const reader = await reopened(fileSystem, { readOnly: true });
    expect(reader.data.get('b')).toBeUndefined();
    await writer.db.commitPrepared('one', { durability: 'os' });
    await prepared(writer.db, writer.data, 'two');
    await writer.db.rollbackPrepared('two', { durability: 'os' });
    await reader.db.refresh();
    expect(reader.data.get('b')).toBe('new b');
    expect(reader.db.stats().sequence).toBe(writer.db.stats().sequence);
  });

  test('power loss after prepare resolves keeps it; after commit resolves on disk, the commit', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const options = { sync: 'manual' } as const;
      const fileSystem = new SimFs();
      const first = await reopened(fileSystem, options);
      await prepared(first.db, first.data);
      const left = fileSystem.crash(new Random(seed));
      const second = await reopened(left, options);
      expect(second.db.preparedTransactions().map(({ id }) => id)).toEqual(['one']);
      expect(second.data.get('b')).toBeUndefined();
      await second.db.commitPrepared('one', { durability: 'disk' });
      const third = await reopened(left.crash(new Random(seed)), options);
      expect(third.data.get('b')).toBe('new b');
      expect(third.db.preparedTransactions()).toEqual([]);
    }
  });

  test('a long one does not keep the log: its record is written anew', async () => {
    const options = {
      logBytesMax: 1024 * 1024,
      keyspaceDefaults: { memtableBytes: 64 * 1024 },
      sync: 'manual',
    } as const;
    const fileSystem = new MemoryFs();
    const { db, data } = await reopened(fileSystem, options);
    await prepared(db, data);
    const { sequence, time } = db.preparedTransactions()[0]!;
    const value = 'v'.repeat(1000);
    for (let i = 0; i < 12_000; i++) {
      data.put(`k${i % 100}`, value);
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await db.flush();
    expect(db.preparedTransactions()[0]!.sequence).toBeGreaterThan(sequence);
    expect(db.preparedTransactions()[0]!.time).toBe(time);
    expect(db.stats().log.bytes).toBeLessThan(4 * 1024 * 1024);
    await db.close();
    const again = await reopened(fileSystem, options);
    expect(again.db.recovered.batches).toBeLessThan(6000);
    expect(again.db.preparedTransactions()[0]!.time).toBe(time);
    again.db.commitPrepared('one');
    expect(again.data.get('b')).toBe('new b');
  });

  test('salvage leaves the damaged log behind, and opens although a decision is lost', async () => {
    const fileSystem = new MemoryFs();
    const first = await reopened(fileSystem);
    await prepared(first.db, first.data);
    await first.db.commitPrepared('one', { durability: 'disk' });
    await prepared(first.db, first.data, 'two');
    await first.data.put('last', 'one', { durability: 'disk' });
    await first.db.close();
    damageDecision(fileSystem, 'one');
    await expectRefusal(() => reopened(fileSystem), 'CORRUPTION', 'corruption');
    const salvaged = await reopened(fileSystem, { recovery: 'salvage' });
    expect(salvaged.db.preparedTransactions().map(({ id }) => id)).toEqual(['one', 'two']);
    await expectRefusal(() => salvaged.data.put('b', 'x'), 'KEY_LOCKED', 'conflict');
    await salvaged.db.close();
    // What was damaged is not needed any more.
    const again = await reopened(fileSystem, { recovery: 'strict' });
    expect(again.data.get('last')).toBe('one');
    again.db.rollbackPrepared('two');
    again.db.commitPrepared('one');
    expect(again.data.get('b')).toBe('new b');
    again.data.put('b', 'free');
  });

  test('the log can be read by people', async () => {
    const directory = temporaryDirectory();
    const db = await open(directory, { sync: 'manual' });
    const data: Keyspace<string, string> = texts(db);
    await prepared(db, data);
    db.commitPrepared('one');
    await prepared(db, data, 'two');
    db.rollbackPrepared('two');
    await db.close();
    const log = nodeFileSystem.list(directory).find((name) => name.endsWith('.wal'))!;
    const lines = [...dumpFile(`${directory}/${log}`)].filter(
      ({ kind }) => kind === 'prepare' || kind === 'commit',
    );
    expect(
      lines.map(({ kind, detail }) => [kind, detail['id'], detail['outcome'], detail['operations']]),
    ).toEqual([
      ['prepare', 'one', undefined, 3],
      ['commit', 'one', 'committed', 3],
      ['prepare', 'two', undefined, 3],
      ['commit', 'two', 'rolled back', undefined],
    ]);
  });
});
