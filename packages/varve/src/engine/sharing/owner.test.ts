/**
 * The owner of a shared database after deaths of threads that had said nothing yet.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import type { Database } from '../api-types.ts';
import { attach, open } from '../../index.ts';
import { ASKED, SLOT_TASK, slotAt } from './control-words.ts';
import { pin } from './epochs.ts';
import type { ShareData } from './share-handle.ts';
import { SharedWords } from './shared-words.ts';
import { claimSlot } from './thread-slots.ts';

function temporaryPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'varve-owner-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'db');
}

async function opened(): Promise<Database> {
  const db = await open(temporaryPath());
  onTestFinished(() => db.close());
  return db;
}

test('what a thread asked for that died before its message was sent is done all the same', async () => {
  const db = await opened();
  const { control } = db.share() as ShareData;
  const words = new Int32Array(control);
  Atomics.store(words, ASKED, 1);
  db.keyspace('k').put(Uint8Array.of(1), Uint8Array.of(1));
  expect(Atomics.load(words, ASKED)).toBe(0);
});

test('a thread that died inside a read keeps no memory from an owner that only writes', async () => {
  const db = await open(temporaryPath(), {
    memtableBytesMax: 1024 ** 2,
    pressure: 'block',
    syncWaitMsMax: 5000,
    keyspaceDefaults: { memtableBytes: 128 * 1024 },
  });
  onTestFinished(() => db.close());
  const { control } = db.share() as ShareData;
  const words = new Int32Array(control);
  const slot = claimSlot(words, 1);
  pin(words, slot);
  // The system gives no thread this number.
  Atomics.store(words, slotAt(slot) + SLOT_TASK, 0x7fff_fffe);
  const keyspace = db.keyspace('k');
  for (let i = 0; i < 100; i++) keyspace.put(Uint8Array.of(i), new Uint8Array(50_000));
  expect(Atomics.load(words, slotAt(slot) + SLOT_TASK)).toBe(0);
});

test('a thread that could not attach leaves no slot taken', async () => {
  const path = temporaryPath();
  const worker = new Worker(new URL('../../../test/owner.worker.ts', import.meta.url), {
    workerData: { path, options: {} },
    execArgv: ['--conditions=varve-source'],
  });
  onTestFinished(async () => void (await worker.terminate()));
  const handle = await new Promise<ShareData>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await expect(attach({ ...handle, pool: { ...handle.pool, chunkBytes: 7 } })).rejects.toThrow(
    /multiple of 8/,
  );
  expect(new SharedWords(handle).threads()).toHaveLength(1);
  const db = await attach(handle);
  expect(new SharedWords(handle).threads()).toHaveLength(2);
  await db.close();
  expect(new SharedWords(handle).threads()).toHaveLength(1);
});
