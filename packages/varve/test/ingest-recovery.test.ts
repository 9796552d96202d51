/**
 * An ingestion that the log has and the manifest has not: what open makes of it, what it says when tables are missing or the
 * record is damaged, and how a read-only database that follows takes it over.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Database, dumpFile, type Keyspace, open, utf8 } from 'varve';
import { MemoryFs, SimFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';
import { key } from './small-tables.ts';
import { temporaryDirectory } from './temp-directory.ts';

const texts = (db: Database): Keyspace<string, string> => db.keyspace('texts', { key: utf8, value: utf8 });
const entries = Array.from({ length: 50 }, (_, i): [string, string] => [key(i), `ingested ${i}`]);

interface Killed {
  readonly fs: SimFs;
  readonly table: string;
  readonly log: string;
}

/** A process that was killed right after it had handed the record of an ingestion to the system. */
async function killed(): Promise<Killed> {
  const time = new ManualScheduler();
  const fs = new SimFs();
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual' }, { sliceMs: 0 });
  const data = texts(db);
  data.put(key(3), 'old');
  await time.run(db.flush());
  let isCommitted = false;
  db.events.addEventListener('ingest', () => (isCommitted = true));
  db.ingest(data, entries, { durability: 'memory' }).catch(() => undefined);
  while (!isCommitted) await time.turn();
  data.put(key(4), 'after');
  data.put('z', 'after');
  db.syncNow('disk');
  // Its record says how far the log was on disk.
  data.put('zz', 'last');
  db.syncNow('os');
  const next = fs.crashProcess();
  const names = next.list('/db');
  return {
    fs: next,
    table: `/db/${names.filter((name) => name.endsWith('.sst')).at(-1)!}`,
    log: `/db/${names.filter((name) => name.endsWith('.wal')).at(-1)!}`,
  };
}

const reopen = (fs: SimFs, options: object = {}): Promise<Database> =>
  new ManualScheduler().open('/db', { fileSystem: fs, createIfMissing: false, ...options });

const expected = [
  ...entries.map(([name, value]) => [name, name === key(4) ? 'after' : value]),
  ['z', 'after'],
  ['zz', 'last'],
];

test('open makes its tables part of the keyspace, again and again until the manifest has them', async () => {
  const { fs } = await killed();
  for (const readOnly of [true, false, true, false]) {
    const db = await reopen(fs, { readOnly, recovery: 'strict' });
    expect([...texts(db).range()]).toEqual(expected);
    expect(db.recovered.warnings).toEqual([]);
    expect((await db.verify()).problems).toEqual([]);
    await db.close();
  }
});

test('a table of it that is missing, or cut, is damage by name; salvage goes on without it', async () => {
  for (const damage of ['missing', 'cut'] as const) {
    const { fs, table } = await killed();
    if (damage === 'missing') fs.remove(table);
    else {
      const file = fs.open(table, 'readWrite');
      file.truncate(file.size() - 1);
      file.close();
    }
    const error = await expectRefusal(() => reopen(fs), 'CORRUPTION', 'corruption', { file: table });
    expect(error.message).toContain(damage === 'missing' ? 'missing' : 'bytes long');
    const salvaged = await reopen(fs, { recovery: 'salvage' });
    expect(salvaged.recovered.warnings.some((warning) => warning.includes(table))).toBe(true);
    expect([...texts(salvaged).range()]).toEqual([
      [key(3), 'old'],
      [key(4), 'after'],
      ['z', 'after'],
      ['zz', 'last'],
    ]);
    await salvaged.close();
  }
});

