/**
 * Transactions that are larger than a batch, and what ends a database while one is committed: after every crash all of it is
 * there, in all keyspaces, or nothing, and no table is left that belongs to nobody.
 */
import { type Database, dumpFile, open } from 'varve';
import { FaultFs, MemoryFs, Random, SimFs, SimulatedCrash } from 'varve/testing';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { codecs, entries, putAll, smallBatches } from './large-world.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';
import { key } from './small-tables.ts';
import { temporaryDirectory } from './temp-directory.ts';

const old = entries(0, 60, 'old');
const wanted = entries(30, 160, 'new');
const shown = [...old.slice(10, 30), ...wanted];
const options = { ...smallBatches, sync: 'manual' } as const;

/** Everything in both keyspaces. */
const all = (db: Database): unknown => [
  ...db.keyspace('a', codecs).range(),
  '-',
  ...db.keyspace('b', codecs).range(),
];
const before = [...old, '-'];
const after = [...shown, '-', ['other', 'value']];

function commit(db: Database, durability: 'memory' | 'disk'): Promise<number> {
  const a = db.keyspace('a', codecs);
  const tx = db.begin();
  putAll(tx, a, wanted);
  for (let i = 0; i < 10; i++) tx.delete(a, key(i));
  tx.put(db.keyspace('b', codecs), 'other', 'value');
  return tx.commit({ durability });
}

async function world(fs: SimFs | MemoryFs | FaultFs, time: ManualScheduler): Promise<Database> {
  const db = await time.open('/db', { fileSystem: fs, ...options }, { sliceMs: 0 });
  db.keyspace('b', codecs);
  for (const [name, value] of old) db.keyspace('a', codecs).put(name, value);
  await time.run(db.flush());
  await time.run(db.sync());
  return db;
}

/** Files of tables, and how many of them the database knows. */
function tables(fs: SimFs, db: Database): [onDisk: number, known: number] {
  const onDisk = fs.list('/db').filter((name) => name.endsWith('.sst')).length;
  let known = 0;
  for (const { levels } of Object.values(db.stats().keyspaces)) {
    for (const { files } of levels) known += files;
  }
  return [onDisk, known];
}

test('after a crash at any operation all of it is there or nothing', async () => {
  let crashes = 0;
  const outcomes = new Set<string>();
  for (let at = 1; ; at++) {
    const fs = new SimFs();
    const time = new ManualScheduler();
    const db = await world(fs, time);
    let operations = 0;
    fs.onOperation = () => {
      if (++operations === at) throw new SimulatedCrash();
    };
    let isResolved = false;
    let isOver = false;
    void commit(db, 'disk')
      .then(() => (isResolved = true))
      .then(() => db.compact())
      .then(
        () => (isOver = true),
        () => (isOver = true),
      );
    try {
      while (!isOver && !fs.stopped) await time.turn();
    } catch (error) {
      if (!(error instanceof SimulatedCrash)) throw error;
    }
    if (!fs.stopped) {
      expect(isResolved).toBe(true);
      break;
    }
    crashes++;
    for (let seed = 0; seed < 4; seed++) {
      const left = fs.crash(new Random(1000 * at + seed));
      const again = await time.open('/db', { fileSystem: left, ...options }, { sliceMs: 0 });
      const state = all(again);
      expect([before, after]).toContainEqual(state);
      if (isResolved) expect(state).toEqual(after);
      outcomes.add((state as unknown[]).length === after.length ? 'all' : 'nothing');
      expect((await time.run(again.verify())).problems).toEqual([]);
      const [onDisk, known] = tables(left, again);
      expect(onDisk).toBe(known);
      await time.run(commit(again, 'disk'));
      expect(all(again)).toEqual(after);
      await time.run(again.close());
      const last = await time.open('/db', { fileSystem: left, ...options, recovery: 'strict' });
      expect(all(last)).toEqual(after);
      await time.run(last.close());
    }
  }
  expect(crashes).toBeGreaterThan(15);
  expect([...outcomes].sort()).toEqual(['all', 'nothing']);
}, 120_000);

/** A process that was killed after it had handed the record to the system, with more writes behind it. */
async function killed(): Promise<{ fs: SimFs; log: string }> {
  const time = new ManualScheduler();
  const fs = new SimFs();
  const db = await world(fs, time);
  let isCommitted = false;
  db.events.addEventListener('ingest', () => (isCommitted = true));
  commit(db, 'memory').catch(() => undefined);
  for (let turns = 0; !isCommitted; turns++) {
    if (turns > 100_000) throw new Error('it is not committed');
    await time.turn();
  }
  db.keyspace('a', codecs).put(key(40), 'after');
  db.syncNow('os');
  const next = fs.crashProcess();
  return {
    fs: next,
    log: `/db/${next
      .list('/db')
      .filter((name) => name.endsWith('.wal'))
      .at(-1)!}`,
  };
}

