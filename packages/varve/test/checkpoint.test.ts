/**
 * Checkpoints: a copy of an open database that opens as one of its own, with what was not flushed yet.
 */
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, type Keyspace, open, u64, utf8 } from 'varve';
import { FaultFs, MemoryFs, Random, SimFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

type Texts = Keyspace<string, string>;
const texts = (db: Database, name = 'data'): Texts => db.keyspace(name, { key: utf8, value: utf8 });

async function opened(path: string): Promise<Database> {
  const db = await open(path);
  onTestFinished(() => db.close());
  return db;
}

test('it holds what is in tables, in memtables and in the log buffer, and both go their own ways', async () => {
  const path = temporaryDirectory();
  const copy = temporaryDirectory();
  const db = await opened(path);
  const data = texts(db);
  const numbers = db.keyspace('numbers', { key: u64, value: u64 });
  for (let i = 0; i < 500; i++) data.put(`flushed${i}`, 'x'.repeat(i % 50));
  await db.flush();
  data.deleteRange({ gte: 'flushed1', lt: 'flushed2' });
  for (let i = 0; i < 500; i++) numbers.put(i, i * 2);
  await db.sync();
  data.put('in the buffer', 'v');
  const before = { data: [...data.range()], numbers: [...numbers.range()] };
  const checkpoint = db.checkpoint(copy);
  data.put('after', 'v');
  await checkpoint;
  data.delete('in the buffer');

  const other = await opened(copy);
  expect(other.keyspaces()).toEqual(['data', 'numbers']);
  expect([...texts(other).range()]).toEqual(before.data);
  expect([...other.keyspace('numbers', { key: u64, value: u64 }).range()]).toEqual(before.numbers);
  expect((await other.verify()).problems).toEqual([]);
  expect(other.recovered.warnings).toEqual([]);
  texts(other).put('only in the copy', 'v');
  await other.compact();
  await db.compact();
  expect(texts(other).has('in the buffer')).toBe(true);
  expect([data.has('only in the copy'), data.has('after'), data.has('in the buffer')]).toEqual([
    false,
    true,
    false,
  ]);
  expect(data.count()).toBe(before.data.length);
  expect((await db.verify()).problems).toEqual([]);
});

test('tables are linked, not copied; log and manifest are its own', async () => {
  const path = temporaryDirectory();
  const copy = temporaryDirectory();
  const db = await opened(path);
  texts(db).put('a', '1');
  await db.flush();
  texts(db).put('b', '2');
  await db.checkpoint(copy);
  const inodes = (directory: string, ending: string): number[] =>
    readdirSync(directory)
      .filter((name) => name.includes(ending))
      .map((name) => statSync(join(directory, name)).ino);
  expect(inodes(copy, '.sst')).toEqual(inodes(path, '.sst'));
  for (const kind of ['.wal', 'MANIFEST']) {
    for (const inode of inodes(copy, kind)) expect(inodes(path, kind)).not.toContain(inode);
  }
  expect(readdirSync(copy).filter((name) => name.startsWith('LOCK'))).toEqual([]);
});

test('a target that is there is refused and stays as it is', async () => {
  const db = await opened(temporaryDirectory());
  const file = temporaryDirectory();
  writeFileSync(file, 'mine');
  await expectRefusal(() => db.checkpoint(file), 'EXISTS', 'invalid', { path: file });
  const full = temporaryDirectory();
  mkdirSync(full);
  writeFileSync(join(full, 'notes.txt'), 'mine');
  await expectRefusal(() => db.checkpoint(full), 'EXISTS', 'invalid', { path: full });
  expect(readdirSync(full)).toEqual(['notes.txt']);
  await expectRefusal(() => db.checkpoint(''), 'PATH_INVALID', 'invalid');
  await expectRefusal(() => db.checkpoint(db.path), 'EXISTS', 'invalid');
  const empty = temporaryDirectory();
  mkdirSync(empty);
  await db.checkpoint(empty);
  expect(readdirSync(empty).length).toBeGreaterThan(0);
});

test('it survives power loss once it has resolved, and is none while it is being made', async () => {
  const fs = new SimFs();
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual' });
  const data = texts(db);
  data.put('a', '1');
  await time.run(db.flush());
  data.put('b', '2');
  await time.run(db.checkpoint('/backups/monday'));
  const left = fs.crash(new Random(1), { data: 'nothing', names: 'nothing' });
  const again = await new ManualScheduler().open('/backups/monday', { fileSystem: left });
  expect([...texts(again).range()]).toEqual([
    ['a', '1'],
    ['b', '2'],
  ]);
  await again.close();
});

test('writes, flushes and compactions meanwhile do not reach it', async () => {
  const time = new ManualScheduler();
  const fs = new SimFs();
  const db = await time.open('/db', {
    fileSystem: fs,
    logBytesMax: 512 * 1024,
    memoryBytesMax: 16 * 1024 ** 2,
  });
  onTestFinished(() => db.close());
  const data = texts(db);
  const value = 'v'.repeat(1000);
  for (let i = 0; i < 300; i++) data.put(`k${i}`, value);
  const checkpoint = db.checkpoint('/copy');
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 300; i++) data.put(`k${i}`, `${round}`);
    void db.flush();
    void db.compact();
    await time.turn();
  }
  await time.run(checkpoint);
  await time.settle();
  const copy = await new ManualScheduler().open('/copy', { fileSystem: fs });
  onTestFinished(() => copy.close());
  expect(copy.recovered.cutBytes).toBe(0);
  expect([...texts(copy).range().values()]).toEqual(Array.from({ length: 300 }, () => value));
});

test('with an outside log it has everything up to its position', async () => {
  const time = new ManualScheduler();
  const fs = new SimFs();
  const db = await time.open('/db', { fileSystem: fs, log: 'external' });
  onTestFinished(() => db.close());
  db.applyExternal(3, db.batch().put(texts(db), 'a', '1').put(texts(db, 'other'), 'b', '2'));
  await time.run(db.checkpoint('/copy'));
  const copy = await new ManualScheduler().open('/copy', { fileSystem: fs, log: 'external' });
  onTestFinished(() => copy.close());
  expect([copy.appliedPosition(), texts(copy).get('a'), texts(copy, 'other').get('b')]).toEqual([
    3,
    '1',
    '2',
  ]);
});

test('one that fails says why, and the database goes on', async () => {
  const disk = new MemoryFs();
  const fs = new FaultFs(disk);
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: fs });
  onTestFinished(() => db.close());
  const data = texts(db);
  data.put('a', '1');
  await time.run(db.flush());
  fs.add({ kind: 'EIO', operations: ['create', 'link'], path: '/', times: 1 });
  await expectRefusal(() => time.run(db.checkpoint('/copy')), 'IO_ERROR', 'io', { system: 'EIO' });
  data.put('b', '2');
  await time.run(db.sync());
  expect(data.count()).toBe(2);
  await time.run(db.checkpoint('/copy2'));
});

test("a ':memory:' database has nothing to copy and says so", async () => {
  const db = await opened(':memory:');
  await expectRefusal(() => db.checkpoint(temporaryDirectory()), 'MEMORY_ONLY', 'invalid');
});
