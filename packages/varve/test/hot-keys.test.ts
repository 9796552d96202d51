/**
 * Keys that are read again and again, which the row cache answers for: whatever happens to them between two reads, every
 * read is right, at every sequence.
 */
import { type Batch, type Keyspace, type Snapshot, utf8 } from 'varve';
import { Random, SimFs } from 'varve/testing';
import { expect, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';

const KEYS = 60;
const SPACES = ['one', 'two'];
const nameOf = (index: number): string => `key ${String(index).padStart(3, '0')}`;

type State = ReadonlyMap<string, string>;

interface View {
  readonly state: State;
  readonly snapshot: Snapshot | undefined;
}

for (const seed of [1, 2, 3, 4]) {
  test(`every read of a hot key is right through writes, range deletes, flushes and compactions (seed ${seed})`, async () => {
    const random = new Random(seed);
    const time = new ManualScheduler();
    const db = await time.open('/db', { fileSystem: new SimFs(), cacheBytesMax: 512 * 1024, sync: 'manual' });
    const spaces = SPACES.map((name) => db.keyspace(name, { key: utf8, value: utf8 }));
    let now: State = new Map();
    const past: View[] = [];

    const write = (): void => {
      const next = new Map(now);
      const batch: Batch = db.batch();
      for (let i = 0; i <= random.below(3); i++) change(batch, next);
      db.write(batch);
      now = next;
    };
    const change = (batch: Batch, next: Map<string, string>): void => {
      const at = random.below(SPACES.length);
      const space = spaces[at]!;
      const index = random.below(KEYS);
      const key = nameOf(index);
      if (random.oneIn(6)) {
        const lt = nameOf(index + 1 + random.below(6));
        batch.deleteRange(space, { gte: key, lt });
        for (const name of next.keys()) {
          if (name >= `${at} ${key}` && name < `${at} ${lt}`) next.delete(name);
        }
      } else if (random.oneIn(4)) {
        batch.delete(space, key);
        next.delete(`${at} ${key}`);
      } else {
        const value = `${random.below(1e6)} ${'v'.repeat(random.below(40))}`;
        batch.put(space, key, value);
        next.set(`${at} ${key}`, value);
      }
    };
    const read = ({ state, snapshot }: View, times: number): void => {
      for (let i = 0; i < times; i++) {
        const at = random.below(SPACES.length);
        const space: Keyspace<string, string> = spaces[at]!;
        const key = nameOf(random.below(KEYS));
        const got = snapshot === undefined ? space.get(key) : snapshot.get(space, key);
        const wanted = state.get(`${at} ${key}`);
        if (got !== wanted) expect.fail(`${at} ${key}: ${got}, wanted ${wanted}`);
      }
    };

    for (let step = 0; step < 300; step++) {
      if (!random.oneIn(3)) write();
      if (random.oneIn(6)) await time.run(db.flush());
      if (random.oneIn(25)) await time.run(db.compact());
      if (random.oneIn(8)) past.push({ state: now, snapshot: db.snapshot() });
      if (past.length > 3 || (past.length > 0 && random.oneIn(20))) past.shift()!.snapshot!.close();
      read({ state: now, snapshot: undefined }, 400);
      for (const view of past) read(view, 50);
    }
    for (const { snapshot } of past) snapshot!.close();
    expect([...spaces[0]!.range()].length + [...spaces[1]!.range()].length).toBe(now.size);
    await time.run(db.close());
  });
}
