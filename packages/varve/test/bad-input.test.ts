/**
 * Bad input: whatever a caller or a disk gives the database, it answers with a VarveError that says what was wrong, and
 * nothing that was stored before is lost. Damaged files are in damaged-files.test.ts.
 */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  type Database,
  type DatabaseOptions,
  json,
  type Keyspace,
  open,
  tuple,
  u64,
  utf8,
  VarveError,
} from 'varve';
import { FaultFs, MemoryFs, SimFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { DirectoryLock, FileHandle, OpenMode } from '../src/fs/file-system.ts';
import { systemFailure } from '../src/fs/system-error.ts';
import { expectRefusal, refusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function inMemory(options: DatabaseOptions = {}): Promise<Database> {
  const db = await open(':memory:', options);
  onTestFinished(() => db.close());
  return db;
}

type Texts = Keyspace<string, string>;
const texts = (db: Database, name = 'texts'): Texts => db.keyspace(name, { key: utf8, value: utf8 });

describe('keys and values', () => {
  /** Refused by every way in, and by every way to read where it is a key. */
  async function refusedEverywhere(
    db: Database,
    keyspace: Keyspace<unknown, unknown>,
    key: unknown,
    value: unknown,
    code: string,
  ): Promise<void> {
    const before = db.stats().sequence;
    const ways = [
      () => keyspace.put(key, value),
      () => keyspace.put(key, value, { durability: 'os' }),
      () => keyspace.putIfAbsent(key, value),
      () => keyspace.update(key, () => value),
      () => db.batch().put(keyspace, key, value),
    ];
    for (const way of ways) await expectRefusal(way, code, 'invalid');
    expect(db.stats().sequence).toBe(before);
  }

  test('a key of another type than the codec takes is refused by every method that takes a key', async () => {
    const db = await inMemory();
    const keyspace = texts(db) as unknown as Keyspace<unknown, string>;
    keyspace.put('kept', 'value');
    for (const key of [1, null, undefined, {}, new Uint8Array(1), Symbol('x')]) {
      await refusedEverywhere(db, keyspace, key, 'v', 'KEY_INVALID');
      const snapshot = db.snapshot();
      const ways = [
        () => keyspace.get(key),
        () => keyspace.getAsync(key),
        () => keyspace.getMany(['kept', key]),
        () => keyspace.has(key),
        () => keyspace.delete(key),
        () => keyspace.delete(key, { durability: 'os' }),
        () => db.batch().delete(keyspace, key),
        () => snapshot.get(keyspace, key),
        () => snapshot.has(keyspace, key),
      ];
      for (const way of ways) await expectRefusal(way, 'KEY_INVALID', 'invalid', { codec: 'utf8' });
      snapshot.close();
    }
    for (const bound of ['gte', 'gt', 'lte', 'lt', 'prefix']) {
      const range = { [bound]: 1 };
      await expectRefusal(() => keyspace.range(range).cursor(), 'KEY_INVALID', 'invalid');
      await expectRefusal(() => keyspace.count(range), 'KEY_INVALID', 'invalid');
      await expectRefusal(() => keyspace.approximateSize(range), 'KEY_INVALID', 'invalid');
    }
    await expectRefusal(() => keyspace.deleteRange({ gte: 1, lt: 'b' }), 'KEY_INVALID', 'invalid');
    expect([...keyspace.range()]).toEqual([['kept', 'value']]);
  });

  test('a key that the codec could not bring back is refused: lone surrogates, fractions, negatives', async () => {
    const db = await inMemory();
    await expectRefusal(() => texts(db).put('\ud800', 'v'), 'KEY_INVALID', 'invalid');
    const numbers = db.keyspace('numbers', { key: u64, value: utf8 });
    for (const key of [-1, 1.5, Number.NaN, Infinity, 2 ** 53, -1n, 2n ** 64n]) {
      await expectRefusal(() => numbers.put(key, 'v'), 'KEY_INVALID', 'invalid', { codec: 'u64' });
    }
    const tuples = db.keyspace('tuples', { key: tuple<readonly unknown[]>(), value: utf8 });
    for (const key of [[{}], [() => 1], 'text' as unknown as unknown[]]) {
      await expectRefusal(() => tuples.put(key, 'v'), 'KEY_INVALID', 'invalid');
    }
    expect(db.stats().keyspaces['numbers']!.entries).toBe(0);
  });

  test('a value of another type than the codec takes is refused, and the key keeps its value', async () => {
    const db = await inMemory();
    const keyspace = texts(db) as unknown as Keyspace<unknown, unknown>;
    keyspace.put('a', 'before');
    for (const value of [1, null, {}, new Uint8Array(1)]) {
      await expectRefusal(() => keyspace.put('a', value), 'VALUE_INVALID', 'invalid', { codec: 'utf8' });
      await expectRefusal(() => keyspace.putIfAbsent('b', value), 'VALUE_INVALID', 'invalid');
      await expectRefusal(() => keyspace.update('a', () => value), 'VALUE_INVALID', 'invalid');
      await expectRefusal(() => db.batch().put(keyspace, 'a', value), 'VALUE_INVALID', 'invalid');
    }
    const documents = db.keyspace('documents', { key: utf8, value: json<unknown>() });
    const circle: unknown[] = [];
    circle.push(circle);
    for (const value of [circle, undefined, () => 1, 1n]) {
      await expectRefusal(() => documents.put('a', value), 'VALUE_INVALID', 'invalid');
    }
    const raw = db.keyspace('raw') as unknown as Keyspace<unknown, unknown>;
    await expectRefusal(() => raw.put('text', bytes('v')), 'KEY_INVALID', 'invalid', { codec: 'bytes' });
    await expectRefusal(() => raw.put(bytes('k'), 'text'), 'VALUE_INVALID', 'invalid', { codec: 'bytes' });
    expect([...keyspace.range()]).toEqual([['a', 'before']]);
  });

  test('a key over 65,535 bytes is refused wherever a key is taken', async () => {
    const db = await inMemory();
    const raw = db.keyspace('raw');
    const key = new Uint8Array(65_536);
    const context = { keyspace: 'raw', got: 65_536, max: 65_535 };
    const ways = [
      () => raw.put(key, bytes('v')),
      () => raw.put(key, bytes('v'), { durability: 'disk' }),
      () => raw.delete(key),
      () => raw.get(key),
      () => raw.has(key),
      () => raw.deleteRange({ gte: new Uint8Array(1), lt: key }),
      () => db.batch().put(raw, key, bytes('v')),
    ];
    for (const way of ways) await expectRefusal(way, 'KEY_TOO_LARGE', 'invalid', context);
    raw.put(key.subarray(1), bytes('fits'));
    expect(raw.count()).toBe(1);
    // The bound behind the longest key is itself a byte longer, and is no key.
    expect(raw.count({ lte: key.subarray(1) })).toBe(1);
  });

  test('a value that no batch can hold is refused, and the batch limit counts the whole batch', async () => {
    const db = await inMemory({ batchBytesMax: 4096 });
    const raw = db.keyspace('raw');
    await expectRefusal(() => raw.put(bytes('k'), new Uint8Array(4096)), 'BATCH_TOO_LARGE', 'invalid', {
      max: 4096,
    });
    const batch = db.batch();
    for (let i = 0; i < 5; i++) batch.put(raw, bytes(`k${i}`), new Uint8Array(1000));
    await expectRefusal(() => db.write(batch), 'BATCH_TOO_LARGE', 'invalid', { got: batch.bytes });
    await expectRefusal(() => db.write(batch, { durability: 'os' }), 'BATCH_TOO_LARGE', 'invalid');
    expect({ count: raw.count(), kept: batch.count }).toEqual({ count: 0, kept: 5 });
    raw.put(bytes('k'), new Uint8Array(4000));
    expect(raw.count()).toBe(1);
  });

  test('a value over 512 MB is refused before anything is copied', async () => {
    const db = await inMemory();
    const huge = new Uint8Array(new ArrayBuffer(512 * 1024 * 1024 + 1));
    const error = await refusal(() => db.keyspace('raw').put(bytes('k'), huge));
    expect(error).toMatchObject({ code: 'VALUE_TOO_LARGE', kind: 'invalid', context: { keyspace: 'raw' } });
  });

  test('a codec that throws or gives no bytes is told as such, and its own error is the cause', async () => {
    const db = await inMemory();
    const thrown = new TypeError('no');
    const odd = db.keyspace('odd', {
      key: { name: 'odd', encode: () => 'text' as unknown as Uint8Array, decode: () => 1 },
      value: {
        name: 'strange',
        encode() {
          throw thrown;
        },
        decode: () => 1,
      },
    });
    await expectRefusal(() => odd.get(1), 'KEY_INVALID', 'invalid', { codec: 'odd' });
    const odder = db.keyspace('odder', {
      key: utf8,
      value: {
        name: 'strange',
        encode() {
          throw thrown;
        },
        decode: () => 1,
      },
    });
    const error = await expectRefusal(() => odder.put('k', 1), 'VALUE_INVALID', 'invalid', {
      codec: 'strange',
    });
    expect(error.cause).toBe(thrown);
  });

  test('update refuses what is no function and what is asynchronous', async () => {
    const db = await inMemory();
    const keyspace = texts(db);
    keyspace.put('a', '1');
    await expectRefusal(() => keyspace.update('a', 'x' as never), 'VALUE_INVALID', 'invalid');
    await expectRefusal(() => keyspace.update('a', (async () => 'x') as never), 'VALUE_INVALID', 'invalid');
    expect(keyspace.get('a')).toBe('1');
    const own = new Error('mine');
    expect(() =>
      keyspace.update('a', () => {
        throw own;
      }),
    ).toThrow(own);
    expect(keyspace.get('a')).toBe('1');
  });
});

describe('ranges', () => {
  test('unknown members, negative limits and what is no range are refused', async () => {
    const db = await inMemory();
    const keyspace = texts(db);
    keyspace.put('a', '1');
    const bad: unknown[] = [
      { from: 'a' },
      { gte: 'a', limits: 1 },
      { limit: -1 },
      { limit: 1.5 },
      { limit: Number.NaN },
      { limit: '1' },
      { reverse: 1 },
      null,
      'a',
    ];
    const snapshot = db.snapshot();
    for (const range of bad) {
      await expectRefusal(() => keyspace.range(range as never), 'RANGE_INVALID', 'invalid');
      await expectRefusal(() => keyspace.count(range as never), 'RANGE_INVALID', 'invalid');
      await expectRefusal(() => keyspace.approximateSize(range as never), 'RANGE_INVALID', 'invalid');
      await expectRefusal(() => snapshot.range(keyspace, range as never), 'RANGE_INVALID', 'invalid');
    }
    snapshot.close();
    expect(await refusal(() => keyspace.range({ from: 'a' } as never))).toMatchObject({
      context: { got: 'from' },
    });
    expect(db.stats().snapshots.count).toBe(0);
  });

  test('deleteRange wants gte before lt and nothing else', async () => {
    const db = await inMemory();
    const keyspace = texts(db);
    keyspace.put('b', '1');
    const bad: unknown[] = [
      { gte: 'c', lt: 'a' },
      { gte: 'a' },
      { lt: 'c' },
      { gt: 'a', lt: 'c' },
      { gte: 'a', lt: 'c', reverse: true },
      {},
      null,
      undefined,
    ];
    for (const range of bad) {
      await expectRefusal(() => keyspace.deleteRange(range as never), 'RANGE_INVALID', 'invalid');
      await expectRefusal(() => db.batch().deleteRange(keyspace, range as never), 'RANGE_INVALID', 'invalid');
      await expectRefusal(
        () => keyspace.deleteRange(range as never, { durability: 'disk' }),
        'RANGE_INVALID',
        'invalid',
      );
    }
    const before = db.stats().sequence;
    expect(keyspace.deleteRange({ gte: 'b', lt: 'b' })).toBe(before);
    expect(keyspace.get('b')).toBe('1');
  });

  test('getMany takes an array', async () => {
    const db = await inMemory();
    const keyspace = texts(db);
    await expectRefusal(() => keyspace.getMany('ab' as never), 'KEY_INVALID', 'invalid');
    await expectRefusal(() => db.snapshot().getMany(keyspace, 'ab' as never), 'KEY_INVALID', 'invalid');
  });
});

describe('options', () => {
  test('an unknown option is refused with the nearest one, before anything is touched', async () => {
    const path = temporaryDirectory();
    const error = await expectRefusal(
      () => open(path, { memorybytesmax: 1 } as never),
      'OPTION_INVALID',
      'invalid',
    );
    expect(error.message).toContain("did you mean 'memoryBytesMax'");
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test('all that is wrong is said at once', async () => {
    const options = {
      cacheBytesMax: -1,
      sync: { everyN: 0 },
      pressure: 'never',
      nonsense: 1,
      clock: {},
      keyspaceDefaults: { blockBytes: 7 },
    };
    const error = await expectRefusal(() => open(':memory:', options as never), 'OPTION_INVALID', 'invalid');
    const problems = error.context['problems'] as { option: string; got: unknown; wanted: string }[];
    expect(problems.map(({ option }) => option).sort()).toEqual([
      'cacheBytesMax',
      'clock',
      'keyspaceDefaults.blockBytes',
      'nonsense',
      'pressure',
      'sync',
    ]);
    for (const { option, wanted } of problems) {
      expect(wanted).not.toBe('');
      expect(error.message).toContain(option);
    }
  });

  test('options out of range are refused by open and by keyspace', async () => {
    const bad: unknown[] = [
      { memoryBytesMax: 1 },
      { memoryBytesMax: Number.NaN },
      { memtableBytesMax: 1e12 },
      { memoryBytesMax: 1024 ** 2, cacheBytesMax: 1024 ** 2 },
      { workers: 0 },
      { batchBytesMax: 0 },
      { openFilesMax: 1.5 },
      { sync: 'sometimes' },
      { sync: { everyN: 1, other: 1 } },
      { sync: {} },
      { recovery: 'hope' },
      { readOnly: 'yes' },
      { readOnly: true, createIfMissing: true },
      { fileSystem: {} },
      { keyspaceDefaults: { memtableBytes: 1024 ** 3 } },
      null,
      'x',
      [],
    ];
    for (const options of bad) {
      await expectRefusal(() => open(':memory:', options as never), 'OPTION_INVALID', 'invalid');
    }
    const db = await inMemory();
    const badSettings: unknown[] = [
      { memtableBytes: 1 },
      { blockBytes: 1e9 },
      { compression: 'rot13' },
      { compression: [] },
      { levelRatio: 1 },
      { compaction: { strategy: 'leveled', level0Files: 0 } },
      { compaction: { strategy: 'leveled', other: 1 } },
      { compaction: 'leveled' },
      { unknown: 1 },
      { key: 'utf8' },
      { key: { name: 'x' } },
      { value: { name: 1, encode() {}, decode() {} } },
      null,
    ];
    for (const settings of badSettings) {
      await expectRefusal(() => db.keyspace('bad', settings as never), 'OPTION_INVALID', 'invalid');
    }
    expect(db.keyspaces()).toEqual([]);
  });

  test('what comes later is refused by its name', async () => {
    const later: DatabaseOptions[] = [
      { keyspaceDefaults: { ttlMs: 1000 } },
      { keyspaceDefaults: { retention: { ms: 1 } } },
      { keyspaceDefaults: { compaction: { strategy: 'tiered' } } },
      { keyspaceDefaults: { compression: 'snappy' } },
    ];
    for (const options of later) {
      const error = await expectRefusal(() => open(':memory:', options), 'NOT_SUPPORTED_YET', 'invalid');
      expect(error.message).toContain(`keyspaceDefaults.${Object.keys(options.keyspaceDefaults!)[0]}`);
    }
    const db = await inMemory();
    await expectRefusal(() => db.keyspace('a', { ttlMs: 1 }), 'NOT_SUPPORTED_YET', 'invalid');
    const keyspace = texts(db);
    await expectRefusal(() => keyspace.put('a', 'b', { ttlMs: 1 }), 'NOT_SUPPORTED_YET', 'invalid', {
      option: 'ttlMs',
    });
    await expectRefusal(
      () => keyspace.put('a', 'b', { ttlMs: 1, durability: 'os' }),
      'NOT_SUPPORTED_YET',
      'invalid',
    );
    await expectRefusal(
      () => db.batch().put(keyspace, 'a', 'b', { ttlMs: 1 }),
      'NOT_SUPPORTED_YET',
      'invalid',
    );
    const unbuilt = keyspace as unknown as Record<'merge' | 'explain', (...args: unknown[]) => unknown>;
    await expectRefusal(() => unbuilt.merge('a', 'b'), 'NOT_SUPPORTED_YET', 'invalid', { method: 'merge' });
    await expectRefusal(() => unbuilt.explain('a'), 'NOT_SUPPORTED_YET', 'invalid', { method: 'explain' });
    const batch = db.batch() as unknown as Record<'merge', (...args: unknown[]) => unknown>;
    await expectRefusal(() => batch.merge(keyspace, 'a', 'b'), 'NOT_SUPPORTED_YET', 'invalid', {
      method: 'merge',
    });
    expect(keyspace.count()).toBe(0);
  });

  test('unknown put options, waits and classes are refused', async () => {
    const db = await inMemory();
    const keyspace = texts(db);
    const waits: unknown[] = [
      { durability: 'forever' },
      { durability: 'replicated' },
      { deadlineMs: 5 },
      { durability: 'os', deadlineMs: -1 },
      { durability: 'os', deadlineMs: Number.NaN },
      { durability: 'os', deadlineMs: '5' },
      { durability: 'os', signal: {} },
      { durability: 'os', extra: 1 },
    ];
    for (const wait of waits) {
      const error = await refusal(() => keyspace.put('a', 'b', wait as never));
      expect(['DURABILITY_INVALID', 'OPTION_INVALID']).toContain(error.code);
      expect((await refusal(() => keyspace.delete('a', wait as never))).kind).toBe('invalid');
      expect((await refusal(() => db.write(db.batch().put(keyspace, 'a', 'b'), wait as never))).kind).toBe(
        'invalid',
      );
    }
    await expectRefusal(() => keyspace.put('a', 'b', { ttl: 5 } as never), 'OPTION_INVALID', 'invalid', {
      got: 'ttl',
    });
    await expectRefusal(() => db.sync('memory' as never), 'DURABILITY_INVALID', 'invalid');
    await expectRefusal(() => db.syncNow('replicated' as never), 'DURABILITY_INVALID', 'invalid');
    await expectRefusal(() => db.compact({ keyspaces: 'a' } as never), 'OPTION_INVALID', 'invalid');
    await expectRefusal(() => db.compact({ keyspace: 'none' }), 'KEYSPACE_NOT_FOUND', 'invalid');
    await expectRefusal(() => db.compact({ range: {} }), 'OPTION_INVALID', 'invalid');
    expect(keyspace.count()).toBe(0);
  });

  test('keyspace names are strings of 1 to 255 bytes, and what is not there can not be dropped', async () => {
    const db = await inMemory();
    for (const name of ['', 'x'.repeat(256), 1, null, undefined]) {
      await expectRefusal(() => db.keyspace(name as string), 'NAME_INVALID', 'invalid');
    }
    await expectRefusal(() => db.dropKeyspace('none'), 'KEYSPACE_NOT_FOUND', 'invalid');
  });
});

describe('the path', () => {
  test('a path that is a file is refused and the file stays', async () => {
    const path = temporaryDirectory();
    writeFileSync(path, 'mine');
    await expectRefusal(() => open(path), 'NOT_A_DIRECTORY', 'invalid', { path });
    expect(readFileSync(path, 'utf8')).toBe('mine');
  });

  test('a path below a file, an empty one, and what is no string are refused', async () => {
    const path = temporaryDirectory();
    writeFileSync(path, 'mine');
    expect((await refusal(() => open(join(path, 'below')))).kind).toMatch(/^(io|invalid)$/);
    await expectRefusal(() => open(''), 'PATH_INVALID', 'invalid');
    await expectRefusal(() => open(undefined as never), 'PATH_INVALID', 'invalid');
    await expectRefusal(() => open(Buffer.from(path) as never), 'PATH_INVALID', 'invalid');
  });

  test('a directory of something else is used, and its files are left alone', async () => {
    const path = temporaryDirectory();
    mkdirSync(path);
    writeFileSync(join(path, 'notes.txt'), 'mine');
    const db = await open(path);
    texts(db).put('a', '1');
    await db.close();
    expect(readFileSync(join(path, 'notes.txt'), 'utf8')).toBe('mine');
  });

  test('createIfMissing: false makes no directory and no database in one that is there', async () => {
    const path = temporaryDirectory();
    await expectRefusal(() => open(path, { createIfMissing: false }), 'NOT_FOUND', 'invalid', { path });
    expect(readdirSync(dirname(path))).toEqual([]);
    mkdirSync(path);
    await expectRefusal(() => open(path, { createIfMissing: false }), 'NOT_FOUND', 'invalid', { path });
    expect(readdirSync(path)).toEqual([]);
    await (await open(path)).close();
    await (await open(path, { createIfMissing: false })).close();
  });

  test('errorIfExists leaves the database that is there as it is', async () => {
    const path = temporaryDirectory();
    const db = await open(path, { errorIfExists: true });
    texts(db).put('a', '1');
    await db.close();
    const before = readdirSync(path);
    await expectRefusal(() => open(path, { errorIfExists: true }), 'EXISTS', 'invalid', { path });
    expect(readdirSync(path)).toEqual(before);
    const again = await open(path);
    onTestFinished(() => again.close());
    expect(texts(again).get('a')).toBe('1');
  });

  test('a directory that can not be written is told by the operation and the file that failed', async () => {
    const inner = new MemoryFs();
    const db = await open('/db', { fileSystem: inner });
    texts(db).put('a', '1');
    await db.close();
    const fs = new FaultFs(inner);
    fs.add({ kind: 'EIO', operations: ['create', 'write', 'rename', 'remove', 'makeDirectory'] });
    const error = await expectRefusal(() => open('/db', { fileSystem: fs }), 'IO_ERROR', 'io', {
      system: 'EIO',
    });
    expect(error.context['file']).toMatch(/^\/db\//);
    await expectRefusal(() => open('/new', { fileSystem: fs }), 'IO_ERROR', 'io', { system: 'EIO' });
    // Reading needs no writing.
    const reader = await open('/db', { fileSystem: fs, readOnly: true });
    expect(texts(reader).get('a')).toBe('1');
    await reader.close();
    fs.heal();
    const again = await open('/db', { fileSystem: fs });
    expect(texts(again).get('a')).toBe('1');
    await again.close();
  });
});

/** A directory that its user may read and not write. */
class Unwritable extends MemoryFs {
  isWritable = true;

  override open(path: string, mode: OpenMode): FileHandle {
    if (mode !== 'read') this.#check('open', path);
    return super.open(path, mode);
  }

  override makeDirectory(path: string): void {
    this.#check('mkdir', path);
    super.makeDirectory(path);
  }

  override lock(directory: string): Promise<DirectoryLock> {
    this.#check('open', `${directory}/LOCK`);
    return super.lock(directory);
  }

  #check(operation: string, path: string): void {
    if (!this.isWritable) throw systemFailure('EACCES', operation, path);
  }
}

test('a read-only directory is refused for writing, and read with readOnly', async () => {
  const fileSystem = new Unwritable();
  const db = await open('/db', { fileSystem });
  texts(db).put('a', '1');
  await db.close();
  fileSystem.isWritable = false;
  await expectRefusal(() => open('/db', { fileSystem }), 'IO_ERROR', 'io', {
    system: 'EACCES',
    file: '/db/LOCK',
  });
  await expectRefusal(() => open('/new', { fileSystem }), 'IO_ERROR', 'io', {
    system: 'EACCES',
    file: '/new',
  });
  const reader = await open('/db', { fileSystem, readOnly: true });
  expect(texts(reader).get('a')).toBe('1');
  await reader.close();
});

describe('read-only', () => {
  test('every write is refused, reads and snapshots work, and not one byte on disk changes', async () => {
    const fs = new SimFs();
    const db = await open('/db', { fileSystem: fs });
    const keyspace = texts(db);
    for (let i = 0; i < 50; i++) keyspace.put(`flushed${i}`, 'x');
    await db.flush();
    keyspace.put('logged', 'y');
    db.syncNow('disk');
    keyspace.put('handed over', 'z');
    db.syncNow('os');
    const left = fs.crashProcess();

    const reader = await open('/db', { fileSystem: left, readOnly: true });
    const data = texts(reader);
    expect(data.count()).toBe(52);
    expect(reader.keyspaces()).toEqual(['texts']);
    const refused = [
      () => data.put('a', 'b'),
      () => data.put('a', 'b', { durability: 'disk' }),
      () => data.delete('logged'),
      () => data.deleteRange({ gte: 'a', lt: 'z' }),
      () => data.deleteRange({ gte: 'a', lt: 'a' }),
      () => data.putIfAbsent('new', 'b'),
      () => data.update('logged', () => 'other'),
      () => reader.write(reader.batch().put(data, 'a', 'b')),
      () => reader.flush(),
      () => reader.compact(),
      () => reader.dropKeyspace('texts'),
      () => reader.checkpoint('/copy'),
    ];
    for (const write of refused) await expectRefusal(write, 'READ_ONLY', 'invalid');
    await expectRefusal(() => reader.keyspace('new'), 'KEYSPACE_NOT_FOUND', 'invalid');
    const snapshot = reader.snapshot();
    expect(snapshot.get(data, 'logged')).toBe('y');
    snapshot.close();
    expect((await reader.verify()).problems).toEqual([]);
    await reader.sync();
    reader.syncNow();
    await reader.close();
    expect(left.operations).toBe(0);

    const owner = await open('/db', { fileSystem: left });
    expect(texts(owner).count()).toBe(52);
    await owner.close();
  });

  test('it works beside the owner, as of the moment of its opening', async () => {
    const path = temporaryDirectory();
    const owner = await open(path);
    onTestFinished(() => owner.close());
    const data = texts(owner);
    data.put('a', '1');
    await owner.flush();
    data.put('b', '2');
    await owner.sync('os');
    const before = readdirSync(path);
    const reader = await open(path, { readOnly: true });
    onTestFinished(() => reader.close());
    data.put('c', '3');
    await owner.sync('os');
    expect([...texts(reader).range()]).toEqual([
      ['a', '1'],
      ['b', '2'],
    ]);
    expect(readdirSync(path)).toEqual(before);
    const later = await open(path, { readOnly: true });
    onTestFinished(() => later.close());
    expect(texts(later).count()).toBe(3);
  });

  test('a database that is not there is not made', async () => {
    const path = temporaryDirectory();
    await expectRefusal(() => open(path, { readOnly: true }), 'NOT_FOUND', 'invalid', { path });
    mkdirSync(path);
    await expectRefusal(() => open(path, { readOnly: true }), 'NOT_FOUND', 'invalid', { path });
    expect(readdirSync(path)).toEqual([]);
  });
});

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
