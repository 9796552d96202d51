/** `varve levels` beside a database that another process has open. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { open } from 'varve';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cli, temporaryDirectory } from '../src/testing.suite.ts';

const program = fileURLToPath(new URL('./fixtures/levels-owner.mjs', import.meta.url));
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const flags = ['--conditions=varve-source', '--no-warnings'];

let directory: ReturnType<typeof temporaryDirectory>;
let db: string;
let children: ChildProcess[];
beforeEach(() => {
  directory = temporaryDirectory();
  db = join(directory.path, 'db');
  children = [];
});
afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  directory.remove();
});

const posix = process.platform !== 'win32';

function start(argv: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [...flags, ...argv], { stdio: 'pipe' });
  children.push(child);
  return child;
}

async function owner(): Promise<ChildProcess> {
  const child = start([program, db]);
  child.stderr!.pipe(process.stderr);
  await once(child.stdout!, 'data');
  return child;
}

interface Watcher {
  readonly child: ChildProcess;
  /** The next line that fits. */
  line(pattern: RegExp): Promise<string>;
  /** Exit code and stderr. */
  ended(): Promise<[number | null, string]>;
}

function watcher(...argv: string[]): Watcher {
  const child = start([main, 'levels', db, '--watch', '--interval', '50', ...argv]);
  const lines = createInterface(child.stdout!)[Symbol.asyncIterator]();
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const close = once(child, 'close') as Promise<[number | null]>;
  return {
    child,
    async line(pattern) {
      for (;;) {
        const next = await lines.next();
        if (next.done === true) throw new Error(`it ended: ${stderr}`);
        if (pattern.test(next.value)) return next.value;
      }
    },
    ended: async () => [(await close)[0], stderr],
  };
}

test('the process that has it open tells its levels and decisions', async () => {
  const { pid } = await owner();
  const { code, stdout, stderr } = await cli(['levels', db]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain(
    `${db}: told by process ${pid}, which has it open\n\ndefault: leveled, 100 entries`,
  );
  expect(stdout).toMatch(/\nbefore\n[^]* ago {2}default: merge in L6, 1 file of [^\n]*: asked for\n/);
  const lines = await cli(['levels', db, '--json', '-k', 'default']);
  expect(JSON.parse(lines.stdout)).toMatchObject({ keyspace: 'default', source: 'process', pid, path: db });
  expect(await cli(['levels', db, '-k', 'none'])).toMatchObject({ code: 1, stdout: '' });
});

test('a watch draws again and again, and ends when the owner goes away', async () => {
  const child = await owner();
  const watching = watcher();
  await watching.line(/told by process/);
  await watching.line(/^$/);
  await watching.line(/told by process/);
  child.stdin!.write('close');
  expect(await watching.ended()).toEqual([
    0,
    `varve: process ${child.pid} has closed it: nothing to watch\n`,
  ]);
});

test.runIf(posix)('a watch ends on Ctrl-C', async () => {
  await owner();
  const watching = watcher('--json');
  expect(JSON.parse(await watching.line(/./))).toMatchObject({ keyspace: 'default' });
  watching.child.kill('SIGINT');
  expect(await watching.ended()).toEqual([0, '']);
});

test('of a database that nobody has open there is one picture and nothing to watch', async () => {
  await (await open(db)).close();
  const { code, stdout, stderr } = await cli(['levels', db, '--watch']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: 'varve: nobody has it open: nothing to watch\n' });
  expect(stdout).toBe(`${db}: read from its files\nno keyspaces yet\n`);
});

test.runIf(posix)('an owner whose event loop is blocked is named, and its files are read', async () => {
  const child = await owner();
  child.stdin!.write('block');
  // Until it has come to that it answers.
  for (;;) {
    const { code, stdout, stderr } = await cli(['levels', db, '--timeout', '100']);
    expect(code).toBe(0);
    if (stderr === '') continue;
    expect(stderr).toContain(`process ${child.pid} on `);
    expect(stderr).toMatch(
      / does not answer within 100 ms: its event loop is blocked; this is what its files say\n$/,
    );
    expect(stdout).toMatch(/: read from its files\n\ndefault: leveled, 100 entries/);
    break;
  }
});

test.runIf(posix)('an owner of an older release is named, and its files are read', async () => {
  await (await open(db)).close();
  const server = createServer((socket) => socket.end('{"pid":4711}\n', () => socket.destroy()));
  server.listen(join(db, 'LOCK'));
  await once(server, 'listening');
  for (const more of [[], ['--watch']]) {
    const { code, stdout, stderr } = await cli(['levels', db, ...more]);
    expect(code).toBe(0);
    expect(stderr).toContain('process 4711 is of an older release of Varve, which does not tell its levels');
    expect(stdout).toContain(': read from its files\n');
  }
  const closed = once(server, 'close');
  server.close();
  await closed;
});

test.each([
  ['--interval', '10'],
  ['--timeout', 'soon'],
])('%s %s is wrong usage', async (name, value) => {
  expect(await cli(['levels', db, name, value])).toMatchObject({ code: 2, stdout: '' });
});
