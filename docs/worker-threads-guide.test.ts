/**
 * The web server of the guide to worker threads runs as it is printed: its files are taken out of the document, run by a process
 * of their own, asked over HTTP, and told to stop. Types of its blocks are checked by code-blocks.test.ts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { open, utf8 } from 'varve';
import { codeBlocks } from './code-blocks.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const guide = readFileSync(join(root, 'docs/guides/worker-threads.md'), 'utf8');
const THREADS = 4;

/** Lets the test end a thread as `worker.terminate()` does: nothing of the thread's own code runs any more. */
const terminator = `
import { subscribe } from 'node:diagnostics_channel';
import { isMainThread } from 'node:worker_threads';
if (isMainThread) {
  const workers = [];
  subscribe('worker_threads', ({ worker }) => workers.push(worker));
  process.on('message', () => workers[0].terminate().then(() => process.send('terminated')));
  process.channel.unref();
}`;

let folder = '';
let child: ChildProcess;
let output = '';
let port = 0;

beforeEach(async () => {
  mkdirSync(join(root, '.cache'), { recursive: true });
  // Below the root, so that `varve` is found in its node_modules.
  folder = mkdtempSync(join(root, '.cache', 'guide-'));
  for (const { code } of codeBlocks(guide)) {
    const name = /^\/\/ ([\w-]+\.ts)$/.exec(code[0] ?? '')?.[1];
    if (name !== undefined) writeFileSync(join(folder, name), code.join('\n'));
  }
  writeFileSync(join(folder, 'terminator.mjs'), terminator);
  output = '';
});

afterEach(async () => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
});

function start(file: string, ...flags: string[]): void {
  child = spawn(process.execPath, ['--conditions=varve-source', '--no-warnings', ...flags, file], {
    cwd: folder,
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      output += part;
    });
  }
}

/** Resolves with the text that fits, once the process has printed it. */
async function printed(pattern: RegExp): Promise<RegExpExecArray> {
  const ended = once(child, 'exit').then(() => 'ended' as const);
  for (;;) {
    const found = pattern.exec(output);
    if (found !== null) return found;
    const more = await Promise.race([once(child.stdout!, 'data'), ended]);
    if (more === 'ended' && pattern.exec(output) === null) throw new Error(`it ended and printed: ${output}`);
  }
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request over a connection of its own. */
async function ask(method: string, path: string, body?: string): Promise<Answer> {
  const asked = request({ port, host: '127.0.0.1', method, path, agent: new Agent({ keepAlive: false }) });
  asked.end(body);
  const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
  return { status: response.statusCode!, headers: response.headers, body: await text(response) };
}

const each = <T>(count: number, step: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => step(i)));

test('four threads answer, see what the others wrote, and close without leftovers', async () => {
  start('server.ts', '--import', './terminator.mjs');
  port = Number((await printed(/listening on (\d+)/))[1]);

  const written = await each(2 * THREADS, (i) => ask('PUT', `/note-${i}`, `text ${i}`));
  expect(written.map(({ status }) => status)).toEqual(written.map(() => 204));
  const threads = new Set(written.map(({ headers }) => headers['x-thread']));
  expect(threads.size).toBe(THREADS);

  // Every note is read by every thread.
  for (let i = 0; i < 2 * THREADS; i++) {
    const answers = await each(THREADS, () => ask('GET', `/note-${i}`));
    expect(new Set(answers.map(({ headers }) => headers['x-thread']))).toEqual(threads);
    for (const { body } of answers) {
      expect(JSON.parse(body)).toEqual({
        text: `text ${i}`,
        thread: Number(written[i]!.headers['x-thread']),
        views: 0,
      });
    }
  }
  expect((await ask('GET', '/nothing')).status).toBe(404);
  expect(JSON.parse((await ask('GET', '/')).body)).toHaveLength(2 * THREADS);

  // No count is lost between threads.
  const counts = await each(40, () => ask('POST', '/note-0'));
  expect(counts.map(({ body }) => Number(body)).sort((a, b) => a - b)).toEqual(counts.map((_, i) => i + 1));
  expect(JSON.parse((await ask('GET', '/note-0')).body)).toMatchObject({ views: 40 });

  const closed = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await closed).toEqual([0, null]);
  expect(output).toMatch(/^listening on \d+\nclosed\n$/);
  const db = await open(join(folder, 'data'));
  // A clean close: nothing is cut from the log, nobody holds the directory.
  expect(db.recovered.warnings).toEqual([]);
  expect(db.keyspace('notes', { key: utf8 }).count()).toBe(2 * THREADS);
  await db.close();
});

test('a thread that is terminated is replaced, and what it wrote is there', async () => {
  start('server.ts', '--import', './terminator.mjs');
  port = Number((await printed(/listening on (\d+)/))[1]);
  await each(THREADS, (i) => ask('PUT', `/note-${i}`, 'x'));
  await each(THREADS, () => ask('POST', '/note-0'));
  const terminated = once(child, 'message');
  child.send('terminate');
  await terminated;
  const answers = await each(3 * THREADS, () => ask('POST', '/note-0'));
  expect(answers.map(({ body }) => Number(body)).sort((a, b) => a - b)).toEqual(
    answers.map((_, i) => THREADS + i + 1),
  );
  for (let i = 0; i < THREADS; i++) expect((await ask('GET', `/note-${i}`)).status).toBe(200);
  const closed = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await closed).toEqual([0, null]);
  expect(output).toMatch(/closed\n$/);
});

test('the short example writes in the thread what the owner finds', async () => {
  start('owner.ts');
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(output).toBe('');
  expect(readdirSync(join(folder, 'data'))).not.toEqual([]);
  const db = await open(join(folder, 'data'));
  expect(db.keyspace('names', { key: utf8, value: utf8 }).get('ada')).toBe('Ada');
  await db.close();
});
