/** Windows of several keyspaces, and of databases that nobody writes to: each goes on by itself, and none changes what another shows. */
import { type Database, type Keyspace, open, utf8 } from 'varve';
import { SimFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openAttached } from './attached-database.ts';
import { inMemory, texts } from './in-memory.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';
import { at, entriesAt } from './time-travel-world.ts';
import { HandClock } from './ttl-world.ts';

const kept = (db: Database, name: string, ms: number): Keyspace<string, string> =>
  db.keyspace(name, { key: utf8, value: utf8, retention: { ms } });

describe('a database that nobody writes to', () => {
  test('keeps the states of a long window beside a short one, also over a reopening', async () => {
    const clock = new HandClock();
    const fileSystem = new SimFs();
    const db = await open('/db', { fileSystem, clock });
    const data = kept(db, 'long', 100_000);
    kept(db, 'short', 1000);
    for (let i = 0; i < 50; i++) {
      clock.time += 10;
      data.put('a', String(i));
    }
    clock.time += 149_500;
    db.stats();
    // So many edits that marks are forgotten.
    for (let i = 0; i < 5; i++) {
      data.put('a', `new ${i}`);
      await db.flush();
      clock.time += 100;
    }
    expect(entriesAt({ db, clock, data }, at(100_000))).toBe('a=49');
    await db.close();
    const again = await open('/db', { fileSystem, clock });
    onTestFinished(() => again.close());
    const reopened = { db: again, clock, data: again.keyspace('long', { key: utf8, value: utf8 }) };
    expect(entriesAt(reopened, at(100_000))).toBe('a=49');
  });

  test.each(['no other keyspace', 'one that was never written', 'one with a shorter window'])(
    'gives back what has left the window, with %s',
    async (other) => {
      const clock = new HandClock();
      const db = await inMemory({ clock });
      const data = kept(db, 'data', 3_600_000);
      if (other === 'one with a shorter window') kept(db, 'short', 1000);
      for (let i = 0; i < 100; i++) data.put(`k${i}`, 'v', { ttlMs: 600_000 });
      if (other === 'one that was never written') db.keyspace('other');
      await db.flush();
      for (let minute = 0; minute < 300; minute++) {
        clock.time += 60_000;
        db.stats();
      }
      await db.compact();
      const { entries, history } = db.stats().keyspaces['data']!;
      expect({ entries, start: history?.time }).toEqual({ entries: 0, start: clock.time - 3_600_000 });
    },
  );
});

test('a retention that is changed moves nothing that was written just now into the past', async () => {
  const offset = new SharedArrayBuffer(4);
  const here = await openAttached(temporaryDirectory(), { sync: 'manual' }, offset);
  onTestFinished(() => here.close());
  const data = kept(here, 'data', 3_600_000);
  data.put('a', 'old');
  const before = here.stats().timeMs;
  here.at(new Date(before)).close();
  Atomics.store(new Int32Array(offset), 0, 10_000);
  // The owner's clock is the clock of all when it has been asked.
  here.at(new Date(before)).close();
  data.put('a', 'young');
  here.keyspace('data', { retention: { ms: 7_200_000 } });
  using state = here.at(new Date(before + 5000));
  expect(state.get(data, 'a')).toBe('old');
});

test('a state by its sequence shows the same whatever windows other keyspaces have', async () => {
  const clock = new HandClock();
  const db = await inMemory({ clock });
  const data = kept(db, 'long', 100_000);
  const short = kept(db, 'short', 10);
  clock.time += 10;
  const none = texts(db, 'none');
  none.put('a', '1');
  const batch = db.batch().put(data, 'a', '1', { ttlMs: 500 }).put(short, 'a', '1', { ttlMs: 500 });
  const sequence = db.write(batch);
  clock.time += 5000;
  for (const writes of [false, true]) {
    if (writes) data.put('b', '2');
    expect(entriesAt({ db, clock, data }, sequence)).toBe('a=1');
    using state = db.at(sequence);
    expect(state.get(data, 'a')).toBe('1');
    expect(state.getMany(data, ['a'])).toEqual(['1']);
    expect(state.has(data, 'a')).toBe(true);
    expect([...db.diff(sequence - 1, sequence, { keyspace: data })]).toMatchObject([{ after: '1' }]);
    expect([...db.diff(sequence - 1, undefined, { keyspace: data, lt: 'b' })]).toEqual([]);
    // What its window begins with, and its time.
    expect(state.get(short, 'a')).toBeUndefined();
    // One that keeps no past has the latest state only.
    if (writes) await expectRefusal(() => state.get(none, 'a'), 'OUTSIDE_HISTORY', 'invalid');
    else expect(state.get(none, 'a')).toBe('1');
  }
});
