/** The levels of a database, asked over its lock. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { open, ownerLevels, utf8 } from 'varve';
import { afterEach, beforeEach, expect, test } from 'vitest';

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'varve-owner-'));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

const posix = process.platform !== 'win32';

test('the owner answers with its levels, its process and its path', async () => {
  const db = await open(path, { defragment: false });
  const data = db.keyspace('data', {
    key: utf8,
    value: utf8,
    compaction: { strategy: 'leveled', level0Files: 3 },
  });
  for (let i = 0; i < 3; i++) {
    data.put('a', `${i}`);
    data.put('z', `${i}`);
    await db.flush();
    if (i === 1) expect(db.levels().keyspaces['data']!.levels[0]).toMatchObject({ files: 2, runs: 2 });
  }
  while (db.levels().running.length > 0 || db.levels().keyspaces['data']!.levels[0]!.files > 0) {
    await once(db.events, 'compaction');
  }
  const told = await ownerLevels(path);
  expect(told).toEqual({ ...db.levels(), pid: process.pid, path, time: told!.time });
  expect(told!.decisions[0]).toMatchObject({
    keyspace: 'data',
    reason: 'level0-files',
    measure: { had: 3, limit: 3, unit: 'files' },
  });
  await db.close();
  expect(await ownerLevels(path)).toBeUndefined();
});

test('nobody answers for a database that is opened read-only, or not there', async () => {
  await (await open(path)).close();
  const reader = await open(path, { readOnly: true });
  expect(await ownerLevels(path)).toBeUndefined();
  await reader.close();
  expect(await ownerLevels(join(path, 'none'))).toBeUndefined();
});

test('wrong arguments are refused by name', async () => {
  await expect(ownerLevels('')).rejects.toMatchObject({ code: 'PATH_INVALID' });
  await expect(ownerLevels(path, { timeoutMs: 0.5 })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
});

test.runIf(posix).each([
  ['{"pid":4711,"host":"h"}\n', 'older'],
  ['{"pid":4711,"host":"h"}\n{"keyspaces":[]}\n', 'older'],
  ['{"pid":4711,"host":"h"}\nnull\n', 'busy'],
  ['', 'blocked'],
])('an owner that says %j is silent: %s', async (says, reason) => {
  const server = createServer((socket) => {
    socket.resume();
    if (says !== '') socket.end(says);
  }).listen(join(path, 'LOCK'));
  await once(server, 'listening');
  const error = { code: 'OWNER_SILENT', kind: 'busy', context: { reason } };
  await expect(ownerLevels(path, { timeoutMs: reason === 'blocked' ? 20 : 5000 })).rejects.toMatchObject(
    error,
  );
  const closed = once(server, 'close');
  server.close();
  await closed;
});
