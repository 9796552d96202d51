/**
 * When the disk fails: the first failed fsync, log write or manifest write stops all writing for good (poison), reads go
 * on, and a new open recovers what was promised. A full disk in disk-full.test.ts, damaged tables in damaged-files.test.ts.
 */
import { type Database, type DatabaseOptions, type Keyspace, utf8, VarveError } from 'varve';
import { type Components, FaultFs, type FaultRule, MemoryFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal, refusal } from './refusal.ts';

interface World {
  readonly db: Database;
  readonly fs: FaultFs;
  readonly disk: MemoryFs;
  readonly time: ManualScheduler;
  readonly data: Keyspace<string, string>;
  /** Causes that 'poison' events told. */
  readonly poisonings: unknown[];
}

async function world(
  options: DatabaseOptions = {},
  disk = new MemoryFs(),
  components: Components = {},
): Promise<World> {
  const fs = new FaultFs(disk);
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual', ...options }, components);
  onTestFinished(() => db.close().catch(() => undefined));
  const poisonings: unknown[] = [];
  db.events.addEventListener('poison', (event) =>
    poisonings.push((event as CustomEvent<{ cause: unknown }>).detail.cause),
  );
  const data = db.keyspace('data', { key: utf8, value: utf8 });
  data.put('before', 'safe');
  db.syncNow();
  await time.settle();
  return { db, fs, disk, time, data, poisonings };
}

/** Every way to write says POISONED with the first cause; every way to read works; close does; a new open recovers. */
async function expectPoisoned(poisoned: World, system: string): Promise<Database> {
  const { db, data, disk, fs, time, poisonings } = poisoned;
  await time.settle();
  fs.heal();
  expect(poisonings).toHaveLength(1);
  const first = poisonings[0] as VarveError;
  expect(first).toBeInstanceOf(VarveError);
  expect(causes(first).some((cause) => (cause as { code?: string }).code === system)).toBe(true);
  const sequence = db.stats().sequence;
  const batch = db.batch().put(data, 'later', 'x');
  const writes: (() => unknown)[] = [
    () => data.put('later', 'x'),
    () => data.put('later', 'x', { durability: 'memory' }),
    () => data.put('later', 'x', { durability: 'disk' }),
    () => data.delete('before'),
    () => data.deleteRange({ gte: 'a', lt: 'z' }),
    () => data.putIfAbsent('later', 'x'),
    () => data.update('later', () => 'x'),
    () => db.write(batch),
    () => db.keyspace('new'),
    () => db.dropKeyspace('data'),
    () => db.sync(),
    () => db.sync('os'),
    () => db.syncNow(),
    () => db.flush(),
    () => db.compact(),
    () => db.checkpoint('/copy'),
  ];
  for (const write of writes) {
    const error = await expectRefusal(() => time.run(Promise.resolve().then(write)), 'POISONED', 'io');
    expect(error.cause).toBe(first);
  }
  expect({ count: batch.count, sequence: db.stats().sequence }).toEqual({ count: 1, sequence });
  expect(data.get('before')).toBe('safe');
  expect([...data.range()].length).toBe(data.count());
  const snapshot = db.snapshot();
  expect(snapshot.get(data, 'before')).toBe('safe');
  snapshot.close();
  expect(db.keyspaces()).toEqual(['data']);
  await time.run(db.close());
  const again = await new ManualScheduler().open('/db', { fileSystem: disk });
  onTestFinished(() => again.close());
  expect(again.keyspace('data', { key: utf8, value: utf8 }).get('before')).toBe('safe');
  again.keyspace('data', { key: utf8, value: utf8 }).put('after', 'works');
  return again;
}

function causes(error: unknown): unknown[] {
  const found: unknown[] = [];
  for (let at = error; at !== undefined; at = (at as Error).cause) found.push(at);
  return found;
}

const texts = (db: Database): Keyspace<string, string> => db.keyspace('data', { key: utf8, value: utf8 });