test('open makes its tables part of all keyspaces, again and again until the manifest has them', async () => {
  const { fs } = await killed();
  const expected = after.map((entry) => (entry[0] === key(40) ? [key(40), 'after'] : entry));
  for (const readOnly of [true, false, true, false]) {
    const db = await new ManualScheduler().open('/db', {
      fileSystem: fs,
      ...options,
      recovery: 'strict',
      readOnly,
    });
    expect(all(db)).toEqual(expected);
    expect((await db.verify()).problems).toEqual([]);
    await db.close();
  }
});

test('its record names the tables of both keyspaces', async () => {
  const { fs, log } = await killed();
  const copy = temporaryDirectory();
  mkdirSync(copy);
  const path = join(copy, basename(log));
  const handle = fs.open(log, 'read');
  const bytes = new Uint8Array(handle.size());
  handle.read(bytes, 0, bytes.length, 0);
  writeFileSync(path, bytes);
  const records = [...dumpFile(path)].filter(({ kind }) => kind === 'ingestion');
  expect(records).toHaveLength(1);
  expect(records[0]!.detail).toMatchObject({ keyspaces: [1, 2], tables: 2 });
});

test('a full disk refuses it, whenever it fills up, and nothing is left', async () => {
  for (let freeBytes = 0; ; freeBytes += 1500) {
    const disk = new MemoryFs();
    const fs = new FaultFs(disk);
    const time = new ManualScheduler();
    const db = await world(fs, time);
    const names = disk.list('/db').filter((name) => name.endsWith('.sst'));
    fs.freeBytes = freeBytes;
    const outcome = await time.run(
      commit(db, 'memory').then(
        () => 'committed',
        (error: { code: string }) => error.code,
      ),
    );
    expect(['committed', 'DISK_FULL']).toContain(outcome);
    expect(all(db)).toEqual(outcome === 'committed' ? after : before);
    if (outcome !== 'committed') {
      expect(disk.list('/db').filter((name) => name.endsWith('.sst'))).toEqual(names);
      fs.freeBytes = Number.POSITIVE_INFINITY;
      await time.run(commit(db, 'memory'));
      expect(all(db)).toEqual(after);
    }
    await time.run(db.close());
    const again = await new ManualScheduler().open('/db', { fileSystem: disk, ...options });
    expect(all(again)).toEqual(after);
    await again.close();
    if (outcome === 'committed') {
      expect(freeBytes).toBeGreaterThan(0);
      break;
    }
  }
});

test('a reader in another process takes it over whole, and keeps what its snapshots saw', async () => {
  const time = new ManualScheduler();
  const fs = new MemoryFs();
  const db = await world(fs, time);
  onTestFinished(() => time.run(db.close()));
  const reader = await open('/db', { fileSystem: fs, readOnly: true });
  onTestFinished(() => reader.close());
  const seen = reader.snapshot();
  await time.run(commit(db, 'disk'));
  expect(all(reader)).toEqual(before);
  await reader.refresh();
  expect(all(reader)).toEqual(after);
  expect([...seen.range(reader.keyspace('a', codecs))]).toEqual(old);
  await time.run(db.compact());
  await reader.refresh();
  expect(all(reader)).toEqual(after);
  expect([...seen.range(reader.keyspace('a', codecs))]).toEqual(old);
  await expectRefusal(() => reader.begin(), 'READ_ONLY', 'invalid');
  seen.close();
});

test('after a crash, when one of its keyspaces was dropped, the others have it, and no table is left of that one', async () => {
  let crashes = 0;
  const withoutB = new Set<boolean>();
  for (let at = 1; ; at++) {
    const fs = new SimFs();
    const time = new ManualScheduler();
    const db = await world(fs, time);
    let operations = 0;
    let isOver = false;
    const dropped = commit(db, 'memory').then(async () => {
      fs.onOperation = () => {
        if (++operations === at) throw new SimulatedCrash();
      };
      // Its edit may still be on the way to the manifest.
      await db.dropKeyspace('b');
      await db.sync('disk');
      await db.compact();
    });
    const settled = (): void => void (isOver = true);
    dropped.then(settled, settled);
    try {
      while (!isOver && !fs.stopped) await time.turn();
    } catch (error) {
      if (!(error instanceof SimulatedCrash)) throw error;
    }
    if (!fs.stopped) break;
    crashes++;
    for (const left of [fs.crash(new Random(at)), fs.crashProcess()]) {
      for (const readOnly of [true, false]) {
        const again = await time.open('/db', { fileSystem: left, ...options, readOnly }, { sliceMs: 0 });
        const names = Object.keys(again.stats().keyspaces);
        withoutB.add(!names.includes('b'));
        const inA = [...again.keyspace('a', codecs).range()];
        const inB = names.includes('b') ? again.keyspace('b', codecs).get('other') : 'dropped';
        // Whole in what is there, or not at all. The drop came behind it.
        expect(inA).toEqual(inB === undefined ? old : shown);
        expect((await time.run(again.verify())).problems).toEqual([]);
        const [onDisk, known] = tables(left, again);
        if (!readOnly) expect(onDisk).toBe(known);
        await time.run(again.close());
      }
    }
  }
  expect(crashes).toBeGreaterThan(3);
  expect(withoutB).toEqual(new Set([false, true]));
}, 120_000);
