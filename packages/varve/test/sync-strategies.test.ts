/** When each sync strategy hands the log over and fsyncs it, and what sync and syncNow make safe. */
import { utf8 } from 'varve';
import { SimFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { afterPowerLoss, world } from './quiet-world.ts';

describe('strategies', () => {
  test('everyWrite: a plain put returns fsynced', async () => {
    const { data, db, fs, syncs } = await world({ sync: 'everyWrite' });
    data.put('a', '1');
    expect(syncs()).toBe(1);
    db.write(db.batch().put(data, 'b', '2').put(data, 'c', '3'));
    expect(syncs()).toBe(1);
    expect(db.stats().log.syncedSequence).toBe(db.stats().sequence);
    expect(await data.put('d', '4', { durability: 'disk' })).toBe(db.stats().sequence);
    expect(syncs()).toBe(1);
    expect(await afterPowerLoss(fs)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('everyN: every N writes one fsync, in the background, and no other', async () => {
    const { data, db, time, syncs } = await world({ sync: { everyN: 3 } });
    for (let i = 1; i <= 9; i++) {
      data.put(`k${i}`, 'v');
      await time.settle();
      expect({ i, syncs: syncs() }).toEqual({ i, syncs: i % 3 === 0 ? 1 : 0 });
    }
    data.put('one more', 'v');
    await time.advance(100_000);
    expect(syncs()).toBe(0);
    expect(db.stats().log.syncedSequence).toBe(db.stats().sequence - 1);
  });

  test('everyN counts from the last fsync that covered the writes, whoever asked for it', async () => {
    const { data, db, time, syncs } = await world({ sync: { everyN: 3 } });
    data.put('a', 'v');
    data.put('b', 'v');
    db.syncNow('disk');
    expect(syncs()).toBe(1);
    data.put('c', 'v');
    db.syncNow('os');
    data.put('d', 'v');
    await time.settle();
    expect(syncs()).toBe(0);
    data.put('e', 'v');
    await time.settle();
    expect(syncs()).toBe(1);
  });

  test('intervalMs: at most that long after a write it is fsynced, and nothing happens without writes', async () => {
    const { data, db, time, syncs } = await world({ sync: { intervalMs: 50 } });
    await time.advance(1000);
    expect(syncs()).toBe(0);
    data.put('a', 'v');
    await time.advance(30);
    data.put('b', 'v');
    await time.advance(19);
    expect(syncs()).toBe(0);
    await time.advance(1);
    expect(syncs()).toBe(1);
    expect(db.stats().log.syncedSequence).toBe(db.stats().sequence);
    await time.advance(1000);
    expect(syncs()).toBe(0);
    data.put('c', 'v');
    await time.advance(50);
    expect(syncs()).toBe(1);
  });

  test('hybrid: whichever comes first', async () => {
    const { data, time, syncs } = await world({ sync: { everyN: 3, intervalMs: 50 } });
    data.put('a', 'v');
    await time.advance(49);
    expect(syncs()).toBe(0);
    await time.advance(1);
    expect(syncs()).toBe(1);
    for (const key of ['b', 'c', 'd']) data.put(key, 'v');
    await time.settle();
    expect(syncs()).toBe(1);
    await time.advance(45);
    data.put('e', 'v');
    await time.advance(49);
    expect(syncs()).toBe(0);
    await time.advance(1);
    expect(syncs()).toBe(1);
  });

  test('a write that comes while an fsync runs is covered within the interval', async () => {
    const { data, db, time, syncs } = await world({ sync: { everyN: 2, intervalMs: 50 } });
    data.put('a', 'v');
    data.put('b', 'v');
    // The fsync is asked for and covers two; this one comes before it is done, and nothing after it.
    data.put('c', 'v');
    await time.advance(50);
    expect(syncs()).toBe(2);
    expect(db.stats().log.syncedSequence).toBe(db.stats().sequence);
  });

  test('manual: never unasked, however much is written and waited', async () => {
    const { data, db, time, syncs } = await world({ sync: 'manual' });
    for (let i = 0; i < 2000; i++) data.put(`k${i}`, 'v');
    await time.advance(100_000);
    expect(syncs()).toBe(0);
    const sequence = await time.run(db.sync());
    expect({ sequence, syncs: syncs() }).toEqual({ sequence: db.stats().sequence, syncs: 1 });
  });

  test('the default is 1000 writes or 200 ms', async () => {
    const fs = new SimFs();
    const time = new ManualScheduler();
    const db = await time.open('/db', { fileSystem: fs });
    onTestFinished(() => db.close());
    const data = db.keyspace('data', { key: utf8, value: utf8 });
    await time.advance(1000);
    data.put('a', 'v');
    await time.advance(199);
    expect(db.stats().log.syncedSequence).toBe(db.stats().sequence - 1);
    await time.advance(1);
    expect(db.stats().log.syncedSequence).toBe(db.stats().sequence);
    for (let i = 0; i < 1000; i++) data.put(`k${i}`, 'v');
    await time.settle();
    expect(db.stats().log.syncedSequence).toBe(db.stats().sequence);
  });
});

describe('sync and syncNow', () => {
  test('they resolve with the sequence that is safe, by class', async () => {
    const { data, db, fs, time, syncs, handOvers } = await world();
    const first = data.put('a', 'v');
    expect(db.syncNow('os')).toBe(first);
    expect({ syncs: syncs(), handOvers: handOvers() }).toEqual({ syncs: 0, handOvers: 1 });
    const second = data.put('b', 'v');
    expect(await db.sync('os')).toBe(second);
    expect({ syncs: syncs(), handOvers: handOvers() }).toEqual({ syncs: 0, handOvers: 1 });
    expect(db.syncNow()).toBe(second);
    expect(syncs()).toBe(1);
    const third = data.put('c', 'v');
    expect(await time.run(db.sync())).toBe(third);
    expect(syncs()).toBe(1);
    // All is safe: nothing to do.
    expect([db.syncNow(), await db.sync(), await db.sync('os')]).toEqual([third, third, third]);
    expect(syncs()).toBe(0);
    expect(await afterPowerLoss(fs)).toEqual(['a', 'b', 'c']);
  });
});
