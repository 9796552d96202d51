import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { json, open, tuple, u64, utf8 } from 'varve';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cli, ok, temporaryDirectory } from '../src/testing.suite.ts';

const directory = temporaryDirectory();
afterAll(() => directory.remove());

let made = 0;
/** The path of a database that is not there yet. */
const fresh = (): string => join(directory.path, `db${made++}`);
const file = (name: string): string => join(directory.path, name);

describe('one entry', () => {
  test('is put, read, and deleted', async () => {
    const db = fresh();
    expect(await ok(['put', db, 'ada', '{"name":"Ada"}'])).toMatch(
      /^stored, sequence \d+, durability disk\n$/,
    );
    expect(await ok(['get', db, 'ada'])).toBe('{"name":"Ada"}\n');
    expect(await ok(['delete', db, 'ada'])).toMatch(/^deleted, sequence \d+\n$/);
    expect(await cli(['get', db, 'ada'])).toMatchObject({ code: 1, stdout: '' });
    expect((await cli(['delete', db, 'ada'])).code).toBe(1);
  });

  test('the database may come by --db, before or behind the command', async () => {
    const db = fresh();
    await ok(['--db', db, 'put', 'a', '1']);
    expect(await ok(['get', 'a', '--db', db])).toBe('1\n');
  });

  test('in JSON', async () => {
    const db = fresh();
    const put = JSON.parse(await ok(['put', db, 'a', '1', '--json', '--durability', 'os'])) as object;
    expect(put).toMatchObject({ durability: 'os', sequence: expect.any(Number) as number });
    expect(JSON.parse(await ok(['get', db, 'a', '--json']))).toEqual({ key: 'a', value: '1' });
    expect(JSON.parse(await ok(['get', db, 'a', '--json', '--value-format', 'json']))).toEqual({
      key: 'a',
      value: 1,
    });
  });

  test('in hex, and bytes that are no text', async () => {
    const db = fresh();
    await ok(['put', db, '00ff', 'fffe', '--key-format', 'hex', '--value-format', 'hex']);
    expect(await ok(['get', db, '00ff', '--key-format', 'hex', '--value-format', 'hex'])).toBe('fffe\n');
    expect(await ok(['scan', db])).toBe('\\x00\\xff\t\\xff\\xfe\n');
    expect(JSON.parse(await ok(['scan', db, '--json']))).toEqual({
      key: { $hex: '00ff' },
      value: { $hex: 'fffe' },
    });
  });

  test('a value comes from stdin', async () => {
    const db = fresh();
    await ok(['put', db, 'a', '-'], 'line 1\nline 2');
    expect(await ok(['get', db, 'a'])).toBe('line 1\nline 2\n');
  });

  test('of another keyspace', async () => {
    const db = fresh();
    await ok(['put', db, 'a', '1', '-k', 'other']);
    expect(await ok(['get', db, 'a', '--keyspace', 'other'])).toBe('1\n');
    const missing = await cli(['get', db, 'a']);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain("no keyspace 'default'");
    expect(missing.stderr).toContain('it has other');
  });
});

describe('ranges', () => {
  const db = join(directory.path, 'ranges');
  beforeAll(async () => {
    const lines = ['a', 'b', 'ba', 'c', 'd'].map((key, i) => JSON.stringify({ key, value: String(i) }));
    await ok(['import', db, '-'], lines.join('\n'));
  });

  test.each<[string[], string]>([
    [[], 'a b ba c d'],
    [['--gte', 'b', '--lt', 'd'], 'b ba c'],
    [['--gt', 'b', '--lte', 'd'], 'ba c d'],
    [['--prefix', 'b'], 'b ba'],
    [['--reverse', '--limit', '2'], 'd c'],
    [['--limit', '0'], ''],
  ])('scan and count %j', async (options, keys) => {
    const expected = keys === '' ? [] : keys.split(' ');
    const shown = await ok(['scan', db, '--keys', ...options]);
    expect(shown).toBe(expected.map((key) => `${key}\n`).join(''));
    expect(await ok(['count', db, ...options])).toBe(`${expected.length}\n`);
  });

  test('keys and values stand with a tab between, or alone', async () => {
    expect(await ok(['scan', db, '--limit', '1'])).toBe('a\t0\n');
    expect(await ok(['scan', db, '--limit', '1', '--values'])).toBe('0\n');
    expect(await ok(['count', db, '--json'])).toBe('{"keyspace":"default","count":5}\n');
  });

  test('bounds that exclude each other are wrong usage', async () => {
    expect((await cli(['scan', db, '--gte', 'a', '--gt', 'a'])).code).toBe(2);
    expect((await cli(['scan', db, '--limit', 'many'])).code).toBe(2);
  });
});

