/**
 * Range deletes, snapshots and everything that gives space back, against a sorted map for each state that may be read: tables
 * that range tombstones cover go without being read, so what decides about them has nobody who would notice a mistake.
 */
import { type Keyspace, type Snapshot, utf8 } from 'varve';
import { FaultFs, MemoryFs, Random } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { key, small } from './small-tables.ts';

const KEYS = 120;

interface Seen {
  readonly snapshot: Snapshot;
  readonly state: ReadonlyMap<string, string>;
}

interface World {
  readonly data: Keyspace<string, string>;
  readonly state: Map<string, string>;
  readonly seen: Seen[];
}

/** Every state as the database shows it, against the map of it. */
function problem({ data, state, seen }: World): string | undefined {
  const states: readonly (readonly [string, Iterable<[string, string]>, ReadonlyMap<string, string>])[] = [
    ['the latest', data.range(), state],
    ...seen.map(
      (each) => [`snapshot ${each.snapshot.sequence}`, each.snapshot.range(data), each.state] as const,
    ),
  ];
  for (const [name, found, wanted] of states) {
    const got = JSON.stringify([...found]);
    const should = JSON.stringify([...wanted].sort(([a], [b]) => (a < b ? -1 : 1)));
    if (got !== should) return `${name}: got ${got}, should be ${should}`;
  }
  return undefined;
}

async function live(seed: number): Promise<{ drops: number; problem: string | undefined }> {
  const random = new Random(seed);
  const time = new ManualScheduler();
  const disk = new MemoryFs();
  const strategies = ['leveled', 'tiered', 'hybrid'] as const;
  const open = (): ReturnType<ManualScheduler['open']> =>
    time.open('/db', { fileSystem: disk, sync: 'manual', defragment: { intervalMs: 1000 } });
  let db = await open();
  onTestFinished(() => db.close().catch(() => undefined));
  const options = {
    ...small,
    tableBytes: 4096,
    compaction: { strategy: strategies[seed % 3]!, ...(seed % 3 === 0 && { level0Files: 2 + (seed % 4) }) },
  };
  let drops = 0;
  const listen = (): void =>
    db.events.addEventListener('compaction', (event) => {
      if ((event as CustomEvent<{ reason: string }>).detail.reason === 'covered') drops++;
    });
  listen();
  const world = { data: db.keyspace('data', options), state: new Map<string, string>(), seen: [] as Seen[] };
  for (let step = 0; step < 250; step++) {
    const { state, seen } = world;
    const move = random.below(100);
    const at = random.below(KEYS);
    if (move < 50) {
      for (let i = at; i < Math.min(KEYS, at + 1 + random.below(20)); i++) {
        const value = `${step}.${'v'.repeat(random.below(200))}`;
        world.data.put(key(i), value);
        state.set(key(i), value);
      }
    } else if (move < 58) {
      world.data.delete(key(at));
      state.delete(key(at));
    } else if (move < 70) {
      // Many that touch: then several together cover a table, and a snapshot may be between them.
      const isAligned = random.oneIn(2);
      const from = isAligned ? at - (at % 40) : at;
      const to = isAligned ? from + 40 : at + 1 + random.below(random.oneIn(3) ? KEYS : 30);
      world.data.deleteRange({ gte: key(from), lt: key(to) });
      for (let i = from; i < to; i++) state.delete(key(i));
    } else if (move < 78) seen.push({ snapshot: db.snapshot(), state: new Map(state) });
    else if (move < 84 && seen.length > 0) seen.splice(random.below(seen.length), 1)[0]!.snapshot.close();
    else if (move < 94) await time.run(db.flush());
    else if (move < 97) await time.advance(random.below(5000));
    else if (move < 98) await time.run(db.compact());
    else if (move < 99) await time.run(db.reclaim());
    else if (random.oneIn(2)) {
      for (const { snapshot } of seen.splice(0)) snapshot.close();
      await time.run(db.close());
      db = await open();
      listen();
      world.data = db.keyspace('data', options);
    }
    if (step % 5 === 0) {
      const found = problem(world);
      if (found !== undefined) return { drops, problem: `seed ${seed}, step ${step}: ${found}` };
    }
  }
  await time.advance(60_000);
  const found = problem(world);
  for (const { snapshot } of world.seen.splice(0)) snapshot.close();
  return { drops, problem: found ?? problem(world) };
}

test('whatever is dropped, every snapshot and the latest state show what they should', async () => {
  let drops = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const outcome = await live(seed);
    expect(outcome.problem).toBeUndefined();
    drops += outcome.drops;
  }
  expect(drops).toBeGreaterThan(5);
});

test('a table of which a snapshot sees a part deleted and a part not stays until the snapshot is closed', async () => {
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: new MemoryFs(), sync: 'manual' });
  onTestFinished(() => db.close());
  const data = db.keyspace('data', { key: utf8, value: utf8 });
  for (const name of ['a', 'b', 'c', 'd']) data.put(name, 'v');
  await time.run(db.compact());
  data.deleteRange({ gte: 'a', lt: 'c' });
  const snapshot = db.snapshot();
  data.deleteRange({ gte: 'c', lt: 'e' });
  await time.run(db.flush());
  await time.advance(60_000);
  expect([...snapshot.range(data).keys()]).toEqual(['c', 'd']);
  snapshot.close();
  await time.advance(60_000);
  expect(data.count()).toBe(0);
  expect(db.levels().keyspaces['data']!.levels.flatMap(({ tables }) => tables)).toEqual([]);
});

test('range tombstones of a table that can not be read keep nobody from writing', async () => {
  const time = new ManualScheduler();
  const disk = new MemoryFs();
  const first = await time.open('/db', { fileSystem: disk });
  const options = { key: utf8, value: utf8 };
  const before = first.keyspace('data', options);
  before.put('a', '1');
  await time.run(first.flush());
  // Keeps the table up to here.
  first.snapshot();
  before.deleteRange({ gte: 'a', lt: 'b' });
  await time.run(first.flush());
  await time.run(first.close());
  const fs = new FaultFs(disk);
  fs.add({ kind: 'EIO', operations: ['open'], path: /\.sst$/ });
  const db = await time.open('/db', { fileSystem: fs });
  onTestFinished(() => db.close().catch(() => undefined));
  const data = db.keyspace('data', options);
  data.put('z', '1');
  await time.run(db.flush());
  data.put('zz', '1');
  await time.advance(60_000);
  expect(data.get('zz')).toBe('1');
});
