/** The files of the log: what tells damage from a torn tail, and how segments rotate, are released and are recycled. */
import { type DatabaseOptions, utf8 } from 'varve';
import { Random, type SimFs } from 'varve/testing';
import { describe, expect, test } from 'vitest';
import { world } from './quiet-world.ts';
import { expectRefusal } from './refusal.ts';

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
