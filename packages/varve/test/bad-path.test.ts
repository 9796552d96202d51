/** Bad input: paths that are no database, directories that can not be written, and databases that are only read. */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { open } from 'varve';
import { FaultFs, MemoryFs, SimFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { DirectoryLock, FileHandle, OpenMode } from '../src/fs/file-system.ts';
import { systemFailure } from '../src/fs/system-error.ts';
import { texts } from './in-memory.ts';
import { expectRefusal, refusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

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
