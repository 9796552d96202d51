/** States of the past by time and by sequence, and how far back they go. */
import { type CompactionFilter, dumpFile, open, type RetentionOption, utf8 } from 'varve';
import { nodeFileSystem, Random, SimFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { inMemory, texts } from './in-memory.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';
import { at, entriesAt, type Past, past, settle } from './time-travel-world.ts';
import { HandClock, START } from './ttl-world.ts';

describe('a state of the past', () => {
  test('is found by its time to the millisecond, and by its sequence, before and after compaction', async () => {
    const world = await past();
    const { db, clock, data } = world;
    const sequences: number[] = [];
    for (const value of ['1', '2', '3']) {
      clock.time += 10;
      sequences.push(data.put('a', value));
    }
    clock.time += 10;
    data.delete('a');
    data.put('b', '4');
    const expected = ['', '', 'a=1', 'a=1', 'a=2', 'a=3', 'b=4'];
    const check = (): void => {
      expect([0, 9, 10, 19, 20, 30, 40].map((ms) => entriesAt(world, at(ms)))).toEqual(expected);
      expect(sequences.map((sequence) => entriesAt(world, sequence))).toEqual(['a=1', 'a=2', 'a=3']);
    };
    check();
    await db.flush();
    check();
    await db.compact();
    check();
    using state = db.at(at(25));
    expect(state.get(data, 'a')).toBe('2');
    expect(state.has(data, 'b')).toBe(false);
    expect(state.getMany(data, ['a', 'b'])).toEqual(['2', undefined]);
    expect(state.sequence).toBe(sequences[1]);
  });

  test('shows range deletes, batches as a whole, and what expired later', async () => {
    const world = await past();
    const { db, clock, data } = world;
    db.write(db.batch().put(data, 'a', '1').put(data, 'b', '1', { ttlMs: 100 }));
    clock.time += 50;
    data.deleteRange({ gte: 'a', lt: 'b' });
    clock.time += 1000;
    data.put('c', '1');
    await settle(db);
    expect(entriesAt(world, at(0))).toBe('a=1 b=1');
    expect(entriesAt(world, at(49))).toBe('a=1 b=1');
    expect(entriesAt(world, at(50))).toBe('b=1');
    expect(entriesAt(world, at(99))).toBe('b=1');
    expect(entriesAt(world, at(100))).toBe('');
    expect(entriesAt(world, at(1050))).toBe('c=1');
  });

  test('before the window is refused with the bounds, and its space is given back', async () => {
    const world = await past({ ms: 1000 });
    const { db, clock, data } = world;
    for (let i = 0; i < 100; i++) {
      clock.time += 100;
      data.put('a', String(i));
    }
    await settle(db);
    const { entries, history } = db.stats().keyspaces['data']!;
    // One more than those of the last second: what was there when it began.
    expect(entries).toBe(11);
    expect(history?.time).toBe(START + 9000);
    expect(entriesAt(world, at(9000))).toBe('a=89');
    const error = await expectRefusal(() => db.at(at(8999)), 'OUTSIDE_HISTORY', 'invalid', {
      got: at(8999).toISOString(),
      from: history,
      to: { sequence: db.stats().sequence, time: START + 10_000 },
    });
    expect(error.message).toContain(at(9000).toISOString());
    await expectRefusal(() => db.at(history!.sequence - 1), 'OUTSIDE_HISTORY', 'invalid');
    await expectRefusal(() => db.at(at(10_001)), 'OUTSIDE_HISTORY', 'invalid');
    await expectRefusal(() => db.at(db.stats().sequence + 1), 'OUTSIDE_HISTORY', 'invalid');
    expect(db.stats().snapshots.count).toBe(0);
  });

  test('that is open stays readable when the window has gone on', async () => {
    const world = await past({ ms: 1000 });
    const { db, clock, data } = world;
    data.put('a', 'old');
    data.put('e', 'soon gone', { ttlMs: 500 });
    const state = db.at(at(0));
    const range = state.range(data);
    clock.time += 5000;
    data.put('a', 'new');
    clock.time += 5000;
    await settle(db);
    expect(state.get(data, 'a')).toBe('old');
    expect([...range]).toEqual([
      ['a', 'old'],
      ['e', 'soon gone'],
    ]);
    state.close();
    await expectRefusal(() => state.get(data, 'a'), 'CLOSED', 'closed');
    await expectRefusal(() => db.at(at(0)), 'OUTSIDE_HISTORY', 'invalid');
    await settle(db);
    expect(db.stats().keyspaces['data']!.entries).toBe(1);
  });

  test('of now can be read of any keyspace; older ones only of those that keep them', async () => {
    const { db, clock, data } = await past();
    const other = texts(db, 'other');
    other.put('a', '1');
    data.put('a', '1');
    clock.time += 10;
    using now = db.at(at(10));
    expect(now.get(other, 'a')).toBe('1');
    using before = db.at(at(5));
    expect(before.get(data, 'a')).toBe('1');
    await expectRefusal(() => before.get(other, 'a'), 'OUTSIDE_HISTORY', 'invalid', { keyspace: 'other' });
    await expectRefusal(() => before.range(other), 'OUTSIDE_HISTORY', 'invalid');
    // What was made later is empty there.
    const later = texts(db, 'later');
    later.put('a', '1');
    expect(before.get(later, 'a')).toBeUndefined();
  });

  test('is refused by name where nobody keeps any, and for what is no point in time', async () => {
    const clock = new HandClock();
    const db = await inMemory({ clock });
    texts(db).put('a', '1');
    clock.time += 10;
    const error = await expectRefusal(() => db.at(at(5)), 'OUTSIDE_HISTORY', 'invalid');
    expect(error.message).toContain('retention');
    const noDate = Object.create(Date.prototype) as unknown;
    for (const bad of [new Date('x'), noDate, () => 1, Number.NaN, -1, 1.5, '2026-11-01', undefined, null]) {
      await expectRefusal(() => db.at(bad as never), 'POINT_INVALID', 'invalid');
    }
    await expectRefusal(() => db.at(1, { maxAge: 1 } as never), 'OPTION_INVALID', 'invalid');
    await db.close();
    await expectRefusal(() => db.at(1), 'CLOSED', 'closed');
  });
});

describe('retention', () => {
  test('begins when it is set, goes on when it is made longer, and ends by {}', async () => {
    const { db, clock, data } = await past({ ms: 1000 });
    data.put('a', '1');
    clock.time += 500;
    db.keyspace('data', { retention: { ms: 10_000 } });
    clock.time += 5000;
    data.put('a', '2');
    await settle(db);
    expect(entriesAt({ db, clock, data }, at(0))).toBe('a=1');
    db.keyspace('data', { retention: {} });
    await expectRefusal(() => db.at(at(0)), 'OUTSIDE_HISTORY', 'invalid');
    db.keyspace('data', { retention: { ms: 10_000 } });
    await expectRefusal(() => db.at(at(5499)), 'OUTSIDE_HISTORY', 'invalid');
    expect(entriesAt({ db, clock, data }, at(5500))).toBe('a=2');
  });

  test('made longer gives nothing that was dropped already', async () => {
    const world = await past({ ms: 1000 });
    const { db, clock, data } = world;
    const sequence = data.put('a', 'gone by then', { ttlMs: 5000 });
    clock.time += 10_000;
    await settle(db);
    await expectRefusal(() => db.at(at(3000)), 'OUTSIDE_HISTORY', 'invalid');
    db.keyspace('data', { retention: { ms: 60_000 } });
    await expectRefusal(() => db.at(at(3000)), 'OUTSIDE_HISTORY', 'invalid');
    expect(entriesAt(world, at(9000))).toBe('');
    expect(entriesAt(world, sequence)).toBe('');
  });

  test('does not go together with what drops entries that its states see', async () => {
    const { db } = await past();
    const filter: CompactionFilter = { name: 'f', version: 1, filter: () => 'remove' };
    const fifo = { compaction: { strategy: 'fifo' } } as const;
    for (const options of [
      { retention: { ms: 1 }, compactionFilter: filter },
      { retention: { ms: 1 }, ...fifo },
      { retention: { versions: 1 }, ...fifo },
    ]) {
      await expectRefusal(() => db.keyspace('new', options), 'OPTION_INVALID', 'invalid', {
        keyspace: 'new',
      });
    }
    // Also with the one that is stored.
    for (const options of [{ compactionFilter: filter }, fifo]) {
      await expectRefusal(() => db.keyspace('data', options), 'OPTION_INVALID', 'invalid');
    }
    expect(db.keyspaces()).toEqual(['data']);
    db.keyspace('data', { retention: {}, ...fifo });
  });

  test('is kept with the keyspace over reopening, with states before it, until another one is given', async () => {
    const fileSystem = new SimFs();
    const clock = new HandClock();
    const reopen = async (retention?: RetentionOption): Promise<Past> => {
      const db = await open('/db', { fileSystem, clock });
      onTestFinished(() => db.close());
      const given = retention === undefined ? {} : { retention };
      return { db, clock, data: db.keyspace('data', { key: utf8, value: utf8, ...given }) };
    };
    const first = await reopen({ ms: 60_000, versions: 2 });
    const empty = first.db.stats().sequence;
    for (let i = 0; i < 20; i++) {
      clock.time += 10;
      first.data.put('a', String(i));
      if (i % 7 === 0) await first.db.flush();
    }
    await first.db.close();
    clock.time += 10;
    const second = await reopen();
    for (let i = 0; i < 20; i++) expect(entriesAt(second, at(10 * i + 10))).toBe(`a=${i}`);
    expect(entriesAt(second, empty)).toBe('');
    await settle(second.db);
    for (let i = 0; i < 20; i++) expect(entriesAt(second, at(10 * i + 10))).toBe(`a=${i}`);
    second.data.put('a', 'last');
    await second.db.close();
    clock.time += 70_000;
    const third = await reopen();
    await settle(third.db);
    await expectRefusal(() => third.db.at(at(100)), 'OUTSIDE_HISTORY', 'invalid');
    expect(third.data.history('a').map(({ value }) => value)).toEqual(['last', '19']);
    expect(third.db.stats().keyspaces['data']!.entries).toBe(2);
    expect(third.db.stats().keyspaces['data']!.history!.time).toBe(clock.time - 60_000);
  });

  test('of very many keyspaces does not fill every edit', async () => {
    const directory = temporaryDirectory();
    const clock = new HandClock();
    const db = await open(directory, {
      clock,
      sync: 'manual',
      keyspaceDefaults: { retention: { ms: 1000 } },
    });
    onTestFinished(() => db.close());
    const many = Array.from({ length: 150 }, (_, i) => texts(db, `k${i}`));
    const [data] = many;
    for (let round = 0; round < 12; round++) {
      clock.time += 100;
      data!.put('a', String(round));
      await db.flush();
    }
    for (let round = 4; round < 12; round++) {
      using state = db.at(at(100 * round + 100));
      expect(state.get(data!, 'a')).toBe(String(round));
    }
    const manifest = nodeFileSystem.list(directory).find((name) => name.startsWith('MANIFEST'))!;
    const floors = new Map<number, number>();
    for (const { offset, kind } of dumpFile(`${directory}/${manifest}`)) {
      if (kind === 'history-floor') floors.set(offset, (floors.get(offset) ?? 0) + 1);
    }
    expect(floors.size).toBeGreaterThan(0);
    expect(Math.max(...floors.values())).toBeLessThan(70);
  });

  test('by time needs timestamps', async () => {
    const db = await inMemory({ timestamps: false });
    await expectRefusal(() => db.keyspace('a', { retention: { ms: 1 } }), 'OPTION_INVALID', 'invalid');
    db.keyspace('b', { retention: { versions: 1 } });
    await expectRefusal(
      () => open(':memory:', { timestamps: false, keyspaceDefaults: { retention: { ms: 1 } } }),
      'OPTION_INVALID',
      'invalid',
    );
  });

  test.each(['the manifest', 'the log'])(
    'by time that %s tells of is not opened without timestamps',
    async (from) => {
      let fileSystem = new SimFs();
      const first = await open('/db', { fileSystem });
      first.keyspace('data', { retention: { ms: 1000 } });
      first.keyspace('other', { retention: { versions: 2 } });
      await first.sync('disk');
      if (from === 'the log') fileSystem = fileSystem.crash(new Random(1));
      else await first.close();
      const options = { fileSystem, timestamps: false };
      await expectRefusal(() => open('/db', options), 'OPTION_INVALID', 'invalid', {
        option: 'timestamps',
        keyspaces: ['data'],
      });
      const reading = await open('/db', { ...options, readOnly: true });
      await reading.close();
      const again = await open('/db', { fileSystem });
      again.keyspace('data', { retention: {} });
      await again.close();
      const without = await open('/db', options);
      await without.close();
    },
  );

  test('that is stored stays when the default of the database is another one', async () => {
    const fileSystem = new SimFs();
    const first = await open('/db', { fileSystem });
    first.keyspace('data', { retention: { ms: 3_600_000 } });
    await first.close();
    const db = await open('/db', { fileSystem, keyspaceDefaults: { retention: { versions: 1 } } });
    onTestFinished(() => db.close());
    db.keyspace('data');
    db.keyspace('data', { ttlMs: 5000 });
    const made = db.keyspace('made');
    made.put(Uint8Array.of(1), Uint8Array.of(1));
    expect(db.stats().keyspaces['data']!.history).toBeDefined();
    expect(db.stats().keyspaces['made']!.history).toBeUndefined();
  });

  test('knows the times of ingestions that only the log has after a crash', async () => {
    const fileSystem = new SimFs();
    const clock = new HandClock();
    const first = await open('/db', { fileSystem, clock });
    const options = { key: utf8, value: utf8, retention: { ms: 60_000 } };
    const data = first.keyspace('data', options);
    data.put('a', '1');
    await first.flush();
    clock.time += 1000;
    await first.ingest(data, [['b', '2']]);
    clock.time += 1000;
    data.put('c', '3');
    await first.sync('disk');
    const db = await open('/db', { fileSystem: fileSystem.crash(new Random(3)), clock });
    onTestFinished(() => db.close());
    const again = { db, clock, data: db.keyspace('data', options) };
    expect(entriesAt(again, at(500))).toBe('a=1');
    expect(entriesAt(again, at(1500))).toBe('a=1 b=2');
  });

  test('of a keyspace that was dropped is gone, and one with its name begins anew', async () => {
    const { db, clock, data } = await past();
    data.put('a', '1');
    await db.dropKeyspace('data');
    clock.time += 10;
    const again = db.keyspace('data', { key: utf8, value: utf8 });
    again.put('a', '2');
    await settle(db);
    await expectRefusal(() => db.at(at(5)), 'OUTSIDE_HISTORY', 'invalid');
  });
});