describe('a failed fsync of the log', () => {
  test('in the background rejects everybody who waits', async () => {
    const poisoned = await world();
    const { data, db, fs, time } = poisoned;
    fs.add({ kind: 'failedSync', path: '.wal', times: 1 });
    const waiting = [
      data.put('a', '1', { durability: 'disk' }),
      data.put('b', '2', { durability: 'disk' }),
      db.sync(),
      db.write(db.batch().put(data, 'c', '3'), { durability: 'disk', deadlineMs: 5000 }),
    ];
    for (const promise of waiting) {
      const error = await expectRefusal(() => time.run(promise), 'POISONED', 'io');
      expect(error.context['first']).toContain('.wal');
    }
    // They were applied, and who reads them now may lose them at the next crash: the writers know.
    expect([...data.range().keys()]).toEqual(['a', 'b', 'before', 'c']);
    await expectPoisoned(poisoned, 'EIO');
  });

  test('asked for by the strategy, with nobody waiting, stops the next write', async () => {
    const poisoned = await world({ sync: { everyN: 2 } });
    poisoned.fs.add({ kind: 'failedSync', path: '.wal', times: 1 });
    poisoned.data.put('a', '1');
    poisoned.data.put('b', '2');
    await poisoned.time.settle();
    await expectPoisoned(poisoned, 'EIO');
  });

  test('in syncNow is thrown there', async () => {
    const poisoned = await world();
    poisoned.fs.add({ kind: 'failedSync', path: '.wal', times: 1 });
    poisoned.data.put('a', '1');
    await expectRefusal(() => poisoned.db.syncNow(), 'SYNC_FAILED', 'io');
    await expectPoisoned(poisoned, 'EIO');
  });

  test('under everyWrite is thrown by the put, which shows nothing', async () => {
    const poisoned = await world({ sync: 'everyWrite' });
    poisoned.fs.add({ kind: 'failedSync', path: '.wal', times: 1 });
    await expectRefusal(() => poisoned.data.put('a', '1'), 'SYNC_FAILED', 'io');
    expect(poisoned.data.has('a')).toBe(false);
    await expectPoisoned(poisoned, 'EIO');
  });

  test('counts as failed also when the system calls it a full disk', async () => {
    for (const options of [{}, { sync: 'everyWrite' }] as const) {
      const poisoned = await world(options);
      poisoned.fs.add({ kind: 'ENOSPC', operations: ['dataSync'], path: '.wal', times: 1 });
      const error = await refusal(() => poisoned.time.run(put(poisoned.data)));
      expect(['POISONED', 'SYNC_FAILED']).toContain(error.code);
      await expectPoisoned(poisoned, 'ENOSPC');
    }
  });

  test('of the directory of a new segment counts too', async () => {
    // An open begins a new segment at its first write.
    const poisoned = await reopened(await world());
    poisoned.fs.add({ kind: 'failedSync', operations: ['syncDirectory'], times: 1 });
    await expectRefusal(() => poisoned.time.run(put(poisoned.data)), 'POISONED', 'io');
    await expectPoisoned(poisoned, 'EIO');
  });
});

describe('a failed write of the log', () => {
  const atEndOfTurn: FaultRule = { kind: 'EIO', operations: ['write'], path: '.wal', times: 1 };

  test('at the end of the turn stops the next write', async () => {
    const poisoned = await world();
    poisoned.fs.add(atEndOfTurn);
    poisoned.data.put('a', '1');
    await poisoned.time.turn();
    await expectPoisoned(poisoned, 'EIO');
  });

  test('in a microtask rejects the awaited writes', async () => {
    const poisoned = await world();
    poisoned.fs.add(atEndOfTurn);
    await expectRefusal(() => poisoned.data.put('a', '1', { durability: 'os' }), 'POISONED', 'io');
    await expectPoisoned(poisoned, 'EIO');
  });

  test('inside a put is thrown by it, and poisons as well', async () => {
    for (const large of [70_000, 2_000_000]) {
      const poisoned = await world();
      const { data, fs, db } = poisoned;
      fs.add(atEndOfTurn);
      const sequence = db.stats().sequence;
      await expectRefusal(() => data.put('large', 'x'.repeat(large)), 'IO_ERROR', 'io', { system: 'EIO' });
      expect({ has: data.has('large'), sequence: db.stats().sequence }).toEqual({ has: false, sequence });
      await expectPoisoned(poisoned, 'EIO');
    }
  });

  test('when a segment is begun is thrown by the put that needed it', async () => {
    const poisoned = await reopened(await world());
    poisoned.fs.add({ kind: 'EIO', operations: ['create'], path: '.wal', times: 1 });
    await expectRefusal(() => poisoned.data.put('a', '1'), 'IO_ERROR', 'io', { system: 'EIO' });
    await expectPoisoned(poisoned, 'EIO');
  });
});

