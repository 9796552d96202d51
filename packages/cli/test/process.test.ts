import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { open } from 'varve';
import { afterAll, expect, test } from 'vitest';
import { temporaryDirectory } from '../src/testing.suite.ts';

const directory = temporaryDirectory();
afterAll(() => directory.remove());
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

function varve(...argv: string[]): ReturnType<typeof spawn> {
  return spawn(process.execPath, ['--conditions=varve-source', '--no-warnings', main, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function outcome(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = varve(...argv);
  let stdout = '';
  let stderr = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [number];
  return { code, stdout, stderr };
}

test('the command runs as a process with exit codes', async () => {
  const db = join(directory.path, 'db');
  expect(await outcome('put', db, 'a', '1')).toMatchObject({ code: 0, stderr: '' });
  expect(await outcome('get', db, 'a')).toEqual({ code: 0, stdout: '1\n', stderr: '' });
  expect((await outcome('get', db, 'b')).code).toBe(1);
  expect((await outcome('get')).code).toBe(2);
});

test('a reader that goes away ends a scan quietly', async () => {
  const db = join(directory.path, 'large');
  const database = await open(db);
  const keyspace = database.keyspace('default');
  for (let i = 0; i < 2000; i++) keyspace.put(Buffer.from(`key${i}`), new Uint8Array(1000).fill(97));
  await database.close();
  const child = varve('scan', db);
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  await once(child.stdout!, 'data');
  child.stdout!.destroy();
  const [code] = (await once(child, 'close')) as [number];
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});
