/** Snapshots that are kept too long, or lost: what is told of them, and how they end by themselves. */
import type { Database } from 'varve';
import { MemoryFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { collectGarbage, warningOf } from './collect.ts';
import { inMemory, type Texts, texts } from './in-memory.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';

async function world(): Promise<{ db: Database; data: Texts; time: ManualScheduler }> {
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: new MemoryFs() });
  onTestFinished(() => db.close());
  return { db, data: texts(db), time };
}

test('one with a greatest age closes by itself and gives its sequence back; its use says why', async () => {
  const { db, data, time } = await world();
  data.put('a', 'old');
  const snapshot = db.snapshot({ maxAgeMs: 1000 });
  const iterator = snapshot.range(data)[Symbol.iterator]();
  data.put('a', 'new');
  await time.advance(999);
  expect(snapshot.get(data, 'a')).toBe('old');
  await time.advance(1);
  const refusals = [
    () => snapshot.get(data, 'a'),
    () => snapshot.getMany(data, ['a']),
    () => snapshot.has(data, 'a'),
    () => snapshot.range(data),
    () => iterator.next(),
  ];
  for (const use of refusals) {
    await expectRefusal(use, 'SNAPSHOT_EXPIRED', 'closed', { sequence: snapshot.sequence, maxAgeMs: 1000 });
  }
  snapshot.close();
  expect(db.stats()).toMatchObject({ snapshots: { count: 0 }, heldSnapshots: [] });
});

test('one that is closed before keeps no timer, and says that it is closed', async () => {
  const { db, data, time } = await world();
  await time.settle();
  const before = time.pending;
  const snapshot = db.snapshot({ maxAgeMs: 1000 });
  snapshot.close();
  expect(time.pending).toBe(before);
  await time.advance(2000);
  await expectRefusal(() => snapshot.get(data, 'a'), 'CLOSED', 'closed');
});

test('options are refused by name', async () => {
  const { db } = await world();
  for (const options of [
    { maxAgeMs: 0 },
    { maxAgeMs: -1 },
    { maxAgeMs: '1' },
    { maxAgeMs: 2 ** 40 },
    { age: 1 },
    null,
  ]) {
    await expectRefusal(() => db.snapshot(options as object), 'OPTION_INVALID', 'invalid');
  }
  db.snapshot({ maxAgeMs: Infinity }).close();
  expect(db.stats().snapshots.count).toBe(0);
});

function madeHere(db: Database): ReturnType<Database['snapshot']> {
  return db.snapshot();
}

test('stats tell of each how old it is, what was written since, and who made it', async () => {
  const { db, data, time } = await world();
  using first = madeHere(db);
  data.put('a', '1');
  data.put('b', '1');
  await time.advance(500);
  using second = db.snapshot();
  const { heldSnapshots: held, snapshots } = db.stats();
  expect(snapshots.count).toBe(2);
  expect(held).toMatchObject([
    { sequence: first.sequence, ageMs: 500, batchesSince: 2 },
    { sequence: second.sequence, ageMs: 0, batchesSince: 0 },
  ]);
  expect(held[0]!.stack!.split('\n')[0]).toContain('madeHere');
  expect(held[0]!.stack).not.toContain('DatabaseHandle');
});

test('of many in one second only the first have a stack', async () => {
  const { db, time } = await world();
  const many = Array.from({ length: 250 }, () => db.snapshot());
  await time.advance(1000);
  const later = db.snapshot();
  for (const snapshot of many.slice(0, 180)) snapshot.close();
  const { heldSnapshots: held } = db.stats();
  expect(held.map(({ stack }) => stack !== undefined)).toEqual([
    ...Array.from({ length: 20 }, () => true),
    ...Array.from({ length: 50 }, () => false),
    true,
  ]);
  for (const snapshot of [...many, later]) snapshot.close();
});

test('one that is lost is reported with its stack, and nothing else happens', async () => {
  const db = await inMemory();
  const warned = warningOf(db);
  (() => void madeHere(db))();
  await collectGarbage(3);
  const { code, message } = await warned;
  expect(code).toBe('SNAPSHOT_LEAKED');
  expect(message).toContain('madeHere');
  expect(db.stats().snapshots.count).toBe(1);
});