describe('keyspaces with codecs', () => {
  const db = join(directory.path, 'typed');
  beforeAll(async () => {
    const database = await open(db);
    database.keyspace('events', { key: u64, value: json<object>() }).put(300, { kind: 'click' });
    database.keyspace('flights', { key: tuple<[string, number]>(), value: utf8 }).put(['SFO', 7], 'on time');
    await database.close();
  });

  test('are read and written in the terms of their codecs', async () => {
    expect(await ok(['scan', db, '-k', 'events'])).toBe('300\t{"kind":"click"}\n');
    expect(await ok(['get', db, '-k', 'flights', '["SFO",7]'])).toBe('on time\n');
    await ok(['put', db, '-k', 'events', '301', '{"kind":"key"}']);
    const database = await open(db);
    expect(database.keyspace('events', { key: u64, value: json<object>() }).get(301)).toEqual({
      kind: 'key',
    });
    await database.close();
  });

  test('with --json values of json keyspaces stand as text unless asked for as JSON', async () => {
    const shown = await ok(['scan', db, '-k', 'events', '--json', '--value-format', 'json', '--limit', '1']);
    expect(JSON.parse(shown)).toEqual({ key: 300, value: { kind: 'click' } });
  });
});

describe('import and export', () => {
  const entries = Array.from({ length: 2500 }, (_, i) => ({
    key: `key${String(i).padStart(5, '0')}`,
    value: `value "${i}", with commas\nand lines`,
  }));

  test.each(['jsonl', 'csv'])('%s comes back as it went', async (format) => {
    const first = fresh();
    const source = file(`source.${format}`);
    const lines =
      format === 'jsonl'
        ? entries.map((entry) => JSON.stringify(entry))
        : ['key,value', ...entries.map(({ key, value }) => `${key},"${value.replaceAll('"', '""')}"`)];
    writeFileSync(source, `${lines.join('\n')}\n`);
    expect(await ok(['import', first, source])).toMatch(/^imported 2,500 entries/);
    const exported = file(`exported.${format}`);
    expect(await ok(['export', first, exported])).toBe(`exported 2,500 entries to ${exported}\n`);
    expect(readFileSync(exported, 'utf8')).toBe(readFileSync(source, 'utf8'));
    expect((await cli(['export', first, exported])).code).toBe(2);
    expect(await ok(['export', first, exported, '--force', '--limit', '1', '--json'])).toContain(
      '"entries":1',
    );
  });

  test('long work shows a bar on a terminal, and nothing elsewhere', async () => {
    const source = file('watched.jsonl');
    writeFileSync(source, entries.map((entry) => JSON.stringify(entry)).join('\n'));
    const db = fresh();
    expect((await cli(['import', db, source], '', true)).stderr).toContain('import \u2591');
    expect((await cli(['import', db, source])).stderr).toBe('');
    expect((await cli(['export', db], '', true)).stderr).toContain('export \u2591');
    expect((await cli(['verify', db], '', true)).stderr).toContain('verify ');
  });

  test('bytes that are no text survive as JSONL, and CSV says to use hex', async () => {
    const first = fresh();
    await ok(['put', first, 'ff00', '80', '--key-format', 'hex', '--value-format', 'hex']);
    const exported = await ok(['export', first]);
    const second = fresh();
    await ok(['import', second, '-'], exported);
    expect(await ok(['export', second])).toBe(exported);
    const refused = await cli(['export', first, '--format', 'csv']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('--key-format hex');
    expect(
      await ok(['export', first, '--format', 'csv', '--key-format', 'hex', '--value-format', 'hex']),
    ).toBe('key,value\nff00,80\n');
  });

  test('records of any shape are stored under one of their fields', async () => {
    const db = fresh();
    await ok(['import', db, '-', '--format', 'csv', '--key-field', 'id'], '\uFEFFid,name\n7,Ada\n');
    expect(await ok(['get', db, '7'])).toBe('{"id":"7","name":"Ada"}\n');
    await ok(['import', db, '-', '--key-field', 'id'], '{"id":8,"name":"Bob"}');
    expect(await ok(['get', db, '8'])).toBe('{"id":8,"name":"Bob"}\n');
  });

  test('a wrong line is named, and what came before it is stored', async () => {
    const db = fresh();
    const lines = [...entries.slice(0, 1000).map((entry) => JSON.stringify(entry)), '{"key":"x"}'];
    const refused = await cli(['import', db, '-'], lines.join('\n'));
    expect(refused.code).toBe(5);
    expect(refused.stderr).toContain("stdin, line 1001: no 'value'");
    expect(refused.stderr).toContain('1,000 entries before that are stored');
    expect(await ok(['count', db])).toBe('1000\n');
  });

  test.each<[string[], string, RegExp]>([
    [[], 'nonsense', /line 1: not JSON/],
    [[], '\n[1]', /line 2: not a JSON object/],
    [['--format', 'csv'], 'a,b\n1,2', /no column 'key', 'value' among a, b/],
    [['--format', 'csv'], 'key,value\n1', /line 2: 1 fields, but the header has 2/],
    [['--format', 'csv'], 'key,value\n"1', /line 2: a quoted field without end/],
  ])('bad input %j %j', async (options, input, message) => {
    const refused = await cli(['import', fresh(), '-', ...options], input);
    expect(refused.code).toBe(5);
    expect(refused.stderr).toMatch(message);
  });

  test('a file that is not there is not found, and makes no database', async () => {
    const db = fresh();
    expect((await cli(['import', db, file('missing.csv')])).code).toBe(1);
    expect(existsSync(db)).toBe(false);
    expect((await cli(['import', db, file('data.xml')])).code).toBe(2);
    expect((await cli(['import', db, directory.path, '--format', 'csv'])).code).toBe(2);
  });
});

describe('looking into a database', () => {
  const db = join(directory.path, 'looked-into');
  beforeAll(async () => {
    const database = await open(db);
    const keyspace = database.keyspace('default');
    for (let i = 0; i < 500; i++) keyspace.put(utf8.encode(`key${i}`), new Uint8Array(100));
    await database.flush();
    keyspace.put(utf8.encode('late'), new Uint8Array(1));
    await database.close();
  });

  test('stats', async () => {
    expect(await ok(['stats', db])).toMatch(/default +5\d\d/);
    expect(JSON.parse(await ok(['stats', db, '--json']))).toHaveProperty('keyspaces.default.levels');
  });

  test('levels', async () => {
    expect(await ok(['levels', db])).toMatch(
      /: read from its files\n\ndefault: .*\n {2}memory .*\n {2}L0 +█+ +1 file/,
    );
    const line = await ok(['levels', db, '--json', '-k', 'default']);
    expect(JSON.parse(line)).toHaveProperty('levels.0.files', 1);
    expect((await cli(['levels', db, '-k', 'none'])).code).toBe(1);
  });

  test('verify', async () => {
    expect(await ok(['verify', db])).toMatch(/^sound: 1 table, .*; log: 50\d records, /);
    expect(JSON.parse(await ok(['verify', db, '--quick', '--json']))).toMatchObject({ problems: [] });
  });
});

describe('failures', () => {
  test('a database that is not there is not found, and is not made', async () => {
    const db = fresh();
    for (const command of ['get', 'delete']) {
      expect((await cli([command, db, 'key'])).code).toBe(1);
    }
    expect((await cli(['scan', db])).stderr).toContain('try: check the path');
    expect(existsSync(db)).toBe(false);
  });

  test('a database in use is locked for writing, and can be read', async () => {
    const db = fresh();
    const database = await open(db);
    await database.keyspace('default').put(utf8.encode('a'), utf8.encode('1'), { durability: 'disk' });
    const refused = await cli(['put', db, 'b', '2', '--json']);
    expect(refused.code).toBe(3);
    expect(JSON.parse(refused.stderr)).toMatchObject({ error: { code: 'LOCKED', exitCode: 3 } });
    expect(await ok(['get', db, 'a'])).toBe('1\n');
    await database.close();
  });

  test('a table that is gone is damage, or a change under the reader when the database is open', async () => {
    const db = fresh();
    const database = await open(db);
    await database.keyspace('default').put(utf8.encode('a'), utf8.encode('1'), { durability: 'disk' });
    await database.flush();
    const table = readdirSync(db).find((name) => name.endsWith('.sst'))!;
    renameSync(join(db, table), file('kept.sst'));
    const changed = await cli(['scan', db, '--json']);
    expect(changed).toMatchObject({ code: 3, stdout: '' });
    expect(JSON.parse(changed.stderr)).toHaveProperty('error.code', 'CHANGED');
    await database.close();
    const missing = await cli(['get', db, 'a']);
    expect(missing.code).toBe(4);
    expect(missing.stderr).toContain(`${table} is not there`);
    expect((await cli(['verify', db])).code).toBe(4);
    const salvaged = await cli(['verify', db, '--recovery', 'salvage']);
    expect(salvaged).toMatchObject({ code: 4, stdout: expect.stringContaining('1 problem in') as string });
  });

  test('a damaged table is named with what to do', async () => {
    const db = fresh();
    const database = await open(db);
    database.keyspace('default').put(utf8.encode('a'), utf8.encode('1'));
    await database.flush();
    await database.close();
    const table = join(db, readdirSync(db).find((name) => name.endsWith('.sst'))!);
    const bytes = readFileSync(table);
    bytes[3]! ^= 1;
    writeFileSync(table, bytes);
    const refused = await cli(['get', db, 'a']);
    expect(refused).toMatchObject({ code: 4, stdout: '' });
    expect(refused.stderr).toContain(`file: ${table}`);
    expect(refused.stderr).toContain('varve verify');
    expect((await cli(['verify', db])).code).toBe(4);
  });

  test('what a crash left at the end of the log is left out and said, or refused', async () => {
    const db = fresh();
    await ok(['put', db, 'a', '1']);
    const log = join(db, readdirSync(db).find((name) => name.endsWith('.wal'))!);
    writeFileSync(log, readFileSync(log).subarray(0, -10));
    const read = await cli(['get', db, 'a']);
    expect(read).toMatchObject({ code: 0, stdout: '1\n' });
    expect(read.stderr).toMatch(/^varve: warning: the log ends in \d+ bytes of unfinished records/);
    expect((await cli(['get', db, 'a', '--recovery', 'strict'])).code).toBe(4);
  });

  test('a file instead of a directory', async () => {
    writeFileSync(file('plain'), 'x');
    const refused = await cli(['get', file('plain'), 'key']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('is a file');
  });

  test.each<[string[], RegExp]>([
    [['get'], /no database given\n {2}usage: varve get <db> <key>/],
    [['get', 'key'], /key missing: 'key' was taken as the database/],
    [['put', 'db', 'k', 'v', 'extra'], /too many arguments: 'extra'/],
    [['gett', 'db'], /unknown command 'gett'/],
    [['get', 'db', 'k', '--nope'], /unknown option '--nope'/],
    [['get', 'db', 'k', '--key-format', 'xml'], /Allowed choices are text, hex, json/],
    [['dump'], /dump takes one file/],
  ])('%j is wrong usage', async (argv, message) => {
    const refused = await cli(argv);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(message);
  });

  test('help is no failure and states the exit codes', async () => {
    expect(await ok(['--help'])).toContain('3 in use by another process');
    expect(await ok(['get', '--help'])).toContain('Usage: varve get [options] <db> <key>');
    expect(await ok(['--version'])).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await cli([])).code).toBe(2);
  });
});
