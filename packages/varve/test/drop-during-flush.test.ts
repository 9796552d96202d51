import { MemoryFs, openSimulated } from 'varve/testing';
import { expect, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';

const fill = (byte: number, length: number): Uint8Array => new Uint8Array(length).fill(byte);
const key = (number: number): Uint8Array => Buffer.from(String(number).padStart(8, '0'));

test('memory of a keyspace that is dropped while it is flushed is not used again before the flush has ended', async () => {
  const time = new ManualScheduler();
  const db = await openSimulated(
    '/db',
    { fileSystem: new MemoryFs(), clock: time.clock },
    { scheduler: time, sliceMs: 0 },
  );
  const poisoned: unknown[] = [];
  db.events.addEventListener('poison', (event) => poisoned.push((event as CustomEvent).detail));
  const gone = db.keyspace('gone');
  const stays = db.keyspace('stays');
  for (let i = 0; i < 2000; i++) gone.put(key(i), fill(1, 100));
  const flushed = db.flush();
  // The job has begun: one step of it each turn.
  for (let i = 0; i < 3; i++) await time.turn();
  const before = db.stats().memoryBytes.pool;
  const dropped = db.dropKeyspace('gone');
  expect(db.stats().memoryBytes.pool).toBe(before);
  for (let i = 0; i < 2000; i++) stays.put(key(i), fill(255, 100));
  await time.run(Promise.all([flushed, dropped]));
  expect(poisoned).toEqual([]);
  expect([...stays.range().values()].every((value) => value.every((byte) => byte === 255))).toBe(true);
  expect(stays.count()).toBe(2000);
  await time.run(db.flush());
  expect(db.stats().memoryBytes.pool).toBe(0);
  await time.run(db.close());
});
