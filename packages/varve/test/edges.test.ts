/**
 * Edges between parts: what recovery needs while the manifest lags behind the log, copies and readers beside a working
 * owner, cursors that meet a failing disk, and what waits while a process would like to end.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, type FileSystem, type Keyspace, open, utf8 } from 'varve';
import * as varve from 'varve';
import { FaultFs, MemoryFs, type Scheduler } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

const texts = (db: Database, name = 'data'): Keyspace<string, string> =>
  db.keyspace(name, { key: utf8, value: utf8 });

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

async function recovered(
  fs: FileSystem,
  path: string,
  options: varve.DatabaseOptions = {},
): Promise<Database> {
  const db = await new ManualScheduler().open(path, { fileSystem: fs, ...options });
  onTestFinished(() => db.close());
  return db;
}

describe('keyspace changes that the manifest does not have yet', () => {
  for (const change of ['created', 'dropped']) {
    test(`keyspaces ${change} on disk in the log stay ${change}, whichever edit was the last before a crash`, async () => {
      const fs = new MemoryFs();
      const time = new ManualScheduler();
      const db = await time.open(
        '/db',
        { fileSystem: fs, logBytesMax: 512 * 1024, sync: 'manual' },
        { sliceMs: 0 },
      );
      onTestFinished(() => db.close());
      for (const name of 'abc') texts(db, name);
      // Enough for two segments, so that a replay could begin behind the first.
      const names = Array.from({ length: 700 }, (_, i) => `keyspace ${i}`);
      if (change === 'dropped') for (const name of names) texts(db, name);
      await time.settle();
      for (const name of 'abc') texts(db, name).put('key', 'value');
      const flushed = db.flush();
      flushed.catch(() => undefined);
      for (let turn = 0; turn < 6; turn++) await time.turn();
      for (const name of names) {
        if (change === 'created') texts(db, name);
        else db.dropKeyspace(name).catch(() => undefined);
      }
      db.syncNow();
      for (let turn = 0; turn < 6; turn++) {
        await time.turn();
        copy(fs, '/db', `/crash${turn}`);
        expect((await recovered(fs, `/crash${turn}`)).keyspaces()).toEqual(db.keyspaces());
      }
    });
  }

  test('salvage goes on when the record of a create or of a drop is damaged', async () => {
    for (const damaged of ['"name":"one"', '"change":"drop"']) {
      const fs = new MemoryFs();
      const time = new ManualScheduler();
      const db = await time.open('/db', { fileSystem: fs, sync: 'manual' });
      onTestFinished(() => db.close());
      texts(db, 'zero').put('a', '1');
      await time.settle();
      texts(db, 'one').put('old', '1');
      db.dropKeyspace('one').catch(() => undefined);
      if (damaged.includes('drop')) texts(db, 'one').put('new', '2');
      texts(db, 'zero').put('b', '2');
      db.syncNow('os');
      copy(fs, '/db', '/crash');
      const log = fs.list('/crash').find((name) => name.endsWith('.wal'))!;
      const file = fs.open(`/crash/${log}`, 'readWrite');
      const bytes = Buffer.alloc(file.size());
      file.read(bytes, 0, bytes.length, 0);
      file.write(Buffer.from('?'), 0, 1, bytes.indexOf(damaged));
      const again = await recovered(fs, '/crash', { recovery: 'salvage' });
      expect(again.recovered.warnings.length).toBeGreaterThan(0);
      expect([...texts(again, 'zero').range().keys()]).toEqual(['a', 'b']);
      // One keyspace of a name, the newer one; none when the drop alone can be read.
      expect(again.keyspaces()).toEqual(damaged.includes('drop') ? ['one', 'zero'] : ['zero']);
      if (damaged.includes('drop')) expect([...texts(again, 'one').range().keys()]).toEqual(['new']);
    }
  });
});

describe('a checkpoint', () => {
  test('copies the log as it was, also when its segments are released and written over meanwhile', async () => {
    const MIB = 1024 * 1024;
    const fs = new MemoryFs();
    const time = new ManualScheduler();
    const db = await time.open('/db', { fileSystem: fs, logBytesMax: 32 * MIB, sync: 'manual' });
    onTestFinished(() => db.close());
    const data = texts(db);
    const other = texts(db, 'other');
    await time.settle();
    for (let i = 0; i < 90; i++) data.put(`a${i}`, 'x'.repeat(100_000));
    db.syncNow();
    await time.settle();
    const flushed = db.flush();
    let isDone = false;
    const copied = db.checkpoint('/copy').finally(() => void (isDone = true));
    for (let n = 0; n < 400 && !isDone; await time.turn()) {
      for (let i = 0; i < 15; i++, n++) other.put(`b${n}`, 'y'.repeat(100_000));
    }
    await time.run(Promise.all([copied, flushed]));
    const again = await recovered(fs, '/copy');
    expect(again.recovered.cutBytes).toBe(0);
    expect(texts(again).count()).toBe(90);
    expect(texts(again, 'other').count()).toBe(0);
  });

  test('that was not finished does not open', async () => {
    const fs = new MemoryFs();
    const time = new ManualScheduler();
    const db = await time.open('/db', { fileSystem: fs });
    onTestFinished(() => db.close());
    texts(db).put('a', '1');
    const copied = db.checkpoint('/copy');
    expect(fs.list('/copy')).not.toEqual([]);
    await expectRefusal(() => recovered(fs, '/copy'), 'CORRUPTION', 'corruption');
    await time.run(copied);
    expect(texts(await recovered(fs, '/copy')).count()).toBe(1);
  });
});

describe('reading only', () => {
  test('starts no compaction, whatever is due', async () => {
    const fs = new MemoryFs();
    const time = new ManualScheduler();
    const lazy = { strategy: 'leveled', level0Files: 100 } as const;
    const db = await time.open('/db', { fileSystem: fs, keyspaceDefaults: { compaction: lazy } });
    for (let i = 0; i < 6; i++) {
      for (const key of ['a', 'z']) texts(db).put(`${key}${i}`, 'x');
      await time.run(db.flush());
    }
    await time.run(db.close());
    const files = fs.list('/db');
    const operations: string[] = [];
    const watched = new Proxy(fs, {
      get(target, name) {
        const member = Reflect.get(target, name, target) as unknown;
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown => {
          operations.push(`${String(name)} ${String(args[1])}`);
          return Reflect.apply(member, target, args) as unknown;
        };
      },
    });
    const reading = new ManualScheduler();
    const reader = await reading.open('/db', { fileSystem: watched, readOnly: true });
    await reading.advance(10_000);
    expect(texts(reader).count()).toBe(12);
    expect(operations.filter((each) => /create|readWrite|remove|rename/.test(each))).toEqual([]);
    await reading.run(reader.close());
    expect(fs.list('/db')).toEqual(files);
  });

  test('opens while the owner flushes and recycles segments between two looks at the directory', async () => {
    const disk = new MemoryFs();
    const tasks: (() => void)[] = [];
    const scheduler: Scheduler = {
      soon: (task) => void tasks.push(task),
      after: () => ({ cancel: () => undefined }),
    };
    const time = new ManualScheduler();
    const options = { fileSystem: disk, sync: 'manual', logBytesMax: 512 * 1024 } as const;
    const db = await time.open('/db', options, { scheduler });
    const data = texts(db);
    let written = 0;
    const write = (): void => {
      for (let i = 0; i < 12; i++) data.put(`key${written++}`, 'x'.repeat(30_000));
      db.syncNow();
    };
    const work = (): void => {
      write();
      while (tasks.length > 0) tasks.shift()!();
      write();
    };
    let isDue: (operation: string, path: string) => boolean = () => false;
    let left = 0;
    const racing = new Proxy(disk, {
      get(target, name) {
        const member = Reflect.get(target, name, target) as unknown;
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown => {
          const isHit = left > 0 && isDue(String(name), String(args[0]));
          if (isHit) left--;
          if (isHit && name === 'open') work();
          const result: unknown = Reflect.apply(member, target, args);
          if (isHit && name === 'list') work();
          return result;
        };
      },
    });
    for (const due of [
      (operation: string) => operation === 'list',
      (operation: string, path: string) => operation === 'open' && path.includes('MANIFEST'),
      (operation: string, path: string) => operation === 'open' && path.endsWith('.wal'),
    ]) {
      write();
      db.flush().catch(() => undefined);
      const before = data.count();
      isDue = due;
      left = 2;
      const reader = await recovered(racing, '/db', { readOnly: true });
      expect(texts(reader).count()).toBeGreaterThanOrEqual(before);
      expect(left).toBeLessThan(2);
      left = 0;
      work();
    }
  });

  test('opens a log that is larger than its own memtables may be', async () => {
    const fs = new MemoryFs();
    const MIB = 1024 * 1024;
    const large = { memtableBytes: 32 * MIB };
    const owner = await new ManualScheduler().open('/db', {
      fileSystem: fs,
      memtableBytesMax: 64 * MIB,
      keyspaceDefaults: large,
    });
    for (let i = 0; i < 25; i++) texts(owner).put(`key${i}`, 'x'.repeat(MIB));
    owner.syncNow();
    onTestFinished(() => owner.close());
    copy(fs, '/db', '/crash');
    const small = {
      readOnly: true,
      memoryBytesMax: 2 * MIB,
      memtableBytesMax: MIB,
      batchBytesMax: MIB,
    } as const;
    expect(texts(await recovered(fs, '/crash', small)).count()).toBe(25);
  });
});

test('a cursor whose move failed goes on where it stood, in both directions', async () => {
  const fs = new FaultFs(new MemoryFs());
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: fs, cacheBytesMax: 0 });
  onTestFinished(() => db.close());
  const data = db.keyspace('data', { key: utf8, value: utf8, blockBytes: 256 });
  for (let i = 0; i < 2000; i++) data.put(String(i).padStart(4, '0'), 'x'.repeat(50));
  await time.run(db.flush());
  for (const reverse of [false, true]) {
    const cursor = data.range({ reverse }).cursor();
    const seen: string[] = [];
    let failures = 0;
    for (let n = 0; ; n++) {
      if (n === 10) fs.add({ kind: 'EIO', operations: ['read'], path: '.sst', times: 1 });
      try {
        if (!cursor.next()) break;
        seen.push(utf8.decode(cursor.key));
      } catch {
        failures++;
      }
    }
    cursor.close();
    expect(failures).toBe(1);
    expect(seen).toEqual([...data.range({ reverse }).keys()]);
    expect(() =>
      data
        .range()
        .cursor()
        .seek('text' as never),
    ).toThrow(/wanted a Uint8Array/);
  }
});

describe('writes', () => {
  test('with a deadline or a signal are visible at once and keep their order', async () => {
    const db = await open(':memory:');
    onTestFinished(() => db.close());
    const data = texts(db);
    const { signal } = new AbortController();
    const first = data.put('key', '1', { durability: 'os', deadlineMs: 1000, signal });
    expect(data.get('key')).toBe('1');
    data.put('key', '2');
    await first;
    expect(data.get('key')).toBe('2');
  });

  test('take a deadline that no timer can hold as none', async () => {
    const db = await open(temporaryDirectory());
    onTestFinished(() => db.close());
    await texts(db).put('a', '1', { durability: 'disk', deadlineMs: Number.POSITIVE_INFINITY });
    await texts(db).put('b', '1', { durability: 'disk', deadlineMs: 1e12 });
    expect(texts(db).count()).toBe(2);
  });

  test('of a million small operations in one batch have room', async () => {
    const db = await open(':memory:');
    onTestFinished(() => db.close());
    const data = texts(db);
    const batch = db.batch();
    for (let i = 0; i < 1_200_000; i++) batch.put(data, String(i).padStart(8, '0'), '');
    db.write(batch);
    expect(data.get('01199999')).toBe('');
  });

  test('stored times never run back, also when the clock does between two opens', async () => {
    const path = temporaryDirectory();
    for (const now of [2_000_000_000_000, 1_000_000_000_000]) {
      const db = await open(path, { clock: { now: () => now, monotonic: () => performance.now() } });
      texts(db).put('a', '1');
      await db.close();
    }
    const logs = readdirSync(path).filter((name) => name.endsWith('.wal'));
    const text = logs.map((name) => JSON.stringify([...varve.dumpFile(join(path, name))])).join();
    expect(logs).toHaveLength(2);
    expect(text).toContain('2033-05-18');
    expect(text).not.toContain('2001-09-09');
  });
});

test('a compaction that was asked for waits while the disk is full, it does not try without a pause', async () => {
  const fs = new FaultFs(new MemoryFs());
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: fs });
  onTestFinished(() => db.close());
  for (let i = 0; i < 3; i++) {
    for (const key of ['a', 'z']) texts(db).put(key, `value ${i}`);
    await time.run(db.flush());
  }
  fs.add({ kind: 'ENOSPC', operations: ['create'], path: '.sst' });
  const compacted = db.compact();
  compacted.catch(() => undefined);
  for (let turn = 0; turn < 100; turn++) await time.turn();
  expect(fs.injected.ENOSPC).toBe(1);
  await time.advance(3500);
  expect(fs.injected.ENOSPC).toBe(4);
  fs.heal();
  await time.run(compacted);
  expect(db.stats().keyspaces['data']!.levels[0]!.files).toBe(0);
});

test('verify does not miss the tables of a keyspace that is dropped meanwhile', async () => {
  const db = await open(temporaryDirectory());
  onTestFinished(() => db.close());
  for (let i = 0; i < 30_000; i++) texts(db, 'a').put(`key${i}`, 'x'.repeat(50));
  texts(db, 'z').put('a', '1');
  await db.flush();
  const verified = db.verify();
  await db.dropKeyspace('z');
  expect((await verified).problems).toEqual([]);
});

test('a promise that waits for room on a disk keeps the process alive, whoever runs the jobs', () => {
  const script = join(import.meta.dirname, 'fixtures/waits-for-room.ts');
  const { stdout, status } = spawnSync(process.execPath, ['--conditions=varve-source', script], {
    encoding: 'utf8',
  });
  expect({ stdout, status }).toEqual({ stdout: 'settled\n', status: 0 });
});

test('names that later releases fill are there, and refuse', async () => {
  const db = await open(':memory:');
  onTestFinished(() => db.close());
  const explain = (): varve.Explanation => texts(db).explain('a');
  await expectRefusal(explain, 'NOT_SUPPORTED_YET', 'invalid');
  await expectRefusal(() => texts(db).merge('a', 'b'), 'MERGE_OPERATOR_MISSING', 'invalid');
  await expectRefusal(() => db.batch().merge(texts(db), 'a', 'b'), 'MERGE_OPERATOR_MISSING', 'invalid');
});
