/**
 * What each durability class promises: what survives SIGKILL and what power loss, that waiting writers share one fsync, and
 * how a wait ends. On a simulated disk, by a scripted clock. The sync strategies are in sync-strategies.test.ts, what is in
 * the log files in log-files.test.ts.
 */
import { utf8 } from 'varve';
import { Random, SimFs } from 'varve/testing';
import { describe, expect, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { afterKill, afterPowerLoss, world } from './quiet-world.ts';
import { expectRefusal } from './refusal.ts';

describe('classes', () => {
  test('memory: visible at once, and gone with the process while the turn lasts', async () => {
    const { data, fs, handOvers } = await world();
    const sequence = data.put('memory', 'v');
    expect(await data.put('awaited', 'v', { durability: 'memory' })).toBe(sequence + 1);
    expect(data.get('memory')).toBe('v');
    expect(handOvers()).toBe(0);
    expect(await afterKill(fs)).toEqual([]);
  });

  test('plain puts of one turn are handed over together at its end, however many microtasks lie between', async () => {
    const { data, fs, time, handOvers, syncs } = await world();
    for (let i = 0; i < 10; i++) {
      data.put(`k${i}`, 'v');
      await Promise.resolve();
    }
    expect(handOvers()).toBe(0);
    await time.turn();
    expect({ handOvers: handOvers(), syncs: syncs() }).toEqual({ handOvers: 1, syncs: 0 });
    expect(await afterKill(fs)).toHaveLength(10);
  });

  test('a full log buffer is handed over without waiting for the end of the turn', async () => {
    const { data, handOvers } = await world();
    for (let i = 0; i < 10; i++) data.put(`k${i}`, 'v'.repeat(10_000));
    expect(handOvers()).toBe(1);
  });

  test('os: awaited writes are handed over in a microtask, all of them by one system call', async () => {
    const { data, fs, handOvers, syncs } = await world();
    const sequences = await Promise.all(
      Array.from({ length: 64 }, (_, i) => data.put(`k${i}`, 'v', { durability: 'os' })),
    );
    expect(new Set(sequences).size).toBe(64);
    expect({ handOvers: handOvers(), syncs: syncs() }).toEqual({ handOvers: 1, syncs: 0 });
    expect(await afterKill(fs)).toHaveLength(64);
  });

  test('os does not survive power loss, disk does', async () => {
    const { data, fs, time, db } = await world();
    await time.run(data.put('disk', 'v', { durability: 'disk' }));
    await time.run(data.put('os', 'v', { durability: 'os' }));
    expect(db.stats().log.syncedSequence).toBe(db.stats().sequence - 1);
    expect(await afterPowerLoss(fs)).toEqual(['disk']);
  });

  test('a new database with one awaited write survives power loss whole, its directory included', async () => {
    const fs = new SimFs();
    const time = new ManualScheduler();
    const db = await time.open('/deep/below/db', { fileSystem: fs });
    await time.run(db.keyspace('data', { key: utf8, value: utf8 }).put('a', '1', { durability: 'disk' }));
    const left = fs.crash(new Random(1), { data: 'nothing', names: 'nothing' });
    const again = await new ManualScheduler().open('/deep/below/db', { fileSystem: left });
    expect(again.keyspace('data', { key: utf8, value: utf8 }).get('a')).toBe('1');
    await again.close();
  });

  test('delete, deleteRange and batches wait as put does', async () => {
    const { data, db, fs, time } = await world();
    for (const key of ['a', 'b', 'c', 'd']) data.put(key, 'v');
    await time.run(
      Promise.all([
        data.delete('a', { durability: 'disk' }),
        data.deleteRange({ gte: 'c', lt: 'd' }, { durability: 'disk' }),
        db.write(db.batch().put(data, 'e', 'v').delete(data, 'd'), { durability: 'disk' }),
      ]),
    );
    expect(await afterPowerLoss(fs)).toEqual(['b', 'e']);
  });

  test('creating and dropping a keyspace is as durable as what is written after it', async () => {
    const { db, fs, time, data } = await world();
    data.put('a', '1');
    const other = db.keyspace('other', { key: utf8, value: utf8 });
    await time.run(db.dropKeyspace('data'));
    await time.run(other.put('x', '1', { durability: 'disk' }));
    const { db: again } = await world({}, fs.crash(new Random(2), { data: 'nothing', names: 'nothing' }));
    expect(again.keyspaces()).toEqual(['data', 'other']);
    expect(again.keyspace('other', { key: utf8, value: utf8 }).get('x')).toBe('1');
    expect(again.keyspace('data', { key: utf8, value: utf8 }).count()).toBe(0);
  });

  test('replicated needs a cluster and is refused, and nothing is written', async () => {
    const { data, db } = await world();
    const wait = { durability: 'replicated' } as const;
    await expectRefusal(() => data.put('a', '1', wait), 'DURABILITY_INVALID', 'invalid', {
      got: 'replicated',
    });
    await expectRefusal(() => data.delete('a', wait), 'DURABILITY_INVALID', 'invalid');
    await expectRefusal(
      () => db.write(db.batch().put(data, 'a', '1'), wait),
      'DURABILITY_INVALID',
      'invalid',
    );
    await expectRefusal(() => db.sync('replicated' as never), 'DURABILITY_INVALID', 'invalid');
    expect(data.has('a')).toBe(false);
  });
});

describe('group commit', () => {
  test('64 concurrent disk writes share one fsync of the log', async () => {
    const { data, fs, time, syncs, handOvers } = await world();
    const writes = Array.from({ length: 64 }, (_, i) => data.put(`k${i}`, 'v', { durability: 'disk' }));
    await time.run(Promise.all(writes));
    expect({ syncs: syncs(), handOvers: handOvers() }).toEqual({ syncs: 1, handOvers: 1 });
    expect(await afterPowerLoss(fs)).toHaveLength(64);
  });

  test('writes that come while an fsync runs share the next one', async () => {
    const { data, time, syncs } = await world();
    const first = data.put('first', 'v', { durability: 'disk' });
    let later: Promise<number>[] = [];
    await microtask();
    // The fsync of the first is on its way: these ask after it began.
    later = Array.from({ length: 63 }, (_, i) => data.put(`k${i}`, 'v', { durability: 'disk' }));
    await time.run(Promise.all([first, ...later]));
    expect(syncs()).toBeLessThanOrEqual(2);
  });
});

describe('giving up waiting', () => {
  test('a deadline that passes ends the wait; the write stays, and says so', async () => {
    const { data, time, db } = await world();
    const before = db.stats().sequence;
    const late = data.put('a', 'v', { durability: 'disk', deadlineMs: 0 });
    const refused = expectRefusal(() => time.run(late), 'DEADLINE', 'busy', { applied: true, deadlineMs: 0 });
    await refused;
    expect({ got: data.get('a'), sequence: db.stats().sequence }).toEqual({ got: 'v', sequence: before + 1 });
  });

  test('a deadline that is far enough changes nothing and leaves no timer', async () => {
    const { data, time } = await world();
    expect(await time.run(data.put('a', 'v', { durability: 'disk', deadlineMs: 1000 }))).toBeGreaterThan(0);
    expect(await data.put('b', 'v', { durability: 'os', deadlineMs: 1000 })).toBeGreaterThan(0);
    await time.advance(5000);
  });

  test('a signal that was aborted before refuses the write; its reason is the cause', async () => {
    const { data, db } = await world();
    const before = db.stats().sequence;
    const reason = new Error('changed my mind');
    const signal = AbortSignal.abort(reason);
    const error = await expectRefusal(
      () => data.put('a', 'v', { durability: 'disk', signal }),
      'ABORTED',
      'busy',
      {
        applied: false,
      },
    );
    expect(error.cause).toBe(reason);
    expect({ got: data.get('a'), sequence: db.stats().sequence }).toEqual({
      got: undefined,
      sequence: before,
    });
  });

  test('a signal that aborts during the wait ends the wait; the write stays', async () => {
    const { data, db, fs, time } = await world();
    const controller = new AbortController();
    const write = data.put('a', 'v', { durability: 'disk', signal: controller.signal });
    await microtask();
    controller.abort();
    await expectRefusal(() => write, 'ABORTED', 'busy', { applied: true });
    expect(data.get('a')).toBe('v');
    await time.run(db.sync());
    expect(await afterPowerLoss(fs)).toEqual(['a']);
  });
});

/** One microtask more than what an awaited write takes to ask for its class. */
async function microtask(): Promise<void> {
  for (let i = 0; i < 4; i++) await Promise.resolve();
}
