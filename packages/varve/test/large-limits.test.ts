/**
 * Transactions that are larger than a batch, at their limits: what ends one in its last moment, what it takes of memory and of
 * the event loop, and what it says when it can not have something.
 */
import { utf8 } from 'varve';
import { SimFs } from 'varve/testing';
import { expect, onTestFinished, test, vi } from 'vitest';
import { bytes } from './in-memory.ts';
import { codecs, type Data, entries, largeWorld, putAll, smallBatches } from './large-world.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal, refusal } from './refusal.ts';
import { key } from './small-tables.ts';

const wanted = entries(0, 300, 'new');

/** Its timers can be made to end whenever a test wants it. */
class Timers extends ManualScheduler {
  readonly #tasks = new Map<number, () => void>();

  override after(ms: number, task: () => void): ReturnType<ManualScheduler['after']> {
    this.#tasks.set(ms, task);
    return super.after(ms, task);
  }

  has(ms: number): boolean {
    return this.#tasks.has(ms);
  }

  end(ms: number): void {
    this.#tasks.get(ms)!();
  }
}

const tables = (fs: SimFs): string[] => fs.list('/db').filter((name) => name.endsWith('.sst'));

test('a rollback that comes when its tables are made, and before they are committed, is one', async () => {
  const outcomes = new Set<string>();
  for (let late = 0; late < 40; late++) {
    const fs = new SimFs();
    const time = new ManualScheduler();
    const db = await time.open('/db', { fileSystem: fs, ...smallBatches, sync: 'manual' }, { sliceMs: 0 });
    const a = db.keyspace('a', codecs);
    await time.run(db.flush());
    const { sequence } = db.stats();
    const tx = db.begin();
    putAll(tx, a, wanted);
    let expected = '';
    const rollback = (after: number): void => {
      if (after > 0) {
        queueMicrotask(() => rollback(after - 1));
        return;
      }
      expected = db.stats().sequence > sequence ? 'committed' : 'TRANSACTION_ENDED';
      tx.rollback();
    };
    // The last thing that the job does.
    fs.onOperation = (operation) => {
      if (operation !== 'syncDirectory' || tables(fs).length === 0) return;
      fs.onOperation = undefined;
      rollback(late);
    };
    const outcome = await time.run(
      tx.commit({ durability: 'memory' }).then(
        () => 'committed',
        (error: { code: string }) => error.code,
      ),
    );
    expect([late, outcome]).toEqual([late, expected]);
    expect(a.count()).toBe(outcome === 'committed' ? wanted.length : 0);
    outcomes.add(outcome);
    await time.run(db.close());
  }
  expect(outcomes.size).toBe(2);
});

test('a timeout ends it while its tables are made, and leaves nothing', async () => {
  const fs = new SimFs();
  const time = new Timers();
  const db = await time.open('/db', { fileSystem: fs, ...smallBatches }, { sliceMs: 0 });
  onTestFinished(() => time.run(db.close()));
  const a = db.keyspace('a', codecs);
  let runs = 0;
  const running = db.transaction(
    (tx) => {
      runs++;
      putAll(tx, a, wanted);
    },
    { timeoutMs: 12_345 },
  );
  const refused = expectRefusal(() => running, 'TRANSACTION_TIMEOUT', 'busy', { timeoutMs: 12_345 });
  while (tables(fs).length === 0) await time.turn();
  time.end(12_345);
  await time.run(refused);
  await time.settle();
  expect([runs, a.count(), tables(fs)]).toEqual([1, 0, []]);
  expect(db.stats().transactions).toMatchObject({ open: 0, large: 0, rolledBack: 1 });
  await time.run(db.transaction((tx) => putAll(tx, a, wanted), { timeoutMs: 12_345 }));
  // Behind the commit it says nothing any more.
  time.end(12_345);
  expect([...a.range()]).toEqual(wanted);
});

