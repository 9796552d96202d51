import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DumpLine, dumpFile, open, u64, utf8, VarveError } from '../index.ts';

const root = mkdtempSync(join(tmpdir(), 'varve-dump-'));
const directory = join(root, 'db');
afterAll(() => rmSync(root, { recursive: true, force: true }));

const long = `${'é'.repeat(511)}x${'é'.repeat(10)}`;

beforeAll(async () => {
  const db = await open(directory);
  const users = db.keyspace('users', { key: utf8, value: utf8 });
  const numbers = db.keyspace('numbers', { key: u64 });
  for (let i = 0; i < 500; i++) users.put(`user${i}`, `value ${i}`);
  // Without a reader of the past the flush would drop what is deleted, and the deletes.
  const past = db.snapshot();
  users.delete('user1');
  users.deleteRange({ gte: 'user30', lt: 'user31' });
  await db.flush();
  past.close();
  db.write(
    db
      .batch()
      .put(numbers, 300, Uint8Array.of(0xff, 0))
      .delete(users, 'user2')
      .put(users, '0xab', 'tab\tend\n'),
  );
  users.put('long', long);
  numbers.deleteRange({ gte: 1, lt: 2 });
  await db.dropKeyspace('numbers');
  await db.close();
});

/** The path of the only file of a kind. */
function only(pattern: RegExp): string {
  const names = readdirSync(directory).filter((name) => pattern.test(name));
  expect(names).toHaveLength(1);
  return join(directory, names[0]!);
}

const log = (): string => only(/\.wal$/);
const table = (): string => only(/\.sst$/);
const manifest = (): string => only(/^MANIFEST/);
const lines = (path: string): DumpLine[] => [...dumpFile(path)];
const ofKind = (path: string, kind: string): DumpLine[] => lines(path).filter((line) => line.kind === kind);

/** A file with these bytes; names of no meaning make the content decide. */
function file(name: string, bytes: Uint8Array): string {
  const path = join(root, name);
  writeFileSync(path, bytes);
  return path;
}

/** What iterating brings before it fails, and the failure. */
function untilFailure(path: string): { before: DumpLine[]; error: VarveError } {
  const before: DumpLine[] = [];
  try {
    for (const line of dumpFile(path)) before.push(line);
  } catch (error) {
    if (error instanceof VarveError) return { before, error };
    throw error;
  }
  throw new Error('no failure');
}

const shownOperator = { name: 'shown', version: 3, merge: (): Uint8Array => new Uint8Array(0) };

describe('a log segment', () => {
  test('shows records, below a batch its operations, and keyspace changes decoded', () => {
    const all = lines(log());
    expect(all[0]).toMatchObject({ offset: 0, kind: 'segment-start', detail: { previousSegment: 0 } });
    expect(ofKind(log(), 'keyspace').map(({ detail }) => detail)).toMatchObject([
      { change: 'create', name: 'users', keyCodec: 'utf8', valueCodec: 'utf8' },
      { change: 'create', name: 'numbers', keyCodec: 'u64', valueCodec: 'bytes' },
      { change: 'drop', id: 2 },
    ]);
    const at = all.findIndex(({ kind, detail }) => kind === 'batch' && detail['operations'] === 3);
    expect(all.slice(at + 1, at + 4).map(({ kind, detail }) => ({ kind, detail }))).toEqual([
      { kind: 'put', detail: { keyspace: 2, key: '0x000000000000012c', value: '0xff00' } },
      { kind: 'delete', detail: { keyspace: 1, key: 'user2' } },
      // Text that looks like hex is shown in hex, so that it can be told from it.
      { kind: 'put', detail: { keyspace: 1, key: '0x30786162', value: 'tab\tend\n' } },
    ]);
    expect(ofKind(log(), 'range-delete').map(({ detail }) => detail)).toEqual([
      { keyspace: 1, start: 'user30', end: 'user31' },
      { keyspace: 2, start: '0x0000000000000001', end: '0x0000000000000002' },
    ]);
    expect(all.at(-1)!.kind).toBe('marker');
  });

  test('states the offset at which each operation stands', () => {
    const bytes = readFileSync(log());
    const last = ofKind(log(), 'put').find(({ detail }) => detail['key'] === 'user499')!;
    // Kind, keyspace and length of the key, one byte each, then the key.
    expect(bytes.toString('latin1', last.offset + 3, last.offset + 10)).toBe('user499');
  });

  test('shows the beginning of a long value, not cut inside a character', () => {
    const { detail } = ofKind(log(), 'put').find((line) => line.detail['key'] === 'long')!;
    expect(detail).toMatchObject({ value: long.slice(0, 512), valueBytes: Buffer.byteLength(long) });
  });

  test('goes on behind damage, which is a line of its own', () => {
    const bytes = readFileSync(log());
    const at = bytes.indexOf('user100');
    bytes[at]! ^= 1;
    const all = lines(file('damaged-log.wal', bytes));
    const damage = all.filter(({ kind }) => kind === 'damage');
    expect(damage).toMatchObject([{ detail: { bytes: expect.any(Number) as number } }]);
    expect(damage[0]!.offset).toBeLessThan(at);
    expect(damage[0]!.offset + (damage[0]!.detail['bytes'] as number)).toBeGreaterThan(at);
    expect(all.some(({ detail }) => detail['key'] === 'user101')).toBe(true);
    expect(all).toHaveLength(lines(log()).length - 1);
  });

  test('ends in a tail when its last record is cut', () => {
    const cut = lines(file('cut.wal', readFileSync(log()).subarray(0, -5)));
    expect(cut.at(-1)).toMatchObject({ kind: 'tail', detail: { bytes: 39 } });
    expect(cut.some(({ kind }) => kind === 'damage')).toBe(false);
  });

  test('is damage as a whole when no record of its own is in it', () => {
    const other = join(root, '000999.wal');
    copyFileSync(log(), other);
    expect(lines(other)).toMatchObject([{ offset: 0, kind: 'damage' }]);
    expect(lines(file('zeros.wal', new Uint8Array(100)))).toMatchObject([
      { kind: 'damage', detail: { bytes: 100 } },
    ]);
    expect(lines(file('empty.wal', new Uint8Array(0)))).toEqual([]);
  });
});

