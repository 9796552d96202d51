/**
 * Reads of the past against a model that keeps every state: random writes, flushes, compactions, reopenings and changes of the
 * retention, under a clock that jumps.
 */
import { type Database, type Keyspace, type KeyVersion, open, utf8 } from 'varve';
import { Random, SimFs } from 'varve/testing';
import { expect, test } from 'vitest';
import { HandClock } from './ttl-world.ts';

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'];
const WINDOW_MS = 2000;
const NEVER = Number.POSITIVE_INFINITY;

interface Value {
  readonly text: string;
  readonly expiresAt: number;
}

/** What the keyspace held from `sequence` and `time` on. */
interface State {
  readonly sequence: number;
  readonly time: number;
  readonly values: ReadonlyMap<string, Value>;
}

/** A version of a key; no value: deleted. */
interface Event {
  readonly key: string;
  readonly sequence: number;
  readonly time: number;
  readonly value: Value | undefined;
  readonly isRange: boolean;
}

class Model {
  readonly states: State[] = [];
  readonly events: Event[] = [];

  apply(sequence: number, time: number, changes: readonly Omit<Event, 'sequence' | 'time'>[]): void {
    const values = new Map(this.states.at(-1)?.values);
    for (const change of changes) {
      this.events.push({ sequence, time, ...change });
      if (change.value === undefined) values.delete(change.key);
      else values.set(change.key, change.value);
    }
    const last = this.states.at(-1);
    if (last?.time === time) this.states.pop();
    this.states.push({ sequence, time, values });
  }

  at(time: number): Record<string, string> {
    const state = this.states.findLast((each) => each.time <= time);
    const there = [...(state?.values ?? [])].filter(([, value]) => value.expiresAt > time);
    return Object.fromEntries(there.map(([key, { text }]) => [key, text]));
  }

  /** The versions of the key in the window, newest first, with what was there when it began. */
  history(key: string, start: { sequence: number; time: number }): Event[] {
    const all = this.events.filter((event) => event.key === key).reverse();
    const inside = all.filter((event) => event.sequence > start.sequence);
    const before = all[inside.length];
    const isThere = before?.value !== undefined && before.value.expiresAt > start.time;
    if (isThere) return [...inside, before];
    // A delete of nothing leaves no trace.
    while (inside.at(-1)?.value === undefined && inside.length > 0) inside.pop();
    return inside;
  }
}

const shownOf = (events: readonly Event[]): unknown[] =>
  events.map(({ sequence, value }) => ({ sequence, value: value?.text, isDeleted: value === undefined }));
const shown = (versions: readonly KeyVersion<string>[]): unknown[] =>
  versions.map(({ sequence, value, isDeleted }) => ({ sequence, value, isDeleted }));

class World {
  readonly model = new Model();
  readonly clock = new HandClock();
  readonly random: Random;
  readonly #fileSystem = new SimFs();
  db!: Database;
  data!: Keyspace<string, string>;
  #count = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  async open(): Promise<void> {
    const memtableBytes = 4096;
    this.db = await open('/db', {
      fileSystem: this.#fileSystem,
      clock: this.clock,
      keyspaceDefaults: { memtableBytes },
    });
    const retention = this.random.below(2) === 0 ? {} : { retention: { ms: WINDOW_MS } };
    const isNew = this.#count === 0;
    const settings = isNew ? { retention: { ms: WINDOW_MS } } : retention;
    this.data = this.db.keyspace('data', { key: utf8, value: utf8, ...settings });
  }

  close(): Promise<void> {
    return this.db.close();
  }

  write(): void {
    const random = this.random;
    const [db, data] = [this.db, this.data];
    const time = this.clock.time;
    const put = (key: string): Omit<Event, 'sequence' | 'time'> & { ttlMs: number | undefined } => {
      const ttlMs = random.below(4) === 0 ? 1 + random.below(3000) : undefined;
      const expiresAt = ttlMs === undefined ? NEVER : time + ttlMs;
      return { key, value: { text: `${this.#count++}`, expiresAt }, isRange: false, ttlMs };
    };
    const choice = random.below(10);
    if (choice < 6) {
      const keys = KEYS.filter(() => random.below(3) === 0);
      const puts = keys.map(put);
      const batch = db.batch();
      for (const { key, value, ttlMs } of puts) {
        batch.put(data, key, value!.text, ttlMs === undefined ? undefined : { ttlMs });
      }
      if (puts.length > 0) this.model.apply(db.write(batch), time, puts);
    } else if (choice < 8) {
      const key = KEYS[random.below(KEYS.length)]!;
      this.model.apply(data.delete(key), time, [{ key, value: undefined, isRange: false }]);
    } else {
      const from = random.below(KEYS.length - 1);
      const to = from + 1 + random.below(KEYS.length - from - 1);
      const sequence = data.deleteRange({ gte: KEYS[from]!, lt: KEYS[to]! });
      const gone = KEYS.slice(from, to).map((key) => ({ key, value: undefined, isRange: true }));
      this.model.apply(sequence, time, gone);
    }
  }

  async move(): Promise<void> {
    const choice = this.random.below(100);
    if (choice < 70) this.write();
    else if (choice < 85) this.clock.time += this.random.below(300);
    else if (choice < 91) await this.db.flush();
    else if (choice < 95) await this.db.compact();
    else if (choice < 98) check(this);
    else {
      await this.close();
      await this.open();
    }
  }
}

const pairOf = (key: string, value: string | undefined): [string, string][] =>
  value === undefined ? [] : [[key, value]];

function check(world: World): void {
  const { db, data, model, random } = world;
  const start = db.stats().keyspaces['data']!.history!;
  const now = world.clock.time;
  const pick = (): number => start.time + random.below(now - start.time + 1);
  for (let i = 0; i < 5; i++) {
    const time = pick();
    using state = db.at(new Date(time));
    expect(Object.fromEntries(state.range(data))).toEqual(model.at(time));
    expect(Object.fromEntries(KEYS.flatMap((key) => pairOf(key, state.get(data, key))))).toEqual(
      model.at(time),
    );
  }
  for (const key of KEYS) {
    expect(shown(data.history(key))).toEqual(shownOf(model.history(key, start)));
  }
  const [from, to] = [pick(), pick()].sort((a, b) => a - b) as [number, number];
  const [before, after] = [model.at(from), model.at(to)];
  const expected = KEYS.filter((key) => before[key] !== after[key]).map((key) => ({
    keyspace: 'data',
    key,
    before: before[key],
    after: after[key],
  }));
  expect([...db.diff(new Date(from), new Date(to), { keyspace: data })]).toEqual(expected);
  expect(db.stats().snapshots.count).toBe(0);
}

const SEEDS = Number(process.env['VARVE_SEEDS'] ?? 20);
const FIRST = Number(process.env['VARVE_FROM'] ?? 1);
for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
  test(`seed ${seed} shows every state of its window, every version and every difference`, async () => {
    const world = new World(seed);
    await world.open();
    for (let i = 0; i < 400; i++) await world.move();
    check(world);
    await world.close();
    expect(world.model.states.length).toBeGreaterThan(10);
  });
}
