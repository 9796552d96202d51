/**
 * Smoke test of what is published: the built files on the Node at hand, down to the oldest one we promise.
 * Run it outside npm, whose `node` is the one of the tool chain: `node --test packages/varve/test/smoke/run.mjs`.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

const folder = new URL('../../', import.meta.url);
const dist = new URL('dist/', folder);

test('every entry in exports loads', async () => {
  const { exports } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
  // An export that only sources have (internals) is never published.
  const published = Object.values(exports).filter((target) => target.default !== undefined);
  assert.ok(published.length > 0);
  for (const { default: entry } of published) {
    assert.equal(typeof (await import(new URL(entry, folder).href)), 'object', entry);
  }
});

test('a database is written, flushed, compacted, closed and read again', async () => {
  const { open, u64, utf8 } = await import(new URL('index.js', dist).href);
  const path = join(mkdtempSync(join(tmpdir(), 'varve-smoke-')), 'db');
  try {
    const first = await open(path);
    const words = first.keyspace('words', { key: u64, value: utf8, compression: 'lz4' });
    for (let i = 0; i < 20_000; i++) words.put(i, `word ${i}`);
    await words.put(20_000, 'last', { durability: 'disk' });
    words.deleteRange({ gte: 100, lt: 200 });
    await first.flush();
    await first.compact();
    words.put(7, 'only in the log');
    await first.close();

    const second = await open(path);
    const again = second.keyspace('words', { key: u64, value: utf8 });
    assert.equal(again.count(), 19_901);
    assert.equal(again.get(7), 'only in the log');
    assert.equal(again.get(150), undefined);
    assert.deepEqual([...again.range({ gte: 19_999 }).values()], ['word 19999', 'last']);
    assert.deepEqual((await second.verify()).problems, []);
    await second.close();
  } finally {
    rmSync(dirname(path), { recursive: true, force: true });
  }
});

test('an MGA index is collected by the threads of compactions', async () => {
  const { open, utf8 } = await import(new URL('index.js', dist).href);
  const { openInventory, openMgaIndex } = await import(new URL('mga.js', dist).href);
  const path = join(mkdtempSync(join(tmpdir(), 'varve-smoke-')), 'db');
  try {
    const db = await open(path);
    const inventory = await openInventory(db);
    const index = await openMgaIndex(db, 'names', { key: utf8, inventory });
    const xid = inventory.begin();
    for (let i = 0; i < 100; i++) index.put(`key ${i}`, i, xid);
    inventory.commit(xid);
    const remover = inventory.begin();
    for (let i = 0; i < 40; i++) index.remove(`key ${i}`, i, remover);
    inventory.commit(remover);
    const { entries, changed } = await index.vacuum();
    assert.deepEqual([entries, changed], [60, 0]);
    assert.deepEqual(index.get('key 50', inventory.begin()), [50]);
    await db.close();
  } finally {
    rmSync(dirname(path), { recursive: true, force: true });
  }
});

test('a worker thread attaches what this one shares, writes to it and ends', async () => {
  const { open, utf8 } = await import(new URL('index.js', dist).href);
  const path = join(mkdtempSync(join(tmpdir(), 'varve-smoke-')), 'db');
  const code = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { attach, utf8 } = await import(workerData.entry);
    const db = await attach(workerData.handle);
    const words = db.keyspace('words', { key: utf8, value: utf8 });
    for (let i = 0; i < 5000; i++) words.put('theirs ' + i, words.get('ours ' + i));
    await db.sync('os');
    await db.close();
    parentPort.postMessage('done');
  `;
  try {
    const db = await open(path);
    const words = db.keyspace('words', { key: utf8, value: utf8 });
    for (let i = 0; i < 5000; i++) words.put(`ours ${i}`, `word ${i}`);
    await db.flush();
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
      workerData: { entry: new URL('index.js', dist).href, handle: db.share() },
    });
    const [message] = await once(worker, 'message');
    assert.equal(message, 'done');
    await once(worker, 'exit');
    assert.equal(words.count(), 10_000);
    assert.equal(words.get('theirs 4999'), 'word 4999');
    assert.equal(db.stats().threads.length, 1);
    await db.close();
  } finally {
    rmSync(dirname(path), { recursive: true, force: true });
  }
});