describe('a table', () => {
  test('shows footer, properties, range deletes, and each block with its entries', () => {
    const all = lines(table());
    expect(all.map(({ kind }) => kind).slice(0, 5)).toEqual([
      'footer',
      'properties',
      'range-delete',
      'data',
      'put',
    ]);
    expect(all[1]!.detail).toMatchObject({ rangeTombstones: 1, smallestKey: 'user0', compression: 'none' });
    expect(all[2]!.detail).toMatchObject({ start: 'user30', end: 'user31' });
    const data = all.filter(({ kind }) => kind === 'data');
    expect(data.length).toBeGreaterThan(1);
    for (const block of data) {
      const entries = all.filter(
        ({ offset, kind }) => offset === block.offset && /^(put|delete)$/.test(kind),
      );
      expect(entries).toHaveLength(block.detail['entries'] as number);
      expect(entries[0]!.detail['key']).toBe(block.detail['firstKey']);
      expect(entries.at(-1)!.detail['key']).toBe(block.detail['lastKey']);
    }
    expect(ofKind(table(), 'delete').map(({ detail }) => detail['key'])).toEqual(['user1']);
    expect(all.find(({ detail }) => detail['key'] === 'user7')!.detail).toMatchObject({ value: 'value 7' });
  });

  test('ends with a corruption error at a damaged block, after the lines before it', () => {
    const { offset } = ofKind(table(), 'data')[1]!;
    const bytes = readFileSync(table());
    bytes[offset + 10]! ^= 1;
    const path = file('damaged.sst', bytes);
    const { before, error } = untilFailure(path);
    expect(error).toMatchObject({ code: 'CORRUPTION', context: { file: path, offset } });
    expect(before.filter(({ kind }) => kind === 'data')).toHaveLength(1);
    expect(before.at(-1)!.kind).toBe('put');
  });

  test('without its footer is corruption when it is named a table', () => {
    const cut = readFileSync(table()).subarray(0, -1);
    expect(untilFailure(file('cut.sst', cut)).error.code).toBe('CORRUPTION');
    expect(untilFailure(file('cut', cut)).error.code).toBe('FILE_UNKNOWN');
  });
});

describe('a manifest', () => {
  test('shows its records and below them each change', () => {
    const all = lines(manifest());
    expect(all.slice(0, 2)).toMatchObject([
      { offset: 0, kind: 'snapshot', detail: { comparator: 'bytewise' } },
      { kind: 'complete', detail: {} },
    ]);
    expect(ofKind(manifest(), 'keyspace').map(({ detail }) => [detail['change'], detail['id']])).toEqual([
      ['create', 1],
      ['create', 2],
      ['drop', 2],
    ]);
    const [added] = ofKind(manifest(), 'add-file');
    expect(added!.detail).toMatchObject({ keyspace: 1, level: 0, smallestKey: 'user0', rangeTombstones: 1 });
    expect(ofKind(table(), 'footer')[0]!.detail['uniqueId']).toBe(added!.detail['uniqueId']);
  });

  test('ends in a tail when its last edit is torn', () => {
    const cut = lines(file('MANIFEST-cut', readFileSync(manifest()).subarray(0, -3)));
    expect(cut.at(-1)).toMatchObject({ kind: 'tail' });
    expect(cut.at(-2)!.offset).toBeLessThan(cut.at(-1)!.offset);
  });

  test('says when it was never completed', () => {
    const { offset } = lines(manifest())[1]!;
    const cut = lines(file('MANIFEST-half', readFileSync(manifest()).subarray(0, offset)));
    expect(cut.map(({ kind }) => kind)).toEqual(['snapshot', 'incomplete']);
  });

  test('ends with a corruption error at a damaged record', () => {
    const { offset } = ofKind(manifest(), 'edit')[1]!;
    const bytes = readFileSync(manifest());
    bytes[offset + 12]! ^= 1;
    const { before, error } = untilFailure(file('MANIFEST-damaged', bytes));
    expect(error).toMatchObject({ code: 'CORRUPTION', context: { offset } });
    expect(before.at(-1)!.offset).toBeLessThan(offset);
  });
});