describe('a failed install', () => {
  for (const rule of [
    { kind: 'EIO', operations: ['write'], path: 'MANIFEST', times: 1 },
    { kind: 'failedSync', path: 'MANIFEST', times: 1 },
    { kind: 'ENOSPC', operations: ['sync'], path: 'MANIFEST', times: 1 },
  ] as const satisfies FaultRule[]) {
    test(`of a flush poisons: ${rule.kind} in ${'operations' in rule ? rule.operations[0] : 'sync'}`, async () => {
      const poisoned = await world();
      const { data, db, fs, time } = poisoned;
      data.put('flushed', 'v');
      fs.add(rule);
      await expectRefusal(() => time.run(db.flush()), 'POISONED', 'io');
      expect(data.get('flushed')).toBe('v');
      const again = await expectPoisoned(poisoned, rule.kind === 'ENOSPC' ? 'ENOSPC' : 'EIO');
      expect(texts(again).get('flushed')).toBe('v');
    });
  }

  test('of a compaction poisons, and whoever asked for it hears so', async () => {
    const poisoned = await world();
    const { data, db, fs, time } = poisoned;
    for (const round of ['1', '2']) {
      for (let i = 0; i < 20; i++) data.put(`k${i}`, round);
      await time.run(db.flush());
    }
    fs.add({ kind: 'failedSync', path: 'MANIFEST', times: 1 });
    await expectRefusal(() => time.run(db.compact()), 'POISONED', 'io');
    const again = await expectPoisoned(poisoned, 'EIO');
    expect(texts(again).count()).toBe(22);
  });

  test('of a keyspace leaves it in the log: it is there after the next open', async () => {
    const poisoned = await world();
    const { db, fs, time } = poisoned;
    fs.add({ kind: 'failedSync', path: 'MANIFEST', times: 1 });
    const other = db.keyspace('other', { key: utf8, value: utf8 });
    other.put('a', '1');
    await db.sync('os');
    await time.settle();
    await expectRefusal(() => other.put('b', '2'), 'POISONED', 'io');
    expect(other.get('a')).toBe('1');
    await time.run(db.close());
    const again = await new ManualScheduler().open('/db', { fileSystem: poisoned.disk });
    onTestFinished(() => again.close());
    expect(again.keyspace('other', { key: utf8, value: utf8 }).get('a')).toBe('1');
  });

  test('no edit is written once an fsync has failed elsewhere', async () => {
    const poisoned = await world({}, new MemoryFs(), { sliceMs: 0 });
    const { data, db, fs, time } = poisoned;
    await time.settle();
    let logSynced = false;
    const manifest = (): number => {
      const name = fs.list('/db').find((each) => each.startsWith('MANIFEST'))!;
      return fs.status(`/db/${name}`)!.size;
    };
    const before = manifest();
    data.put('flushed', 'v');
    const flushed = refusal(() => db.flush());
    fs.add({ kind: 'latency', operations: ['dataSync'], path: '.wal' });
    // Steps of the job until it has synced the log; the manifest would be the next.
    for (let i = 0; i < 200 && !logSynced; i++) {
      await time.turn();
      logSynced = fs.injected.latency > 0;
    }
    expect({ logSynced, grown: manifest() - before }).toEqual({ logSynced: true, grown: 0 });
    data.put('other', 'v');
    fs.add({ kind: 'failedSync', path: '.wal', times: 1 });
    await expectRefusal(() => db.syncNow(), 'SYNC_FAILED', 'io');
    await time.settle();
    expect((await flushed).code).toBe('POISONED');
    expect(manifest()).toBe(before);
    await expectPoisoned(poisoned, 'EIO');
  });
});

