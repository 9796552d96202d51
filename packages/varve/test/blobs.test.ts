/** Blob files as files: what nobody can read any more is given back, and they are where the tables are. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { dumpFile, open, utf8 } from 'varve';
import { FaultFs, MemoryFs, Random } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { blobNames, blobsOf, filled, removeBlobs, settings, valueOf, world } from './blob-world.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { key } from './small-tables.ts';
import { temporaryDirectory } from './temp-directory.ts';

describe('what is dead', () => {
  test('is given back by itself: no more than twice what is live stays', async () => {
    const { db, time, fs, data } = await world();
    const random = new Random(5);
    const model = new Map<number, string>();
    for (let i = 0; i < 6000; i++) {
      const number = random.below(400);
      model.set(number, valueOf(number, i));
      data.put(key(number), valueOf(number, i));
      if (i % 100 === 0) await time.settle();
    }
    await time.run(db.flush());
    await time.run(db.compact());
    await time.settle();
    const { files, bytes, liveBytes } = blobsOf(db);
    expect(liveBytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(2 * liveBytes + files * 100);
    expect(blobNames(fs)).toHaveLength(files);
    for (const [number, value] of model) expect(data.get(key(number))).toBe(value);
  });

  test('is given back to its end by reclaim', async () => {
    const { db, time, data } = await filled(300);
    for (let i = 0; i < 290; i++) data.put(key(i), valueOf(i, 1));
    await time.run(db.compact());
    await time.run(db.reclaim());
    const { files, bytes, liveBytes } = blobsOf(db);
    expect(bytes - liveBytes).toBe(files * 64);
    expect([...data.range().values()]).toEqual(
      Array.from({ length: 300 }, (_, i) => valueOf(i, i < 290 ? 1 : 0)),
    );
  });

  test('goes with its keyspace, and with everything deleted', async () => {
    const { db, time, fs, data } = await filled(200);
    const other = db.keyspace('other', settings);
    for (let i = 0; i < 100; i++) other.put(key(i), valueOf(i));
    await time.run(db.flush());
    expect(blobNames(fs)).toHaveLength(2);
    await time.run(db.dropKeyspace('other'));
    await time.settle();
    expect(blobNames(fs)).toHaveLength(1);
    data.deleteRange({ gte: key(0), lt: key(999) });
    await time.run(db.compact());
    await time.settle();
    expect(blobNames(fs)).toEqual([]);
    expect(blobsOf(db)).toEqual({ files: 0, bytes: 0, liveBytes: 0 });
  });

  test('and can not be read stays, with a warning, and compaction goes on', async () => {
    const { db, time, fs, data } = await filled(300);
    const warnings: unknown[] = [];
    db.events.addEventListener('warning', (event) => warnings.push((event as CustomEvent).detail));
    removeBlobs(fs);
    for (let i = 0; i < 250; i++) data.put(key(i), valueOf(i, 1));
    await time.run(db.compact());
    await time.settle();
    expect(warnings).toMatchObject([{ code: 'BLOBS_UNREAD' }]);
    await time.run(db.compact());
    await time.settle();
    expect(warnings).toHaveLength(1);
    expect(data.get(key(10))).toBe(valueOf(10, 1));
    expect(() => data.get(key(260))).toThrow(/missing/);
    data.deleteRange({ gte: key(250), lt: key(300) });
    await time.run(db.compact());
    await time.settle();
    expect((await time.run(db.verify({ full: true }))).problems).toEqual([]);
  });
});

describe('files', () => {
  test('that no manifest names are removed at open; one that is missing is warned of', async () => {
    const { db, time, fs, data } = await filled(100);
    await time.run(db.close());
    fs.open('/db/999999.blob', 'create').close();
    const again = await world({}, fs);
    await again.time.settle();
    expect(blobNames(fs)).toHaveLength(1);
    expect(again.data.get(key(1))).toBe(valueOf(1));
    await again.time.run(again.db.close());
    removeBlobs(fs);
    for (const recovery of ['strict', 'prefix', 'salvage'] as const) {
      const damaged = await world({ recovery }, fs);
      expect(damaged.db.recovered.warnings).toEqual([expect.stringMatching(/\.blob is missing/)]);
      expect(damaged.data.get(key(0))).toBe(valueOf(0));
      expect(() => damaged.data.get(key(1))).toThrow(/missing/);
      await damaged.time.run(damaged.db.close());
    }
    expect(data.name).toBe('data');
  });

  test('are in a checkpoint', async () => {
    const { db, time, fs, data } = await filled(200);
    await time.run(db.checkpoint('/copy'));
    data.deleteRange({ gte: key(0), lt: key(999) });
    await time.run(db.compact());
    await time.settle();
    expect(blobNames(fs)).toEqual([]);
    const copy = await new ManualScheduler().open('/copy', { fileSystem: fs });
    expect([...copy.keyspace('data', settings).range().values()]).toEqual(
      Array.from({ length: 200 }, (_, i) => valueOf(i)),
    );
    await copy.close();
  });

  test('are looked at by verify: their ends always, every value that is referred to with full', async () => {
    const { db, time, fs } = await filled(300);
    expect(await time.run(db.verify({ full: true }))).toMatchObject({ problems: [], entries: 300, files: 2 });
    const path = `/db/${blobNames(fs)[0]}`;
    const file = fs.open(path, 'readWrite');
    // Not only the length before a record, which nobody needs who has a reference.
    file.write(new Uint8Array(8), 0, 8, 5000);
    expect((await time.run(db.verify({ full: false }))).problems).toEqual([]);
    expect((await time.run(db.verify({ full: true }))).problems).toMatchObject([
      { file: path, code: 'CORRUPTION', offset: expect.any(Number) as number },
    ]);
    file.write(Uint8Array.of(1), 0, 1, file.size() - 1);
    expect((await time.run(db.verify({ full: false }))).problems).toMatchObject([
      { file: path, code: 'CORRUPTION' },
    ]);
  });

  test('count in sizes', async () => {
    const { db, data } = await filled(300);
    const { bytes, liveBytes } = blobsOf(db);
    expect(bytes - liveBytes).toBe(64);
    const all = data.approximateSize();
    expect(all).toBe(db.stats().keyspaces['data']!.bytes + liveBytes);
    const half = data.approximateSize({ lt: key(150) });
    expect(half).toBeGreaterThan(all * 0.3);
    expect(half).toBeLessThan(all * 0.7);
  });

  test('stay readable without the setting, which then puts values into tables again', async () => {
    const { db, time, fs } = await filled(200);
    await time.run(db.close());
    const again = new ManualScheduler();
    const plain = await again.open('/db', { fileSystem: fs });
    const data = plain.keyspace('data', { key: utf8, value: utf8 });
    for (let i = 0; i < 100; i++) data.put(key(i), valueOf(i, 1));
    await again.run(plain.compact());
    await again.settle();
    for (let i = 0; i < 200; i++) expect(data.get(key(i))).toBe(valueOf(i, i < 100 ? 1 : 0));
    await again.run(plain.close());
  });
});

test('a full disk is waited out, and leaves no file behind that nobody names', async () => {
  const disk = new MemoryFs();
  const fs = new FaultFs(disk);
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual' });
  const data = db.keyspace('data', settings);
  for (let i = 0; i < 300; i++) data.put(key(i), valueOf(i));
  db.syncNow();
  fs.freeBytes = 2000;
  const flushed = db.flush();
  await time.advance(5000);
  expect(blobNames(disk)).toEqual([]);
  fs.freeBytes = undefined;
  await time.run(flushed);
  expect([...data.range().values()]).toEqual(Array.from({ length: 300 }, (_, i) => valueOf(i)));
  expect(blobNames(disk)).toHaveLength(1);
  await time.run(db.close());
});

test('a read-only database reads them, and holds those that a snapshot needs while the writer goes on', async () => {
  const path = temporaryDirectory();
  const writer = await open(path, { workers: 1 });
  onTestFinished(() => writer.close());
  const data = writer.keyspace('data', settings);
  for (let i = 0; i < 300; i++) data.put(key(i), valueOf(i));
  await writer.flush();
  const reader = await open(path, { readOnly: true });
  onTestFinished(() => reader.close());
  const read = reader.keyspace('data', settings);
  const snapshot = reader.snapshot();
  for (let round = 1; round <= 5; round++) {
    for (let i = 0; i < 300; i++) data.put(key(i), valueOf(i, round));
    await writer.compact();
    await reader.refresh();
    expect([...read.range().values()]).toEqual(Array.from({ length: 300 }, (_, i) => valueOf(i, round)));
    expect(snapshot.getMany(read, [key(1), key(299)])).toEqual([valueOf(1), valueOf(299)]);
  }
  snapshot.close();
});

test('the file of a database with blob files is dumped', async () => {
  const path = temporaryDirectory();
  const db = await open(path);
  const data = db.keyspace('data', settings);
  data.put('short', 'value');
  data.put('long', valueOf(1));
  await db.flush();
  await db.close();
  const names = readdirSync(path);
  const blob = names.find((name) => name.endsWith('.blob'))!;
  const lines = [...dumpFile(join(path, blob))];
  expect(lines).toMatchObject([
    { offset: 0, kind: 'header', detail: { records: 1, formatVersion: 1 } },
    { kind: 'value', detail: { key: 'long', value: valueOf(1), transform: 'none' } },
  ]);
  const table = [...dumpFile(join(path, names.find((name) => name.endsWith('.sst'))!))];
  expect(table.find(({ kind }) => kind === 'blob')!.detail).toMatchObject({
    key: 'long',
    blobFile: Number(blob.slice(0, 6)),
    blobOffset: lines[1]!.offset,
    storedBytes: lines[1]!.detail['storedBytes'],
  });
  const manifest = [...dumpFile(join(path, names.find((name) => name.startsWith('MANIFEST'))!))];
  expect(manifest.find(({ kind }) => kind === 'add-blob')!.detail).toMatchObject({ records: 1 });
});
