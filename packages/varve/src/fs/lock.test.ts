/** The lock of the node file system, between processes and inside one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { VarveError } from '../base/errors.ts';
import { lockDirectory } from './lock.ts';

/** Children load the source where Node strips types, the build elsewhere. */
const strips = (process.features as { typescript?: string | false }).typescript;
const target = new URL(strips ? './lock.ts' : '../../dist/fs/lock.js', import.meta.url).href;

const program = fileURLToPath(new URL('./fixtures/lock-child.mjs', import.meta.url));

class Child {
  readonly process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(directory: string) {
    this.process = spawn(
      process.execPath,
      ['--no-warnings', '--conditions=varve-source', program, target, directory],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    this.#lines = createInterface(this.process.stdout!)[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    const next = await this.#lines.next();
    return next.done === true ? 'ended' : next.value;
  }

  say(word: string): void {
    this.process.stdin!.write(`${word}\n`);
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGKILL');
    await gone;
  }
}

let root: string;
let children: Child[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'varve-lock-'));
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map((child) => child.kill()));
  rmSync(root, { recursive: true, force: true });
});

const child = async (directory: string): Promise<Child> => {
  const made = new Child(directory);
  children.push(made);
  expect(await made.line()).toBe('ready');
  return made;
};

const refusal = async (directory: string): Promise<VarveError> => {
  try {
    await (await lockDirectory(directory)).release();
  } catch (error) {
    return error as VarveError;
  }
  throw new Error('the lock was given');
};

const posix = process.platform !== 'win32';

