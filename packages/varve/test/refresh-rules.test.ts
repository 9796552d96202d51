/** What `refresh` promises one by one; whole runs are in refresh.test.ts and refresh-process.test.ts. */
import { type Database, type DatabaseOptions, type Keyspace, open, utf8, VarveError } from 'varve';
import { MemoryFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';

const KIB = 1024;
const little: DatabaseOptions = {
  memoryBytesMax: 4096 * KIB,
  memtableBytesMax: 512 * KIB,
  batchBytesMax: 512 * KIB,
};

const texts = (db: Database, name = 'texts'): Keyspace<string, string> =>
  db.keyspace(name, { key: utf8, value: utf8 });

interface Pair {
  readonly fs: MemoryFs;
  readonly writer: Database;
  readonly reader: Database;
}

async function pair(options: DatabaseOptions = {}, readerOptions: DatabaseOptions = {}): Promise<Pair> {
  const fs = new MemoryFs();
  const writer = await open('/db', { ...little, fileSystem: fs, ...options });
  texts(writer).put('first', '1');
  await writer.sync('os');
  const reader = await open('/db', { ...little, fileSystem: fs, readOnly: true, ...readerOptions });
  onTestFinished(async () => {
    await reader.close();
    await writer.close();
  });
  return { fs, writer, reader };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof VarveError) return `${error.kind} ${error.code}`;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function codeThrown(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof VarveError) return error.code;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('refresh', () => {
  test('shows what was handed over, says what it read, and nothing the second time', async () => {
    const { writer, reader } = await pair();
    texts(writer).put('second', '2');
    expect(texts(reader).get('second')).toBeUndefined();
    const sequence = writer.syncNow('os');
    expect(await reader.refresh()).toMatchObject({ sequence, batches: 1, files: 0 });
    expect(texts(reader).get('second')).toBe('2');
    expect(await reader.refresh()).toMatchObject({ sequence, batches: 0, files: 0 });
    await writer.flush();
    expect(await reader.refresh()).toMatchObject({ sequence, batches: 0, files: 1 });
    expect(reader.stats().keyspaces['texts']).toMatchObject({ memtableBytes: 0, entries: 2 });
    expect([...texts(reader).range().keys()]).toEqual(['first', 'second']);
  });

  test('is refused by a database that writes, and by a closed one', async () => {
    const { writer, reader } = await pair();
    expect(await codeOf(writer.refresh())).toBe('invalid NOT_READ_ONLY');
    await reader.close();
    expect(await codeOf(reader.refresh())).toBe('closed CLOSED');
  });

  test('ends with CLOSED when the database is closed meanwhile', async () => {
    const { writer, reader } = await pair({
      memoryBytesMax: 64 * KIB * KIB,
      memtableBytesMax: 32 * KIB * KIB,
    });
    for (let i = 0; i < 40; i++) texts(writer).put(`k${i}`, 'x'.repeat(100 * KIB));
    writer.syncNow('os');
    const refreshing = codeOf(reader.refresh());
    await reader.close();
    expect(await refreshing).toBe('closed CLOSED');
  });

  test('called twice at once looks once, and after one that runs looks again', async () => {
    const { writer, reader } = await pair();
    const first = reader.refresh();
    expect(await Promise.all([first, reader.refresh()])).toEqual([await first, await first]);
    const running = reader.refresh();
    await Promise.resolve();
    await Promise.resolve();
    texts(writer).put('late', 'x');
    const sequence = writer.syncNow('os');
    expect((await reader.refresh()).sequence).toBe(sequence);
    await running;
  });

  test('shows keyspaces that were made; handles of dropped ones say so, and the name made anew is another keyspace', async () => {
    const { writer, reader } = await pair();
    const first = texts(reader);
    texts(writer, 'other').put('a', '1');
    writer.syncNow('os');
    expect(reader.keyspaces()).toEqual(['texts']);
    await reader.refresh();
    expect(reader.keyspaces()).toEqual(['other', 'texts']);
    expect(texts(reader, 'other').get('a')).toBe('1');
    expect(texts(reader)).toBe(first);
    await writer.dropKeyspace('texts');
    texts(writer).put('again', '2');
    writer.syncNow('os');
    expect(first.get('first')).toBe('1');
    await reader.refresh();
    expect(codeThrown(() => first.get('first'))).toBe('KEYSPACE_DROPPED');
    expect([...texts(reader).range()]).toEqual([['again', '2']]);
    await writer.dropKeyspace('texts');
    await writer.flush();
    await reader.refresh();
    expect(reader.keyspaces()).toEqual(['other']);
    expect(codeThrown(() => texts(reader))).toBe('KEYSPACE_NOT_FOUND');
  });

  test('leaves snapshots and running walks where they are, although the writer has dropped what they show', async () => {
    const { fs, writer, reader } = await pair();
    for (let i = 0; i < 500; i++) texts(writer).put(`k${i}`, `old ${i} ${'x'.repeat(500)}`);
    await writer.flush();
    await reader.refresh();
    const space = texts(reader);
    const then = [...space.range()];
    const snapshot = reader.snapshot();
    const cursor = space.range().cursor();
    const walk = space.range()[Symbol.iterator]() as Generator<[string, string], void>;
    for (let i = 0; i < 100; i++) {
      expect(cursor.next()).toBe(true);
      expect(walk.next().value).toEqual(then[i]);
    }
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 500; i += 2) texts(writer).put(`k${i}`, `new ${round}`);
      texts(writer).deleteRange({ gte: 'k3', lt: 'k4' });
      await writer.flush();
      await writer.compact();
      await reader.refresh();
      for (let i = 100 + round * 50; i < 150 + round * 50; i++) {
        expect(cursor.next()).toBe(true);
        expect(walk.next().value).toEqual(then[i]);
        expect(new TextDecoder().decode(cursor.key)).toBe(then[i]![0]);
      }
      expect([...snapshot.range(space)]).toEqual(then);
      expect(snapshot.get(space, 'k3')).toMatch(/^old 3 /);
      expect(space.get('k3')).toBeUndefined();
    }
    expect([...walk]).toHaveLength(then.length - 300);
    cursor.close();
    snapshot.close();
    // Nothing of it is kept when nobody reads it any more.
    await reader.refresh();
    const { pool } = reader.stats().memoryBytes;
    expect(pool).toBe(0);
    expect(fs.list('/db').length).toBeGreaterThan(0);
  });

  test('leaves what is shown whole: verify finds every table that the writer has removed since', async () => {
    const { fs, writer, reader } = await pair();
    for (let i = 0; i < 100; i++) texts(writer).put(`k${i}`, 'x'.repeat(500));
    await writer.flush();
    await reader.refresh();
    const tables = (): string[] => fs.list('/db').filter((name) => name.endsWith('.sst'));
    const before = tables();
    await writer.compact();
    texts(writer).put('k1', 'y');
    await writer.compact();
    expect(tables()).not.toEqual(expect.arrayContaining(before));
    expect(await reader.verify()).toMatchObject({ files: before.length, problems: [] });
    expect(texts(reader).get('k1')).toHaveLength(500);
  });

  test('keeps no memtables that the writer has flushed', async () => {
    const { writer, reader } = await pair({ keyspaceDefaults: { memtableBytes: 64 * KIB } });
    for (let round = 0; round < 60; round++) {
      for (let i = 0; i < 20; i++) texts(writer).put(`k${i}`, 'x'.repeat(2000));
      // A keyspace that is idle does not hold what it had.
      if (round === 10) texts(writer, 'idle').put('a', 'x'.repeat(5000));
      if (round % 8 === 0) await writer.flush();
      writer.syncNow('os');
      await reader.refresh();
      expect(reader.stats().memoryBytes.pool).toBeLessThan(1024 * KIB);
    }
    await writer.flush();
    await reader.refresh();
    expect(reader.stats().memoryBytes.pool).toBe(0);
    expect(texts(reader, 'idle').get('a')).toHaveLength(5000);
  });

  test('finds more memory when the writer keeps more in memory than the reader was made for', async () => {
    const { writer, reader } = await pair(
      { memoryBytesMax: 256 * KIB * KIB, memtableBytesMax: 64 * KIB * KIB },
      { memoryBytesMax: 1024 * KIB, memtableBytesMax: 64 * KIB, batchBytesMax: 128 * KIB },
    );
    for (let i = 0; i < 240; i++) texts(writer).put(`k${i}`, `${i}:${'x'.repeat(100_000)}`);
    const sequence = writer.syncNow('os');
    expect((await reader.refresh()).sequence).toBe(sequence);
    for (let i = 0; i < 240; i++) expect(texts(reader).get(`k${i}`)?.startsWith(`${i}:`)).toBe(true);
    texts(writer).put('more', 'x');
    writer.syncNow('os');
    expect((await reader.refresh()).batches).toBe(1);
    expect(texts(reader).get('more')).toBe('x');
  });

  test('lets the event loop turn while much is read, and shows the old state until all is there', async () => {
    const big = { memoryBytesMax: 256 * KIB * KIB, memtableBytesMax: 64 * KIB * KIB };
    const { writer, reader } = await pair(big, big);
    for (let i = 0; i < 100; i++) texts(writer).put(`k${i}`, 'x'.repeat(100_000));
    const sequence = writer.syncNow('os');
    const before = reader.stats().sequence;
    let turns = 0;
    let isDone = false;
    const turn = (): void => {
      if (isDone) return;
      turns++;
      expect(reader.stats().sequence).toBe(before);
      expect([...texts(reader).range().keys()]).toEqual(['first']);
      setImmediate(turn);
    };
    setImmediate(turn);
    const report = await reader.refresh();
    isDone = true;
    expect(report).toMatchObject({ sequence, batches: 100 });
    expect(turns).toBeGreaterThan(5);
    expect(texts(reader).count()).toBe(101);
  });

  test('sees what an outside log has put into tables', async () => {
    const fs = new MemoryFs();
    const writer = await open('/db', { ...little, fileSystem: fs, log: 'external' });
    texts(writer);
    writer.applyExternal(7, writer.batch().put(texts(writer), 'a', '1'));
    await writer.flush();
    const reader = await open('/db', { ...little, fileSystem: fs, readOnly: true });
    expect(reader.appliedPosition()).toBe(7);
    writer.applyExternal(9, writer.batch().put(texts(writer), 'a', '2').put(texts(writer, 'b'), 'c', '3'));
    await writer.flush();
    await reader.refresh();
    expect(reader.appliedPosition()).toBe(9);
    expect(texts(reader).get('a')).toBe('2');
    expect(texts(reader, 'b').get('c')).toBe('3');
    await reader.close();
    await writer.close();
  });

  test('does not mix what was read with an older copy of the directory', async () => {
    const { fs, writer, reader } = await pair();
    await writer.checkpoint('/copy');
    for (let i = 0; i < 10; i++) texts(writer).put('first', String(i));
    await writer.close();
    await reader.refresh();
    for (const name of fs.list('/db')) fs.remove(`/db/${name}`);
    for (const name of fs.list('/copy')) fs.rename(`/copy/${name}`, `/db/${name}`);
    expect(await codeOf(reader.refresh())).toBe('closed REWOUND');
    expect(texts(reader).get('first')).toBe('9');
    expect(await codeOf(reader.refresh())).toBe('closed REWOUND');
  });

  test('says that the database is gone', async () => {
    const { fs, writer, reader } = await pair();
    await writer.close();
    for (const name of fs.list('/db')) fs.remove(`/db/${name}`);
    expect(await codeOf(reader.refresh())).toBe('invalid NOT_FOUND');
    expect(texts(reader).get('first')).toBe('1');
  });
});
