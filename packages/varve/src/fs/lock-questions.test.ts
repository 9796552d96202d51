/** What the owner of a directory tells whoever connects to its lock. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DirectoryLock } from './file-system.ts';
import { askLock } from './lock-client.ts';
import { lockDirectory } from './lock.ts';

const posix = process.platform !== 'win32';

let root: string;
let lock: DirectoryLock;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'varve-ask-'));
  lock = await lockDirectory(root);
});
afterEach(async () => {
  await lock.release();
  rmSync(root, { recursive: true, force: true });
});

const connect = (): Socket => createConnection(join(root, 'LOCK'));

/** All lines that come until the owner hangs up. */
async function talk(said: string | Buffer): Promise<unknown[]> {
  const socket = connect();
  if (said !== '') socket.write(said);
  const heard = await text(socket);
  return heard
    .split('\n')
    .slice(0, -1)
    .map((line): unknown => JSON.parse(line));
}

describe.runIf(posix)('over the socket', () => {
  test('whoever says nothing hears who it is at once', async () => {
    const socket = connect();
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(JSON.parse(String(first))).toMatchObject({ pid: process.pid });
    expect(String(first).endsWith('\n')).toBe(true);
    socket.destroy();
  });

  test('a question is answered with a second line, and then it hangs up', async () => {
    lock.answer!('levels', () => ['{"some":', '"thing"}']);
    expect(await talk('levels\n')).toEqual([
      expect.objectContaining({ pid: process.pid }),
      { some: 'thing' },
    ]);
  });

  test('a question may come in pieces', async () => {
    lock.answer!('levels', () => ['1']);
    const socket = connect();
    const heard = text(socket);
    await once(socket, 'connect');
    for (const piece of ['le', 'vel', 's\n']) await new Promise((done) => socket.write(piece, done));
    expect((await heard).endsWith('\n1\n')).toBe(true);
  });

  test.each([
    ['a question that it does not know', 'secrets\n'],
    ['an empty line', '\n'],
    ['a line that is too long', `${'x'.repeat(64)}\n`],
    ['much that is no line', Buffer.alloc(1_000_000, 120)],
    ['bytes', Buffer.from([0xff, 0xfe, 10])],
  ])('%s closes the connection', async (_, said) => {
    lock.answer!('levels', () => ['1']);
    const socket = connect();
    socket.write(said);
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    await closed;
    expect(await askLock(root, 'levels', 5000)).toMatchObject({ state: 'answered', answer: 1 });
  });

  test('many ask at a time, and those beyond its limit hear who it is', async () => {
    lock.answer!('levels', () => ['"told"']);
    const idle = Array.from({ length: 40 }, connect);
    const gone = idle.map((socket) => once(socket, 'close'));
    await Promise.all(idle.map((socket) => once(socket, 'data')));
    expect(await askLock(root, 'levels', 5000)).toMatchObject({
      state: 'answered',
      answer: null,
      holder: { pid: process.pid },
    });
    for (const socket of idle) socket.destroy();
    await Promise.all(gone);
    // The owner hears of it a moment later.
    for (let told = false; !told; ) {
      const said = await askLock(root, 'levels', 5000);
      told = said.state === 'answered' && said.answer === 'told';
    }
    const answers = await Promise.all(Array.from({ length: 20 }, () => askLock(root, 'levels', 5000)));
    expect(answers).toEqual(
      Array.from(
        { length: 20 },
        () => expect.objectContaining({ state: 'answered', answer: 'told' }) as unknown,
      ),
    );
  });

  test('a release hangs up on clients that say nothing', async () => {
    const socket = connect();
    await once(socket, 'data');
    const closed = once(socket, 'close');
    await lock.release();
    expect(await closed).toEqual([false]);
  });

  test('an owner of an older release hangs up behind its first line', async () => {
    mkdirSync(join(root, 'old'));
    const server = createServer((socket) => socket.end('{"pid":4711}\n', () => socket.destroy()));
    server.listen(join(root, 'old', 'LOCK'));
    await once(server, 'listening');
    expect(await askLock(join(root, 'old'), 'levels', 5000)).toEqual({
      state: 'unknown',
      holder: { pid: 4711 },
    });
    server.close();
  });

  test('an owner that says nothing is silent', async () => {
    mkdirSync(join(root, 'stuck'));
    const server = createServer((socket) => socket.resume());
    server.listen(join(root, 'stuck', 'LOCK'));
    await once(server, 'listening');
    expect(await askLock(join(root, 'stuck'), 'levels', 20)).toEqual({ state: 'silent', holder: {} });
    const closed = once(server, 'close');
    server.close();
    await closed;
  });
});

describe('asking', () => {
  test('nobody answers where nobody has the directory', async () => {
    mkdirSync(join(root, 'free'));
    expect(await askLock(join(root, 'free'), 'levels', 5000)).toEqual({ state: 'nobody' });
    expect(await askLock(join(root, 'none'), 'levels', 5000)).toEqual({ state: 'nobody' });
  });

  test('what can not be answered now is null', async () => {
    expect(await askLock(root, 'levels', 5000)).toMatchObject({ state: 'answered', answer: null });
    lock.answer!('levels', () => {
      throw new Error('closing');
    });
    expect(await askLock(root, 'levels', 5000)).toMatchObject({ state: 'answered', answer: null });
  });

  test('an answer is made no faster than it is taken, and others are answered meanwhile', async () => {
    const piece = `"${'x'.repeat(1000)}",`;
    let made = 0;
    let asked = 0;
    lock.answer!('levels', function* () {
      if (asked++ > 0) {
        yield '1';
        return;
      }
      yield '[';
      for (; made < 100_000; made++) yield piece;
    });
    const socket = connect();
    socket.pause();
    socket.write('levels\n');
    socket.on('error', () => undefined);
    while (made === 0) await new Promise(setImmediate);
    for (let i = 0; i < 50; i++) {
      expect(await askLock(root, 'levels', 5000)).toMatchObject({ state: 'answered', answer: 1 });
    }
    expect(made).toBeLessThan(5000);
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
  });

  test('half an answer is none', async () => {
    lock.answer!('levels', function* () {
      yield '{"half":';
      throw new Error('closing');
    });
    expect(await askLock(root, 'levels', 5000)).toMatchObject({ state: 'answered', answer: null });
  });

  test('an answer larger than any buffer of the system comes whole', async () => {
    const large = Array.from({ length: 200_000 }, (_, i) => i);
    lock.answer!('levels', function* () {
      yield '[0';
      for (const each of large.slice(1)) yield `,${each}`;
      yield ']';
    });
    expect(await askLock(root, 'levels', 10_000)).toMatchObject({ state: 'answered', answer: large });
  });

  test('a path longer than a socket path may be can be asked', async () => {
    const deep = join(root, 'x'.repeat(90), 'y'.repeat(90));
    mkdirSync(deep, { recursive: true });
    const other = await lockDirectory(deep);
    other.answer!('levels', () => ['"deep"']);
    expect(await askLock(deep, 'levels', 5000)).toMatchObject({ answer: 'deep' });
    await other.release();
  });
});