test('every byte of its record that is wrong is damage of the log, never something else', async () => {
  const { fs, log } = await killed();
  const copy = temporaryDirectory();
  mkdirSync(copy);
  const path = join(copy, basename(log));
  const handle = fs.open(log, 'read');
  const bytes = new Uint8Array(handle.size());
  handle.read(bytes, 0, bytes.length, 0);
  writeFileSync(path, bytes);
  const offsets = [...dumpFile(path)].filter(({ kind }) => kind === 'ingestion');
  expect(offsets).toHaveLength(1);
  const { offset, detail } = offsets[0]!;
  expect(detail).toMatchObject({ keyspace: 1, tables: 1 });
  const length = detail['bytes'] as number;
  for (let at = offset; at < offset + length; at += 7) {
    const file = fs.open(log, 'readWrite');
    const byte = new Uint8Array(1);
    file.read(byte, 0, 1, at);
    byte[0]! ^= 0x41;
    file.write(byte, 0, 1, at);
    await expectRefusal(() => reopen(fs, { recovery: 'strict' }), 'CORRUPTION', 'corruption', {
      file: log,
    });
    byte[0]! ^= 0x41;
    file.write(byte, 0, 1, at);
    file.close();
  }
  const db = await reopen(fs);
  expect(texts(db).count()).toBe(expected.length);
  await db.close();
});

test('tables whose record never came are removed at open', async () => {
  const time = new ManualScheduler();
  const fs = new SimFs();
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual' }, { sliceMs: 0 });
  const data = texts(db);
  db.syncNow();
  async function* source(): AsyncGenerator<[string, string]> {
    yield* entries;
    // More than the chunks hold: tables are written, and there is more to come.
    for (let i = 0; i < 60; i++) yield [`z${i + 100}`, 'x'.repeat(1024 * 1024)];
    await new Promise(() => undefined);
  }
  db.ingest(data, source()).catch(() => undefined);
  const tables = (): number => fs.list('/db').filter((name) => name.endsWith('.sst')).length;
  for (let turns = 0; tables() < 3; turns++) {
    if (turns > 200_000) throw new Error('no tables are written');
    await time.turn();
  }
  const next = fs.crashProcess();
  const again = await reopen(next);
  expect([...texts(again).range()]).toEqual([]);
  await again.close();
  expect(next.list('/db').filter((name) => name.endsWith('.sst'))).toEqual([]);
});

/** A writer whose background work takes a step a turn, and a read-only database beside it. */
async function followed(): Promise<{ time: ManualScheduler; db: Database; reader: Database }> {
  const time = new ManualScheduler();
  const fs = new MemoryFs();
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual' }, { sliceMs: 0 });
  onTestFinished(() => time.run(db.close()));
  texts(db);
  db.syncNow('os');
  await time.settle();
  const reader = await open('/db', { fileSystem: fs, readOnly: true });
  onTestFinished(() => reader.close());
  return { time, db, reader };
}

test('a reader takes over an ingestion from the log, and keeps what its snapshots saw', async () => {
  const { time, db, reader } = await followed();
  const data = texts(db);
  data.put(key(3), 'old');
  db.syncNow('os');
  await reader.refresh();
  const before = reader.snapshot();
  await time.run(db.ingest(data, entries, { durability: 'os' }));
  await reader.refresh();
  expect([...texts(reader).range()]).toEqual(entries);
  expect([...before.range(texts(reader))]).toEqual([[key(3), 'old']]);
  await time.run(db.compact());
  await reader.refresh();
  expect([...texts(reader).range()]).toEqual(entries);
  expect([...before.range(texts(reader))]).toEqual([[key(3), 'old']]);
  before.close();
});

test('what the reader has in memory does not hide what was ingested over it', async () => {
  const { time, db, reader } = await followed();
  const data = texts(db);
  data.put(key(3), 'old');
  db.syncNow('os');
  await reader.refresh();
  // Flushed up to here by the writer, not yet in the manifest; the reader's memtable goes on with the next write.
  const flushing = db.flush();
  data.put('z', 'of another range');
  db.syncNow('os');
  await reader.refresh();
  await time.run(flushing);
  await time.run(db.ingest(data, entries, { durability: 'os' }));
  data.put('zz', 'later');
  db.syncNow('os');
  await reader.refresh();
  expect([...texts(reader).range()]).toEqual([...entries, ['z', 'of another range'], ['zz', 'later']]);
  expect(texts(reader).get(key(3))).toBe('ingested 3');
});
