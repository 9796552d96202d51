/**
 * The option `reads`: a database reads the same in every mode, also while compaction removes tables under a walk, and a
 * mode that can not be had is refused by name or said. What a single file does is in src/fs/table-reads.test.ts.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, type DatabaseOptions, open, utf8, VarveError } from 'varve';
import { type DirectRefusal, MemoryFs, nodeFileSystem, type ReadMode, SimFs, withReads } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from './temp-directory.ts';

/** Why a mode can not be tested here; undefined when it can. */
function missing(mode: ReadMode): string | undefined {
  try {
    withReads(nodeFileSystem, mode);
    return undefined;
  } catch (error) {
    if (error instanceof VarveError && error.code === 'MMAP_UNAVAILABLE') return error.message;
    throw error;
  }
}

const small: DatabaseOptions = {
  workers: 1,
  cacheBytesMax: 0,
  keyspaceDefaults: { memtableBytes: 64 * 1024, tableBytes: 32 * 1024 },
};
const key = (number: number): string => String(number).padStart(6, '0');
const value = (number: number): string => `${number}:${'x'.repeat(number % 300)}`;

describe.each(['pread', 'direct', 'mmap'] as const)('reads by %s', (reads) => {
  const why = missing(reads);

  test.skipIf(why !== undefined)(`give what was written${why === undefined ? '' : ` (${why})`}`, async () => {
    const path = temporaryDirectory();
    const db = await open(path, { ...small, reads });
    const keyspace = db.keyspace('a', { key: utf8, value: utf8 });
    for (let i = 0; i < 2000; i++) keyspace.put(key(i), value(i));
    keyspace.put('large', 'v'.repeat(3_000_000));
    await db.flush();
    for (let i = 0; i < 2000; i++) expect(keyspace.get(key(i))).toBe(value(i));
    expect(keyspace.get('large')).toHaveLength(3_000_000);
    const walk = keyspace.range({ lt: 'l' })[Symbol.iterator]();
    for (let i = 0; i < 500; i++) expect(walk.next().value).toEqual([key(i), value(i)]);
    // The tables that the walk reads from are replaced and removed.
    await db.compact();
    for (let i = 500; i < 2000; i++) expect(walk.next().value).toEqual([key(i), value(i)]);
    expect(walk.next().done).toBe(true);
    expect((await db.verify()).problems).toEqual([]);
    await db.close();
    if (existsSync('/proc/self/maps')) expect(readFileSync('/proc/self/maps', 'latin1')).not.toContain(path);
    const again = await open(path, { ...small, reads, readOnly: true });
    expect(again.recovered.warnings).toEqual([]);
    expect(again.keyspace('a', { key: utf8, value: utf8 }).count()).toBe(2001);
    await again.close();
  });

  test.skipIf(why !== undefined)('find that a table was cut', async () => {
    const path = temporaryDirectory();
    const db = await open(path, { ...small, reads });
    for (let i = 0; i < 100; i++) db.keyspace('a', { key: utf8, value: utf8 }).put(key(i), value(i));
    await db.flush();
    await db.close();
    const table = join(path, readdirSync(path).find((name) => name.endsWith('.sst'))!);
    truncateSync(table, 5000);
    const cut = async (): Promise<number> => {
      const reopened = await open(path, { ...small, reads, readOnly: true });
      try {
        return reopened.keyspace('a').count();
      } finally {
        await reopened.close();
      }
    };
    await expect(cut()).rejects.toMatchObject({ kind: 'corruption', context: { file: table } });
  });
});

test('other modes than pread are refused where the files are not those of the system', async () => {
  const fs = new MemoryFs();
  for (const options of [{ reads: 'direct' }, { reads: 'mmap' }] as const) {
    const wanted = { kind: 'invalid', code: 'OPTION_INVALID', context: { problems: [{ option: 'reads' }] } };
    await expect(open(':memory:', options)).rejects.toMatchObject(wanted);
    await expect(open('/db', { ...options, fileSystem: fs })).rejects.toMatchObject(wanted);
  }
  expect(fs.status('/db')).toBeUndefined();
  await expect(open(':memory:', { reads: 'odirect' as never })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
  });
});

describe('direct reads that the file system refuses', () => {
  test.each(['open', 'read'] as const)(
    'at its %s become plain ones: open warns, and nothing else is different',
    async (when) => {
      const fs = new SimFs();
      const reopen = async (refusal: DirectRefusal, options: DatabaseOptions = {}): Promise<Database> => {
        fs.otherReads.directRefusal = refusal;
        const db = await open('/db', { ...small, reads: 'direct', fileSystem: fs, ...options });
        onTestFinished(() => db.close());
        return db;
      };
      const refused = [expect.stringContaining('refuses direct reads (O_DIRECT); tables are read by pread')];
      const db = await reopen(when);
      expect(db.recovered.warnings).toEqual(refused);
      const keyspace = db.keyspace('a', { key: utf8, value: utf8 });
      for (let i = 0; i < 500; i++) keyspace.put(key(i), value(i));
      await db.flush();
      for (let i = 0; i < 500; i++) expect(keyspace.get(key(i))).toBe(value(i));
      await db.compact();
      expect(keyspace.count()).toBe(500);
      expect((await db.verify()).problems).toEqual([]);
      await db.close();
      const reader = await reopen(when, { readOnly: true });
      expect(reader.recovered.warnings).toEqual(refused);
      expect(reader.keyspace('a', { key: utf8, value: utf8 }).get(key(7))).toBe(value(7));
      await reader.close();
      const direct = await reopen('none');
      expect(direct.recovered.warnings).toEqual([]);
      expect(direct.keyspace('a', { key: utf8, value: utf8 }).count()).toBe(500);
    },
  );

  test('nobody is warned who did not ask for them', async () => {
    const fs = new SimFs();
    fs.otherReads.directRefusal = 'open';
    for (const reads of ['pread', 'mmap'] as const) {
      const db = await open('/db', { ...small, reads, fileSystem: fs });
      expect(db.recovered.warnings).toEqual([]);
      await db.close();
    }
  });
});

test.runIf(existsSync('/dev/shm'))(
  'a file system without a disk is read in every mode that it allows',
  async () => {
    const root = mkdtempSync('/dev/shm/varve-reads-');
    try {
      const db = await open(join(root, 'db'), { ...small, reads: 'direct' });
      // Older systems refuse direct reads of memory, newer ones do not mind.
      for (const warning of db.recovered.warnings) expect(warning).toContain('refuses direct reads');
      const keyspace = db.keyspace('a', { key: utf8, value: utf8 });
      for (let i = 0; i < 500; i++) keyspace.put(key(i), value(i));
      await db.flush();
      for (let i = 0; i < 500; i++) expect(keyspace.get(key(i))).toBe(value(i));
      await db.close();
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  },
);
