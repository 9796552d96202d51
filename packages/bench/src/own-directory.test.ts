import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { open } from 'varve';
import {
  claimDirectory,
  directoryBytes,
  ForeignDirectoryError,
  removeDatabase,
  removeStore,
} from './own-directory.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'varve-own-'));
});
afterEach(() => rmSync(root, { recursive: true }));

test('an absent or empty directory is claimed, and found again later', () => {
  const absent = join(root, 'a', 'b');
  expect(claimDirectory(absent, 'demo')).toBe(false);
  expect(claimDirectory(absent, 'demo')).toBe(true);
  mkdirSync(join(root, 'empty'));
  expect(claimDirectory(join(root, 'empty'), 'demo')).toBe(false);
});

test('a directory with files of somebody else is refused and left as it is', async () => {
  writeFileSync(join(root, '000001.sst'), 'precious');
  expect(() => claimDirectory(root, 'demo')).toThrow(ForeignDirectoryError);
  await expect(removeDatabase(root, 'demo')).rejects.toThrow(ForeignDirectoryError);
  expect(readdirSync(root)).toEqual(['000001.sst']);
});

test('a directory that another program made is refused', () => {
  const path = join(root, 'db');
  claimDirectory(path, 'bench');
  expect(() => claimDirectory(path, 'demo')).toThrow(/holds files that the demo did not make/);
});

test('a file in the place of the directory is refused', () => {
  writeFileSync(join(root, 'file'), '');
  expect(() => claimDirectory(join(root, 'file'), 'demo')).toThrow(/is a file/);
});

test('only the files of a database are removed from a claimed directory', async () => {
  claimDirectory(root, 'demo');
  const database = [
    'MANIFEST-000001',
    '000002.wal',
    '000003.sst',
    'LOCK',
    'LOCK.info',
    'OPTIONS-000004',
    'CACHE-000006',
  ];
  const others = ['notes.txt', '2.sst', 'MANIFEST', 'archive.wal'];
  for (const name of [...database, ...others]) writeFileSync(join(root, name), 'x');
  mkdirSync(join(root, '000005.sst'));
  await removeDatabase(root, 'demo');
  expect(readdirSync(root).sort()).toEqual(['.made-by-varve-demo', '000005.sst', ...others].sort());
  expect(existsSync(join(root, '000005.sst'))).toBe(true);
});

test('a database that is open is not removed', async () => {
  claimDirectory(root, 'demo');
  await using db = await open(root);
  await expect(removeDatabase(root, 'demo')).rejects.toMatchObject({ code: 'LOCKED' });
  expect(readdirSync(root).some((name) => name.startsWith('MANIFEST-'))).toBe(true);
  expect(db.keyspaces()).toEqual([]);
});

test('the bytes of a directory are those of the files in it', () => {
  writeFileSync(join(root, 'a'), 'four');
  writeFileSync(join(root, 'b'), 'three');
  mkdirSync(join(root, 'c'));
  expect(directoryBytes(root)).toBe(9);
});

test('a store of another engine goes with all that is in it, when it was claimed', () => {
  const store = join(root, 'store');
  mkdirSync(join(store, 'deeper'), { recursive: true });
  removeStore(store, 'bench');
  expect(existsSync(join(store, 'deeper'))).toBe(true);
  rmSync(store, { recursive: true });
  claimDirectory(store, 'bench');
  mkdirSync(join(store, 'deeper'));
  writeFileSync(join(store, 'deeper', 'data.mdb'), 'x');
  removeStore(store, 'bench');
  expect(existsSync(store)).toBe(false);
});
