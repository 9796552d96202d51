/**
 * Thousands of keyspaces with a few bytes each: they fit the memory for memtables, whatever its default is divided into, and
 * where they do not, the many small ones make room together. Making, flushing and finding them takes no time for each pair.
 * `npm run sim -- keyspaces` does the same with ten thousand, on disk.
 */
import { type Database, type DatabaseOptions, type Keyspace, open, utf8 } from 'varve';
import { MemoryFs, openSimulated, SimFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';

/** More than 32 KiB each would leave room for. */
const COUNT = 3000;
const KIB = 1024;

const texts = (db: Database, number: number): Keyspace<string, string> =>
  db.keyspace(`keyspace ${number}`, { key: utf8, value: utf8 });

async function opened(fs: MemoryFs, options: DatabaseOptions = {}): Promise<Database> {
  const db = await open('/db', { fileSystem: fs, ...options });
  onTestFinished(() => db.close());
  return db;
}

test('thousands of keyspaces take a key each with the default memory, and all are there again', async () => {
  const fs = new MemoryFs();
  const db = await opened(fs, { pressure: 'fail' });
  for (let i = 0; i < COUNT; i++) texts(db, i).put('key', `value ${i}`);
  expect(db.stats().pressure).toMatchObject({ delayed: 0, blocked: 0, failed: 0 });
  for (let i = 0; i < COUNT; i++) if (texts(db, i).get('key') !== `value ${i}`) expect.fail(`${i} in memory`);
  await db.flush();
  expect(db.stats().memoryBytes.memtables).toBe(0);
  for (let i = 0; i < COUNT; i++)
    if (texts(db, i).get('key') !== `value ${i}`) expect.fail(`${i} in a table`);
  await db.close();
  const again = await opened(fs);
  expect(again.keyspaces()).toHaveLength(COUNT);
  for (let i = 0; i < COUNT; i++)
    if (texts(again, i).get('key') !== `value ${i}`) expect.fail(`${i} after opening`);
});

test.each(['btree', 'skiplist'] as const)(
  'the %s of a keyspace with one small entry takes 2 KiB',
  async (memtable) => {
    const db = await openSimulated(':memory:', {}, { memtable });
    onTestFinished(() => db.close());
    for (let i = 0; i < 100; i++) texts(db, i).put('key', 'value');
    expect(db.stats().memoryBytes.memtables).toBe(100 * 2 * KIB);
  },
);

test('more keyspaces than the memory can hold make room together, in few edits, and nobody is refused', async () => {
  const fs = new SimFs();
  let manifestSyncs = 0;
  fs.onOperation = (operation, path) => {
    if (operation.endsWith('ync') && path.includes('MANIFEST')) manifestSyncs++;
  };
  const time = new ManualScheduler();
  const options = { fileSystem: fs, memtableBytesMax: 1024 * KIB, batchBytesMax: 64 * KIB };
  const db = await time.open('/db', options);
  for (let i = 0; i < 1000; i++) texts(db, i).put('key', `value ${i}`);
  expect(db.stats().pressure.failed).toBe(0);
  await time.run(db.flush());
  expect(manifestSyncs).toBeLessThan(100);
  for (let i = 0; i < 1000; i++) if (texts(db, i).get('key') !== `value ${i}`) expect.fail(`${i} is lost`);
  await time.run(db.close());
  const again = await time.open('/db', options);
  for (let i = 0; i < 1000; i++) if (texts(again, i).get('key') !== `value ${i}`) expect.fail(`${i} is lost`);
  await time.run(again.close());
});

test('keyspaces that are made, dropped and made anew before the manifest knows them are what they are after a crash', async () => {
  const fs = new MemoryFs();
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual' }, { sliceMs: 0 });
  onTestFinished(() => db.close());
  texts(db, 0).put('key', 'first');
  texts(db, 1);
  texts(db, 2).put('key', 'kept');
  db.dropKeyspace('keyspace 0').catch(() => undefined);
  texts(db, 3);
  texts(db, 0).put('key', 'second');
  texts(db, 4);
  db.syncNow();
  for (let turn = 0; turn < 12; turn++) {
    await time.turn();
    copy(fs, '/db', `/crash${turn}`);
    const again = await time.open(`/crash${turn}`, { fileSystem: fs });
    expect(again.keyspaces()).toEqual(db.keyspaces());
    expect([texts(again, 0).get('key'), texts(again, 2).get('key')]).toEqual(['second', 'kept']);
    await time.run(again.close());
  }
});

/** What a crash of the process leaves of `from`, at `to`. */
function copy(fs: MemoryFs, from: string, to: string): void {
  fs.makeDirectory(to);
  for (const name of fs.list(from)) {
    const source = fs.open(`${from}/${name}`, 'read');
    const target = fs.open(`${to}/${name}`, 'create');
    const bytes = new Uint8Array(source.size());
    source.read(bytes, 0, bytes.length, 0);
    target.write(bytes, 0, bytes.length, 0);
  }
}
