import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { open, utf8 } from 'varve';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cli, ok, temporaryDirectory } from '../src/testing.suite.ts';

const directory = temporaryDirectory();
const db = join(directory.path, 'db');
afterAll(() => directory.remove());

beforeAll(async () => {
  const database = await open(db);
  const users = database.keyspace('users', { key: utf8, value: utf8 });
  for (let i = 0; i < 50; i++) users.put(`user${i}`, `value ${i}`);
  await database.flush();
  users.put('last', 'in the log');
  users.delete('user1');
  await database.close();
});

/** The path of the newest file of a kind. */
function newest(pattern: RegExp): string {
  const names = readdirSync(db).filter((name) => pattern.test(name));
  names.sort((a, b) => Number(/\d+/.exec(a)![0]) - Number(/\d+/.exec(b)![0]));
  return join(db, names.at(-1)!);
}

interface Line {
  readonly offset: number;
  readonly kind: string;
  readonly detail: Record<string, unknown>;
}

const jsonLines = (text: string): Line[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

describe.each([
  ['a table', /\.sst$/, 'user49'],
  ['a manifest', /^MANIFEST-/, 'users'],
  ['a log segment', /\.wal$/, 'last'],
])('%s', (_, pattern, content) => {
  test('is printed line by line, with what it holds', async () => {
    const text = await ok(['dump', newest(pattern)]);
    expect(text).toContain(content);
    expect(text).toMatch(/^ +\d+ {2}\S/);
  });

  test('in JSON, each line with offset, kind and detail', async () => {
    const lines = jsonLines(await ok(['dump', newest(pattern), '--json']));
    for (const { offset, kind, detail } of lines) {
      expect([typeof offset, typeof kind, typeof detail]).toEqual(['number', 'string', 'object']);
    }
    expect(jsonLines(await ok(['dump', newest(pattern), '--json', '--limit', '1']))).toEqual(
      lines.slice(0, 1),
    );
  });
});

test('behind damage in a log the listing goes on, with exit code 4', async () => {
  const log = newest(/\.wal$/);
  const bytes = readFileSync(log);
  bytes[bytes.indexOf('user25')]! ^= 1;
  const damaged = join(directory.path, 'copy.wal');
  writeFileSync(damaged, bytes);
  const { code, stdout } = await cli(['dump', damaged]);
  expect(code).toBe(4);
  expect(stdout).toMatch(/^ +\d+ {2}damage {8}bytes=\d+ /m);
  expect(stdout).toContain('key=user24 value=value 24');
  expect(stdout).toContain('key=user26 value=value 26');
});

test('a damaged table ends with exit code 4 and says where', async () => {
  const damaged = join(directory.path, '000077.sst');
  const bytes = readFileSync(newest(/\.sst$/));
  bytes[20]! ^= 1;
  writeFileSync(damaged, bytes);
  const refused = await cli(['dump', damaged]);
  expect(refused.code).toBe(4);
  expect(refused.stderr).toContain('000077.sst');
  expect(refused.stderr).toContain('code: CORRUPTION');
  expect(refused.stdout).toContain('properties');
});

test('a file that is none of them is refused, a missing one is not found', async () => {
  const other = join(directory.path, 'notes.txt');
  writeFileSync(other, 'hello');
  expect((await cli(['dump', other])).code).toBe(2);
  expect((await cli(['dump', join(directory.path, '000001.sst')])).code).toBe(1);
});