test('writers that never leave its keys are named by their keyspace when it gives up', async () => {
  const time = new Timers();
  const db = await time.open(':memory:', { ...smallBatches, pressure: 'fail' }, { sliceMs: 0 });
  onTestFinished(() => time.run(db.close()));
  const [a, b] = ['a', 'b'].map((name) => db.keyspace(name, codecs)) as [Data, Data];
  const tx = db.begin({ isolation: 'snapshot' });
  putAll(tx, a, wanted);
  putAll(tx, b, wanted);
  const refused = refusal(() => tx.commit({ durability: 'memory' }));
  let isHeld = false;
  while (!isHeld) {
    try {
      b.put(`${key(5)} beside`, 'x');
    } catch {
      isHeld = true;
    }
    if (!isHeld) await time.turn();
  }
  time.end(2000);
  const error = await time.run(refused);
  expect(error).toMatchObject({ code: 'INGEST_BUSY', kind: 'busy', context: { keyspaces: ['b'] } });
  expect(error.message).toContain("keyspace 'b'");
  expect(error.message).not.toContain('ingest');
  expect(a.count()).toBe(0);
  b.put('free', 'again');
});

test('merges of its keys are joined between turns of the event loop', async () => {
  const time = new ManualScheduler();
  const db = await time.open(':memory:', smallBatches, { sliceMs: 0 });
  onTestFinished(() => time.run(db.close()));
  let turn = 0;
  const turns = new Set<number>();
  const sums = db.keyspace('sums', {
    key: utf8,
    value: utf8,
    mergeOperator: {
      name: 'last',
      version: '1',
      merge: (_: Uint8Array, __: unknown, operands: readonly Uint8Array[]) => {
        turns.add(turn);
        // Lent until the next call, as an operator may do it.
        lent.fill(32);
        lent.set(operands.at(-1)!);
        return lent;
      },
    },
  });
  const lent = bytes(' '.repeat(600_000));
  const tx = db.begin();
  for (let i = 0; i < 8; i++) {
    tx.put(sums, key(i), 'old');
    tx.merge(sums, key(i), 'older');
    tx.merge(sums, key(i), `new ${i}`);
    tx.merge(sums, `${key(i)} alone`, 'x'.repeat(600));
  }
  let isOver = false;
  const committing = tx.commit({ durability: 'memory' }).finally(() => (isOver = true));
  for (; !isOver; turn++) await time.turn();
  await committing;
  expect(turns.size).toBeGreaterThan(2);
  for (let i = 0; i < 8; i++) expect(sums.get(key(i))!.trim()).toBe(`new ${i}`);
});

test('its keyspaces share the memory that their tables are made of', async () => {
  const { db } = await largeWorld();
  const keyspaces = Array.from({ length: 12 }, (_, i) => db.keyspace(`k${i}`, codecs));
  const made: number[] = [];
  class Counted extends SharedArrayBuffer {
    constructor(length: number) {
      super(length);
      made.push(length);
    }
  }
  vi.stubGlobal('SharedArrayBuffer', Counted);
  onTestFinished(() => void vi.unstubAllGlobals());
  await db.transaction((tx) => {
    for (const data of keyspaces) putAll(tx, data, wanted);
  });
  expect(made.filter((length) => length >= 1024 * 1024)).toHaveLength(1);
  for (const data of keyspaces) expect([...data.range()]).toEqual(wanted);
});

test('memory that the system does not give is named, and refuses what was asked alone', async () => {
  const { db, a } = await largeWorld();
  const tx = db.begin();
  putAll(tx, a, wanted);
  const givenMax = (numbersMax: number): void => {
    class Short extends Int32Array {
      constructor(length: number) {
        if (length > numbersMax) throw new RangeError('Array buffer allocation failed');
        super(length);
      }
    }
    vi.stubGlobal('Int32Array', Short);
  };
  onTestFinished(() => void vi.unstubAllGlobals());
  givenMax(1000);
  let more = 300;
  const refused = expectRefusal(
    () => {
      for (; ; more++) tx.put(a, key(more), 'more');
    },
    'OUT_OF_MEMORY',
    'busy',
  );
  await refused;
  // All but the one that was refused.
  expect(tx.savepoint().operations).toBe(more);
  expect(tx.get(a, key(more))).toBeUndefined();
  expect([...tx.range(a)]).toHaveLength(more);
  await expectRefusal(() => tx.commit({ durability: 'memory' }), 'OUT_OF_MEMORY', 'busy');
  expect(a.count()).toBe(0);
  vi.unstubAllGlobals();
  await db.transaction((again) => putAll(again, a, wanted));
  expect([...a.range()]).toEqual(wanted);
});
