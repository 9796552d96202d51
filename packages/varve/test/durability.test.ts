/**
 * What each durability class promises and each sync strategy does: what survives SIGKILL and what power loss, when the log
 * is handed over and when it is fsynced, and that waiting writers share one fsync. On a simulated disk, by a scripted clock.
 */
import { type Database, type DatabaseOptions, type Keyspace, utf8 } from 'varve';
import { Random, SimFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';

interface World {
  readonly db: Database;
  readonly fs: SimFs;
  readonly time: ManualScheduler;
  readonly data: Keyspace<string, string>;
  /** fsyncs of the log since the last call. */
  syncs(): number;
  /** Writes to the log since the last call. */
  handOvers(): number;
}

/** A quiet database on a simulated disk: everything that opening left to do is done. */
async function world(options: DatabaseOptions = {}, fs = new SimFs()): Promise<World> {
  const time = new ManualScheduler();
  let syncs = 0;
  let handOvers = 0;
  fs.onOperation = (operation, path) => {
    if (!path.endsWith('.wal')) return;
    if (operation === 'dataSync' || operation === 'sync') syncs++;
    if (operation === 'write') handOvers++;
  };
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual', ...options });
  onTestFinished(async () => {
    if (!fs.stopped) await db.close();
  });
  const data = db.keyspace('data', { key: utf8, value: utf8 });
  db.syncNow('disk');
  await time.advance(1000);
  syncs = handOvers = 0;
  const since = (take: () => number): (() => number) => take;
  return {
    db,
    fs,
    time,
    data,
    syncs: since(() => {
      const count = syncs;
      syncs = 0;
      return count;
    }),
    handOvers: since(() => {
      const count = handOvers;
      handOvers = 0;
      return count;
    }),
  };
}

/** What is there after the machine of `fs` died: opened again on what is left. */
async function survivors(left: SimFs): Promise<string[]> {
  const { db, data } = await world({}, left);
  const keys = [...data.range().keys()];
  await db.close();
  return keys;
}

const afterPowerLoss = (fs: SimFs): Promise<string[]> =>
  survivors(fs.crash(new Random(1), { data: 'nothing', names: 'nothing' }));
const afterKill = (fs: SimFs): Promise<string[]> => survivors(fs.crashProcess());

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

describe('what a log leaves behind', () => {
  const damage = (fs: SimFs, path: string, at: (size: number) => number): void => {
    const file = fs.open(path, 'readWrite');
    const byte = new Uint8Array(1);
    const position = at(file.size());
    file.read(byte, 0, 1, position);
    byte[0]! ^= 0x10;
    file.write(byte, 0, 1, position);
    file.close();
  };
  const logs = (fs: SimFs): string[] =>
    fs
      .list('/db')
      .filter((name) => name.endsWith('.wal'))
      .map((name) => `/db/${name}`);

  test('after a clean close damage to any record is corruption, not a torn tail', async () => {
    const { data, db, fs } = await world();
    for (let i = 0; i < 20; i++) data.put(`k${i}`, 'value');
    await db.close();
    const path = logs(fs).at(-1)!;
    const size = fs.status(path)!.size;
    // The last data record lies before the marker of 44 bytes.
    for (const back of [50, 60, 90, 200]) {
      damage(fs, path, () => size - back);
      await expectRefusal(() => world({}, fs), 'CORRUPTION', 'corruption', { file: path });
      damage(fs, path, () => size - back);
    }
    const { data: again } = await world({}, fs);
    expect(again.count()).toBe(20);
  });

  test('a disk sync after which nothing follows for 100 ms is sealed in the same way', async () => {
    const { data, db, fs, time, handOvers } = await world();
    data.put('a', 'value');
    data.put('b', 'value');
    await time.run(db.sync());
    handOvers();
    await time.advance(99);
    expect(handOvers()).toBe(0);
    await time.advance(1);
    expect(handOvers()).toBe(1);
    await time.advance(10_000);
    expect(handOvers()).toBe(0);
    const left = fs.crashProcess();
    const path = logs(left).at(-1)!;
    damage(left, path, (size) => size - 50);
    await expectRefusal(() => world({}, left), 'CORRUPTION', 'corruption', { file: path });
  });

  test('a write within the 100 ms puts the seal off', async () => {
    const { data, db, time, handOvers } = await world();
    data.put('a', 'value');
    await time.run(db.sync());
    await time.advance(60);
    handOvers();
    data.put('b', 'value');
    await time.settle();
    expect(handOvers()).toBe(1);
    await time.advance(1000);
    expect(handOvers()).toBe(0);
  });

  test('damage behind what was synced is a torn tail: cut, counted, and refused by strict', async () => {
    const { data, db, fs } = await world();
    data.put('a', 'value');
    db.syncNow('disk');
    data.put('b', 'value');
    data.put('c', 'value');
    db.syncNow('os');
    const left = fs.crashProcess();
    const path = logs(left).at(-1)!;
    damage(left, path, (size) => size - 70);
    await expectRefusal(() => world({ recovery: 'strict' }, left), 'LOG_TAIL_CUT', 'corruption');
    const { db: again, data: found } = await world({}, left);
    expect([...found.range().keys()]).toEqual(['a']);
    expect(again.recovered.cutBytes).toBeGreaterThan(100);
  });
});

describe('segments', () => {
  const small: DatabaseOptions = { logBytesMax: 512 * 1024, memoryBytesMax: 16 * 1024 * 1024 };
  const value = 'v'.repeat(1000);

  test('rotate at their size, are released by flushes, and are recycled', async () => {
    const { data, db, fs, time } = await world(small);
    for (let i = 0; i < 200; i++) data.put(`k${i}`, value);
    await time.settle();
    expect(db.stats().log.segments).toBeGreaterThanOrEqual(3);
    await time.run(db.flush());
    await time.advance(1000);
    expect(db.stats().log.segments).toBe(1);
    const before = fs.list('/db').filter((name) => name.endsWith('.wal')).length;
    expect(before).toBeLessThanOrEqual(3);
    const created: string[] = [];
    const renamed: string[] = [];
    fs.onOperation = (operation, path) => {
      if (operation === 'create' && path.endsWith('.wal')) created.push(path);
      if (operation === 'rename') renamed.push(path);
    };
    for (let i = 0; i < 100; i++) data.put(`l${i}`, value);
    await time.settle();
    expect({ created: created.length, recycled: renamed.length > 0 }).toEqual({ created: 0, recycled: true });
    await time.run(db.sync());
    const { data: again } = await world(
      small,
      fs.crash(new Random(3), { data: 'nothing', names: 'nothing' }),
    );
    expect(again.count()).toBe(300);
  });

  test('a keyspace that holds nothing unflushed pins none', async () => {
    const { data, db, time } = await world(small);
    const idle = db.keyspace('idle', { key: utf8, value: utf8 });
    const empty = db.keyspace('empty', { key: utf8, value: utf8 });
    idle.put('a', '1');
    await time.run(db.flush());
    for (let i = 0; i < 300; i++) data.put(`k${i}`, value);
    await time.run(db.flush());
    await time.advance(1000);
    expect(db.stats().log.segments).toBe(1);
    expect([idle.get('a'), empty.count(), data.count()]).toEqual(['1', 0, 300]);
  });

  test('past logBytesMax whoever holds the oldest segment is flushed, however little it holds', async () => {
    const { data, db, fs, time } = await world(small);
    const holder = db.keyspace('holder', { key: utf8, value: utf8 });
    const flushed: string[] = [];
    db.events.addEventListener('flush', (event) =>
      flushed.push((event as CustomEvent<{ keyspace: string }>).detail.keyspace),
    );
    holder.put('a', '1');
    for (let i = 0; i < 4000; i++) {
      data.put(`k${i % 50}`, value);
      if (i % 50 === 0) await time.settle();
    }
    await time.advance(1000);
    expect(flushed).toContain('holder');
    expect(db.stats().keyspaces['holder']!.levels[0]!.files).toBe(1);
    expect(db.stats().log.bytes).toBeLessThan(2 * 512 * 1024);
    await time.run(db.sync());
    const { db: again } = await world(small, fs.crash(new Random(4), { data: 'nothing', names: 'nothing' }));
    expect(again.keyspace('holder', { key: utf8, value: utf8 }).get('a')).toBe('1');
  });
});

/** One microtask more than what an awaited write takes to ask for its class. */
async function microtask(): Promise<void> {
  for (let i = 0; i < 4; i++) await Promise.resolve();
}