describe('in one process', () => {
  test.runIf(posix)('the owner listens on LOCK, and a release leaves nothing behind', async () => {
    const lock = await lockDirectory(root);
    expect(readdirSync(root)).toEqual(['LOCK', 'LOCK.info']);
    expect(statSync(join(root, 'LOCK')).isSocket()).toBe(true);
    await lock.release();
    expect(readdirSync(root)).toEqual([]);
  });

  test('two opens that start together: one is refused at once', async () => {
    const results = await Promise.allSettled([lockDirectory(root), lockDirectory(root)]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected']);
    await (results[0] as PromiseFulfilledResult<{ release(): Promise<void> }>).value.release();
  });

  test('a symbolic link to the directory is the same database', async () => {
    const { symlinkSync } = await import('node:fs');
    mkdirSync(join(root, 'db'));
    symlinkSync(join(root, 'db'), join(root, 'alias'), 'junction');
    const lock = await lockDirectory(join(root, 'db'));
    expect((await refusal(join(root, 'alias'))).code).toBe('LOCKED');
    await lock.release();
  });

  test('a second copy of the package sees the first in the registry of the process', async () => {
    const table = (globalThis as Record<symbol, unknown>)[Symbol.for('varve.open-databases')] as Map<
      string,
      unknown
    >;
    const { realpathSync } = await import('node:fs');
    table.set(realpathSync(root), { pid: 4711, host: 'elsewhere', since: 'long ago' });
    const error = await refusal(root);
    expect(error.message).toBe(`${root} is in use by process 4711 on elsewhere since long ago`);
    table.delete(realpathSync(root));
    const lock = await lockDirectory(root);
    expect(table.has(realpathSync(root))).toBe(true);
    await lock.release();
    expect(table.has(realpathSync(root))).toBe(false);
  });

  test('a failed lock gives the registry entry back', async () => {
    writeFileSync(join(root, 'file'), '');
    expect(await refusal(join(root, 'file'))).toMatchObject({ kind: 'io', context: { system: 'ENOTDIR' } });
    expect(await refusal(join(root, 'file'))).toMatchObject({ kind: 'io', context: { system: 'ENOTDIR' } });
  });

  test.runIf(posix)('a path longer than a socket path may be can be locked', async () => {
    const deep = join(root, 'a-rather-long-name-for-a-directory', 'x'.repeat(90), 'y'.repeat(90));
    mkdirSync(deep, { recursive: true });
    const lock = await lockDirectory(deep);
    expect(readdirSync(deep)).toEqual(['LOCK', 'LOCK.info']);
    const other = await child(deep);
    other.say('go');
    expect(await other.line()).toBe(`LOCKED ${process.pid}`);
    await lock.release();
    expect(readdirSync(deep)).toEqual([]);
    await (await lockDirectory(deep)).release();
  });

  test.runIf(posix)(
    'what dead openers left is removed: sockets, hidden sockets and a LOCK that is a file',
    async () => {
      const leave = async (name: string): Promise<void> => {
        const server = createServer().listen(join(root, `${name}.tmp`));
        await new Promise((resolve) => server.once('listening', resolve));
        const { renameSync } = await import('node:fs');
        renameSync(join(root, `${name}.tmp`), join(root, name));
        await new Promise((resolve) => server.close(resolve));
      };
      await leave('LOCK.000000000001-0123456789abcdef');
      await leave('LOCK.000000000002-0123456789abcdef~');
      writeFileSync(join(root, 'LOCK'), 'copied by a tool');
      writeFileSync(join(root, 'LOCK.info'), 'not json');
      writeFileSync(join(root, 'LOCK.mine'), 'foreign');
      const lock = await lockDirectory(root);
      expect(readdirSync(root).sort()).toEqual(['LOCK', 'LOCK.info', 'LOCK.mine']);
      await lock.release();
    },
  );

  test.runIf(posix)('a release leaves the lock of another owner alone', async () => {
    mkdirSync(join(root, 'db'));
    const lock = await lockDirectory(join(root, 'db'));
    rmSync(join(root, 'db'), { recursive: true });
    mkdirSync(join(root, 'db'));
    const other = await child(join(root, 'db'));
    other.say('go');
    expect(await other.line()).toBe('won');
    await lock.release();
    expect(existsSync(join(root, 'db', 'LOCK'))).toBe(true);
    expect((await refusal(join(root, 'db'))).context['holder']).toMatchObject({ pid: other.process.pid });
  });
});

describe('between processes', () => {
  test('the refusal names the process that holds the lock', async () => {
    const other = await child(root);
    other.say('go');
    expect(await other.line()).toBe('won');
    const error = await refusal(root);
    expect(error).toMatchObject({
      kind: 'busy',
      code: 'LOCKED',
      context: { directory: root, holder: { pid: other.process.pid } },
    });
    expect(error.message).toContain(`${root} is in use by process ${other.process.pid} on `);
  });

  test.runIf(posix)('an owner whose event loop is blocked still holds the lock', async () => {
    const other = await child(root);
    other.say('block');
    expect(await other.line()).toBe('won');
    expect((await refusal(root)).context['holder']).toMatchObject({ pid: other.process.pid });
  });

  test('a lock that SIGKILL left behind is replaced by exactly one of four that start together', async () => {
    const pool = await Promise.all(Array.from({ length: 7 }, () => child(root)));
    let owner = pool.pop()!;
    owner.say('go');
    expect(await owner.line()).toBe('won');
    for (let round = 0; round < 3; round++) {
      await owner.kill();
      if (posix) expect(existsSync(join(root, 'LOCK'))).toBe(true);
      const rivals = pool.slice(0, 4);
      for (const rival of rivals) rival.say('go');
      const lines = await Promise.all(rivals.map((rival) => rival.line()));
      expect(lines.filter((line) => line === 'won')).toHaveLength(1);
      owner = rivals[lines.indexOf('won')]!;
      expect(lines.filter((line) => line === `LOCKED ${owner.process.pid}`)).toHaveLength(3);
      if (posix) expect(readdirSync(root)).toEqual(['LOCK', 'LOCK.info']);
      pool.splice(pool.indexOf(owner), 1);
    }
    await owner.kill();
    await (await lockDirectory(root)).release();
  });
});
