/** A database whose clock is in the hands of the test, a keyspace whose entries live a second, and all ways of reading it. */
import { type Clock, type Database, type DatabaseOptions, type Keyspace, open, utf8 } from 'varve';
import { SimFs } from 'varve/testing';
import { expect, onTestFinished } from 'vitest';
import { inMemory } from './in-memory.ts';

export const START = 1_700_000_000_000;

/** A clock in the hands of the test, in both of its readings. */
export class HandClock implements Clock {
  time = START;
  now(): number {
    return this.time;
  }
  monotonic(): number {
    return this.time - START;
  }
}

export interface World {
  readonly db: Database;
  readonly clock: HandClock;
  /** Puts live 1000 ms. */
  readonly short: Keyspace<string, string>;
}

export async function world(
  options: DatabaseOptions = {},
  clock = new HandClock(),
  path?: string,
): Promise<World> {
  const db =
    path === undefined ? await inMemory({ clock, ...options }) : await open(path, { clock, ...options });
  const { fileSystem } = options;
  onTestFinished(async () => {
    if (!(fileSystem instanceof SimFs && fileSystem.stopped)) await db.close();
  });
  return { db, clock, short: shortLived(db) };
}

const shortLived = (db: Database): Keyspace<string, string> =>
  db.keyspace('short', { key: utf8, value: utf8, ttlMs: 1000 });

/** What every way of reading shows of the keys, all of which must agree. */
export async function seen(data: Keyspace<string, string>, keys: readonly string[]): Promise<string> {
  const found: (string | undefined)[][] = [
    keys.map((key) => data.get(key)),
    data.getMany(keys),
    // More keys go through the sources together.
    data.getMany([...keys, ...Array.from({ length: 10 }, (_, i) => `none${i}`)]).slice(0, keys.length),
    await Promise.all(keys.map((key) => data.getAsync(key))),
    await data.getManyAsync(keys),
  ];
  const entries = [...data.range()];
  const walks = [
    [...data.range({ reverse: true })].reverse(),
    keys.flatMap((key) => [...data.range({ gte: key, lte: key })]),
    data
      .range()
      .partitions(3)
      .flatMap((part) => [...part]),
  ];
  const ahead: [string, string][] = [];
  for await (const entry of data.range()) ahead.push(entry);
  for (const walk of [...walks, ahead]) expect(walk).toEqual(entries);
  expect([...data.range().keys()]).toEqual(entries.map(([key]) => key));
  expect([...data.range().values()]).toEqual(entries.map(([, value]) => value));
  const cursor = data.range().cursor();
  const lent: [string, string][] = [];
  while (cursor.next()) lent.push([utf8.decode(cursor.key), utf8.decode(cursor.value)]);
  cursor.close();
  expect(lent).toEqual(entries);
  expect(data.count()).toBe(entries.length);
  expect(await data.countAsync()).toBe(entries.length);
  for (const way of found) {
    const shown = keys.flatMap((key, i) => (way[i] === undefined ? [] : [[key, way[i]]]));
    expect(shown).toEqual(entries);
  }
  for (const key of keys) expect(data.has(key)).toBe(entries.some(([other]) => other === key));
  return entries.map(([key, value]) => `${key}=${value}`).join(' ');
}

export const KEYS = ['a', 'b', 'c', 'd'];
