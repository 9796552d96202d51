import { expect, test } from 'vitest';
import {
  cacheName,
  inDirectory,
  indexName,
  keptTableName,
  logName,
  manifestName,
  optionsName,
  parseFileName,
  tableName,
} from './file-names.ts';

test('names have at least six digits', () => {
  expect(manifestName(1)).toBe('MANIFEST-000001');
  expect(optionsName(4)).toBe('OPTIONS-000004');
  expect(cacheName(6)).toBe('CACHE-000006');
  expect(logName(2)).toBe('000002.wal');
  expect(tableName(3)).toBe('000003.sst');
  expect(indexName(5)).toBe('000005.idx');
  expect(tableName(12_345_678)).toBe('12345678.sst');
});

test('what was formatted is parsed back', () => {
  for (const number of [1, 999_999, 1_000_000, 4_294_967_296]) {
    expect(parseFileName(manifestName(number))).toEqual({ kind: 'manifest', number });
    expect(parseFileName(optionsName(number))).toEqual({ kind: 'options', number });
    expect(parseFileName(cacheName(number))).toEqual({ kind: 'cache', number });
    expect(parseFileName(logName(number))).toEqual({ kind: 'log', number });
    expect(parseFileName(tableName(number))).toEqual({ kind: 'table', number });
    expect(parseFileName(indexName(number))).toEqual({ kind: 'index', number });
    expect(parseFileName(keptTableName(number, 7))).toEqual({ kind: 'kept', segment: number, table: 7 });
  }
});

test('the lock, the sockets of openers and the archive are known', () => {
  expect(parseFileName('LOCK')).toEqual({ kind: 'lock' });
  expect(parseFileName('LOCK.info')).toEqual({ kind: 'lock' });
  expect(parseFileName('LOCK.000000000001-0123456789abcdef~')).toEqual({ kind: 'lock' });
  expect(parseFileName('archive')).toEqual({ kind: 'archive' });
});

test('a name that would not be written like that is foreign', () => {
  const foreign = [
    '',
    '1.sst',
    '00001.sst',
    '0000001.sst',
    '000000.sst',
    '000001.SST',
    '000001.sst.tmp',
    ' 000001.sst',
    '000001.sst\n',
    'x000001.sst',
    '000001.log',
    'MANIFEST',
    'MANIFEST-1',
    'MANIFEST-0000001',
    'manifest-000001',
    'LOCKED',
    'archived',
    '9999999999999999.sst',
    '000001-1.sst',
    '000000-000001.sst',
    '000001-000002.wal',
    '9999999999999999-000001.sst',
  ];
  expect(foreign.filter((name) => parseFileName(name) !== undefined)).toEqual([]);
});

test('a path is the directory, one slash and the name', () => {
  expect(inDirectory('/db', 'LOCK')).toBe('/db/LOCK');
  expect(inDirectory('/', 'LOCK')).toBe('/LOCK');
});
