/**
 * One database, one owner: a second open says who has it, in the same process and from another one.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, symlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { open, utf8 } from 'varve';
import { MemoryFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

/** Opens the database at the path given, says how that went, and keeps it until its input ends. */
const program = `
  const { open, utf8 } = await import('varve');
  const say = (what) => process.stdout.write(JSON.stringify(what) + '\\n');
  try {
    const db = await open(process.argv[1]);
    db.keyspace('data', { key: utf8, value: utf8 }).put('from', 'the child');
    await db.sync('os');
    say({ pid: process.pid });
    process.stdin.on('end', async () => { await db.close(); process.exit(); }).resume();
  } catch ({ code, kind, context }) {
    say({ code, kind, holder: context.holder });
  }
`;

/** Children run the sources where Node strips types, the build elsewhere. */
const strips = Boolean((process.features as { typescript?: string | false }).typescript);

function child(path: string): { process: ChildProcess; answer: Promise<Record<string, unknown>> } {
  const conditions = strips ? ['--conditions=varve-source'] : [];
  const started = spawn(
    process.execPath,
    ['--no-warnings', ...conditions, '--input-type=module', '-e', program, path],
    {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  onTestFinished(() => void started.kill('SIGKILL'));
  const lines = createInterface(started.stdout!);
  const answer = once(lines, 'line').then(([line]) => JSON.parse(String(line)) as Record<string, unknown>);
  return { process: started, answer };
}

test('a second open in the same process is refused and names this process', async () => {
  const path = temporaryDirectory();
  const db = await open(path);
  const error = await expectRefusal(() => open(path), 'LOCKED', 'busy', {
    directory: path,
    holder: { pid: process.pid },
  });
  expect(error.message).toContain(String(process.pid));
  const link = `${path}-link`;
  symlinkSync(path, link);
  onTestFinished(() => rmSync(link));
  await expectRefusal(() => open(link), 'LOCKED', 'busy');
  await expectRefusal(() => open(`${path}/`), 'LOCKED', 'busy');
  // The owner is not disturbed.
  db.keyspace('data', { key: utf8, value: utf8 }).put('a', '1');
  await db.close();
  const again = await open(path);
  expect(again.keyspace('data', { key: utf8, value: utf8 }).get('a')).toBe('1');
  await again.close();
});

test('two opens at once: one gets it', async () => {
  const path = temporaryDirectory();
  const outcomes = await Promise.allSettled([open(path), open(path), open(path)]);
  const opened = outcomes.filter((outcome) => outcome.status === 'fulfilled');
  expect(opened).toHaveLength(1);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'LOCKED' });
  }
  await opened[0]!.value.close();
});

test('a child process is told who has it, and gets it after close', async () => {
  const path = temporaryDirectory();
  const db = await open(path);
  expect(await child(path).answer).toMatchObject({
    code: 'LOCKED',
    kind: 'busy',
    holder: { pid: process.pid },
  });
  await db.close();
  const owner = child(path);
  expect(await owner.answer).toEqual({ pid: owner.process.pid });
  await expectRefusal(() => open(path), 'LOCKED', 'busy', { holder: { pid: owner.process.pid } });
  owner.process.stdin!.end();
  await once(owner.process, 'exit');
  const again = await open(path, { errorIfExists: false });
  expect(again.keyspace('data', { key: utf8, value: utf8 }).get('from')).toBe('the child');
  await again.close();
});

test('an owner that was killed leaves nothing that is in the way', async () => {
  const path = temporaryDirectory();
  const owner = child(path);
  await owner.answer;
  owner.process.kill('SIGKILL');
  await once(owner.process, 'exit');
  const db = await open(path);
  expect(db.keyspace('data', { key: utf8, value: utf8 }).get('from')).toBe('the child');
  await db.close();
});

test('an open that fails gives the directory back', async () => {
  const path = temporaryDirectory();
  await (await open(path)).close();
  await expectRefusal(() => open(path, { errorIfExists: true }), 'EXISTS', 'invalid');
  await (await open(path)).close();
});

test('other file systems keep a second open out as well', async () => {
  const fileSystem = new MemoryFs();
  const db = await open('/db', { fileSystem });
  await expectRefusal(() => open('/db', { fileSystem }), 'LOCKED', 'busy', { holder: { pid: process.pid } });
  const other = await open('/other', { fileSystem });
  await Promise.all([db.close(), other.close()]);
  await (await open('/db', { fileSystem })).close();
});