test('a copy under another name is known by its content', () => {
  for (const [name, path] of [
    ['a', log()],
    ['b', table()],
    ['c', manifest()],
  ] as const) {
    const copy = join(root, name);
    copyFileSync(path, copy);
    expect(lines(copy)).toEqual(lines(path));
  }
});

test('the lines can be iterated more than once', () => {
  const dump = dumpFile(table());
  expect([...dump]).toEqual([...dump]);
});

test('what is no file of a database is refused by name', () => {
  const code = (path: string): string => untilFailure(path).error.code;
  expect(code(file('notes.txt', Buffer.from('hello')))).toBe('FILE_UNKNOWN');
  expect(code(file('nothing', new Uint8Array(0)))).toBe('FILE_UNKNOWN');
  expect(code(directory)).toBe('FILE_UNKNOWN');
  expect(untilFailure(join(root, 'missing.sst')).error).toMatchObject({
    kind: 'io',
    context: { system: 'ENOENT' },
  });
  expect(() => dumpFile('')).toThrow(expect.objectContaining({ code: 'PATH_INVALID' }) as Error);
});

test('no bytes make a dump fail in another way than by its documented errors', () => {
  for (const path of [log(), table(), manifest()]) {
    const original = readFileSync(path);
    for (let i = 0; i < 60; i++) {
      const bytes = Buffer.from(original);
      bytes[(i * 7919) % bytes.length]! ^= 1 << (i % 8);
      const damaged = file(`any-${i % 8 === 0 ? '' : path.split('/').at(-1)!}`, bytes);
      try {
        expect(lines(damaged).length).toBeGreaterThan(0);
      } catch (error) {
        expect((error as VarveError).code).toMatch(/^(CORRUPTION|FILE_UNKNOWN|UNSUPPORTED_\w+)$/);
      }
    }
  }
});

test('operands of merges are shown one by one, in the log and in the table, and the operator in log and manifest', async () => {
  const path = join(root, 'merging');
  const db = await open(path);
  const texts = db.keyspace('texts', { key: utf8, value: utf8, mergeOperator: { operator: shownOperator } });
  db.write(db.batch().merge(texts, 'a', '1').merge(texts, 'a', '2'));
  for (let i = 0; i < 20; i++) texts.merge('b', `${i}`);
  await db.flush();
  await db.close();
  const all = readdirSync(path).flatMap((name) =>
    /\.(wal|sst)$|^MANIFEST/.test(name) ? lines(join(path, name)) : [],
  );
  const merges = all.filter(({ kind, detail }) => kind === 'merge' && detail['key'] === 'a');
  expect(merges.map(({ detail }) => detail['operands'])).toEqual([
    ['1', '2'],
    ['1', '2'],
  ]);
  const long = all.filter(({ detail }) => detail['operandCount'] !== undefined);
  expect(long.map(({ detail }) => detail)).toMatchObject([{ key: 'b', operandCount: 20 }]);
  expect(long[0]!.detail['operands']).toHaveLength(16);
  expect(all.filter(({ kind }) => kind === 'keyspace')).toMatchObject([
    { detail: { change: 'create', mergeOperator: { name: 'shown', version: '3' } } },
    { detail: { change: 'create' } },
  ]);
  expect(all.filter(({ kind }) => kind === 'keyspace-code').map(({ detail }) => detail)).toEqual([
    { keyspace: 1, role: 'mergeOperator', name: 'shown', version: '3' },
  ]);
});

test('what expires is shown with its time, in the log, in the table and in the manifest', async () => {
  const path = join(root, 'expiring');
  const time = Date.UTC(2026, 0, 1);
  const db = await open(path, { clock: { now: () => time, monotonic: () => time } });
  const short = db.keyspace('short', { key: utf8, value: utf8, ttlMs: 1000 });
  short.put('a', 'one');
  await db.flush();
  short.put('b', 'two', { ttlMs: Number.MAX_SAFE_INTEGER });
  await db.close();
  const all = readdirSync(path).flatMap((name) =>
    /\.(wal|sst)$|^MANIFEST/.test(name) ? lines(join(path, name)) : [],
  );
  const expires = '2026-01-01T00:00:01.000Z';
  const shown = all.filter(({ kind }) => kind === 'put-expiry').map(({ detail }) => detail);
  expect(shown).toContainEqual({ keyspace: 1, key: 'a', expires, value: 'one' });
  expect(shown).toContainEqual({ key: 'a', sequence: 2, expires, value: 'one' });
  // No time that a date can be.
  expect(shown).toContainEqual({ keyspace: 1, key: 'b', expires: Number.MAX_SAFE_INTEGER, value: 'two' });
  const facts = { expiring: 1, earliestExpiry: expires, latestExpiry: expires };
  for (const kind of ['properties', 'add-file']) {
    expect(all.find((line) => line.kind === kind)?.detail).toMatchObject(facts);
  }
  expect(all.find(({ kind }) => kind === 'edit')?.detail['storedTime']).toBe('2026-01-01T00:00:00.000Z');
});