describe('a failed table', () => {
  test('of a flush poisons; the part of a table is removed, and the log has everything', async () => {
    for (const rule of [
      { kind: 'EIO', operations: ['write'], path: '.sst', times: 1 },
      { kind: 'EIO', operations: ['create'], path: '.sst', times: 1 },
      { kind: 'failedSync', path: '.sst', times: 1 },
    ] as const satisfies FaultRule[]) {
      const poisoned = await world();
      const { data, db, fs, time, disk } = poisoned;
      for (let i = 0; i < 100; i++) data.put(`k${i}`, 'v');
      fs.add(rule);
      await expectRefusal(() => time.run(db.flush()), 'POISONED', 'io');
      expect(disk.list('/db').filter((name) => name.endsWith('.sst'))).toEqual([]);
      const again = await expectPoisoned(poisoned, 'EIO');
      expect(texts(again).count()).toBe(102);
    }
  });

  test('of a compaction stops that keyspace from compacting, with a warning, and nothing else', async () => {
    const { data, db, fs, time } = await world();
    const other = db.keyspace('other', { key: utf8, value: utf8 });
    const warnings: { code: string; message: string }[] = [];
    db.events.addEventListener('warning', (event) =>
      warnings.push((event as CustomEvent<{ code: string; message: string }>).detail),
    );
    for (const round of ['1', '2']) {
      for (let i = 0; i < 20; i++) data.put(`k${i}`, round);
      await time.run(db.flush());
    }
    fs.add({ kind: 'EIO', operations: ['write'], path: '.sst', times: 1 });
    const error = await expectRefusal(() => time.run(db.compact()), 'IO_ERROR', 'io', { keyspace: 'data' });
    expect(causes(error).some((cause) => (cause as { code?: string }).code === 'EIO')).toBe(true);
    await time.settle();
    expect(warnings).toEqual([{ code: 'COMPACTION_FAILED', message: expect.stringContaining("'data'") }]);
    data.put('k1', '3');
    other.put('a', '1');
    await time.run(db.flush());
    await time.run(db.compact({ keyspace: 'other' }));
    expect([data.get('k1'), data.get('k2'), other.get('a'), data.count()]).toEqual(['3', '2', '1', 21]);
  });
});

test('writes that wait for room are rejected by poison as well', async () => {
  const poisoned = await world({ pressure: 'block', memoryBytesMax: 1024 ** 2 });
  const { data, fs, time, db } = poisoned;
  const removeRule = fs.add({ kind: 'ENOSPC', operations: ['create'], path: '.sst' });
  const value = 'x'.repeat(10_000);
  let refused: VarveError | undefined;
  for (let i = 0; i < 200 && refused === undefined; i++) {
    await time.settle();
    try {
      data.put(`k${i}`, value);
    } catch (error) {
      refused = error as VarveError;
    }
  }
  expect(refused).toMatchObject({ code: 'BUSY', kind: 'busy' });
  const waiting = refusal(() => data.put('waits', value, { durability: 'disk' }));
  await time.settle();
  removeRule();
  fs.add({ kind: 'EIO', operations: ['create'], path: '.sst', times: 1 });
  await time.advance(1000);
  expect((await waiting).code).toBe('POISONED');
  expect(db.stats().pressure.state).not.toBe('none');
  await expectPoisoned(poisoned, 'EIO');
});

async function put(data: Keyspace<string, string>): Promise<number> {
  return data.put('x', 'y', { durability: 'disk' });
}

/** The same disk in a next life, before its first write. */
async function reopened(before: World): Promise<World> {
  await before.time.run(before.db.close());
  const fs = new FaultFs(before.disk);
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual' });
  onTestFinished(() => db.close().catch(() => undefined));
  const poisonings: unknown[] = [];
  db.events.addEventListener('poison', (event) =>
    poisonings.push((event as CustomEvent<{ cause: unknown }>).detail.cause),
  );
  await time.settle();
  return { db, fs, disk: before.disk, time, data: texts(db), poisonings };
}
