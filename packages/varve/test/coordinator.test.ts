/** Transactions over several databases: all or none, whatever fails and wherever the power goes. */
import {
  type Coordinator,
  type Database,
  type FileSystem,
  type Keyspace,
  open,
  openCoordinator,
  u64,
  utf8,
} from 'varve';
import { FaultFs, MemoryFs, Random, SimFs, SimulatedCrash } from 'varve/testing';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { inMemory } from './in-memory.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

type Accounts = Keyspace<string, number | bigint>;
type Both = { readonly a: Database; readonly b: Database };

const accounts = (db: Database): Accounts => db.keyspace('accounts', { key: utf8, value: u64 });

async function bank(): Promise<{ databases: Both; coordinator: Coordinator<Both> }> {
  const databases = { a: await inMemory(), b: await inMemory() };
  accounts(databases.a).put('ada', 100);
  accounts(databases.b).put('bob', 0);
  const coordinator = await openCoordinator({ log: databases.a, databases });
  onTestFinished(() => coordinator.close());
  return { databases, coordinator };
}

async function transfer({ a, b }: Both, coordinator: Coordinator<Both>, amount: number): Promise<number> {
  return coordinator.transaction((tx) => {
    const left = Number(tx.a.get(accounts(a), 'ada')) - amount;
    tx.a.put(accounts(a), 'ada', left);
    tx.b.put(accounts(b), 'bob', Number(tx.b.get(accounts(b), 'bob')) + amount);
    return left;
  });
}

const balances = ({ a, b }: Both): unknown[] => [accounts(a).get('ada'), accounts(b).get('bob')];

describe('a transaction over two databases', () => {
  test('is in both of them, and leaves nothing behind', async () => {
    const { databases, coordinator } = await bank();
    expect(await transfer(databases, coordinator, 30)).toBe(70);
    expect(balances(databases)).toEqual([70, 30]);
    for (const db of Object.values(databases)) {
      expect(db.preparedTransactions()).toEqual([]);
      expect(db.stats().transactions.locks).toBe(0);
    }
    // The coordinator's own name is all that it keeps.
    expect(databases.a.keyspace('varve.coordinator').count()).toBe(1);
  });

  test('is in none when the function throws, or one database refuses', async () => {
    const { databases, coordinator } = await bank();
    const { a, b } = databases;
    const failed = coordinator.transaction((tx) => {
      tx.a.put(accounts(a), 'ada', 1);
      throw new Error('changed my mind');
    });
    await expect(failed).rejects.toThrow('changed my mind');
    const lock = b.begin();
    await lock.getForUpdate(accounts(b), 'bob');
    await expectRefusal(
      () =>
        coordinator.transaction(
          (tx) => {
            tx.a.put(accounts(a), 'ada', 1);
            tx.b.put(accounts(b), 'bob', 1);
          },
          { retriesMax: 2 },
        ),
      'KEY_LOCKED',
      'conflict',
    );
    lock.rollback();
    expect(balances(databases)).toEqual([100, 0]);
    expect(a.preparedTransactions()).toEqual([]);
    expect(a.stats().transactions).toMatchObject({ open: 0, locks: 0 });
    await transfer(databases, coordinator, 10);
    expect(balances(databases)).toEqual([90, 10]);
  });

  test('is run again after a conflict, so that transfers side by side lose nothing', async () => {
    const { databases, coordinator } = await bank();
    await Promise.all(Array.from({ length: 8 }, () => transfer(databases, coordinator, 5)));
    expect(balances(databases)).toEqual([60, 40]);
  });

  test('that only reads in one of them goes through, and both open again', async () => {
    const time = new ManualScheduler();
    const disks = { a: new MemoryFs(), b: new MemoryFs() };
    const openBoth = async (): Promise<Both> => ({
      a: await time.open('/a', { fileSystem: disks.a }),
      b: await time.open('/b', { fileSystem: disks.b }),
    });
    const databases = await openBoth();
    const coordinator = await time.run(openCoordinator({ log: databases.b, databases }));
    const moved = coordinator.transaction((tx) => {
      tx.a.get(accounts(databases.a), 'ada');
      tx.b.put(accounts(databases.b), 'bob', 7);
    });
    await time.run(moved);
    await time.run(Promise.all([databases.a.close(), databases.b.close()]));
    const again = await openBoth();
    expect(balances(again)).toEqual([undefined, 7]);
    await time.run(Promise.all([again.a.close(), again.b.close()]));
  });

  test('is not reported as failed when its decision can not be removed', async () => {
    const databases = { a: await inMemory(), b: await inMemory() };
    accounts(databases.a).put('ada', 100);
    accounts(databases.b).put('bob', 0);
    const log = await inMemory();
    const coordinator = await openCoordinator({ log, databases });
    const decisions = log.keyspace('varve.coordinator');
    const remove = vi.spyOn(decisions, 'delete').mockImplementation(() => {
      throw new Error('not now');
    });
    expect(await transfer(databases, coordinator, 30)).toBe(70);
    expect(remove).toHaveBeenCalled();
    remove.mockRestore();
    expect(decisions.count()).toBe(2);
    await coordinator.close();
    await openCoordinator({ log, databases });
    expect(decisions.count()).toBe(1);
  });

  test('of several that want the same keys waits for those before it, on a real disk', async () => {
    const options = { sync: 'manual' } as const;
    const databases = {
      a: await open(temporaryDirectory(), options),
      b: await open(temporaryDirectory(), options),
    };
    onTestFinished(async () => void (await Promise.all([databases.a.close(), databases.b.close()])));
    accounts(databases.a).put('ada', 100);
    accounts(databases.b).put('bob', 0);
    const coordinator = await openCoordinator({ log: databases.a, databases });
    await Promise.all(Array.from({ length: 8 }, () => transfer(databases, coordinator, 5)));
    expect(balances(databases)).toEqual([60, 40]);
    const last = transfer(databases, coordinator, 5);
    await Promise.all([coordinator.close(), coordinator.close(), last]);
  });

  test('leaves out what the function has rolled back itself', async () => {
    const { databases, coordinator } = await bank();
    await coordinator.transaction((tx) => {
      tx.a.put(accounts(databases.a), 'ada', 1);
      tx.b.put(accounts(databases.b), 'bob', 1);
      tx.b.rollback();
    });
    expect(balances(databases)).toEqual([1, 0]);
  });

  test('is refused for what is none', async () => {
    const { databases, coordinator } = await bank();
    const log = databases.a;
    const twice = { databases: { a: log, b: log }, log };
    for (const options of [
      twice,
      {},
      { databases: {}, log },
      { databases },
      { databases, log: {} },
      { databases, log, x: 1 },
    ]) {
      await expectRefusal(() => openCoordinator(options as never), 'OPTION_INVALID', 'invalid');
    }
    await expectRefusal(() => coordinator.transaction(5 as never), 'OPTION_INVALID', 'invalid');
    await expectRefusal(
      () => coordinator.transaction(() => 1, { x: 1 } as never),
      'OPTION_INVALID',
      'invalid',
    );
    await coordinator.close();
    await expectRefusal(() => coordinator.transaction(() => 1), 'CLOSED', 'closed');
  });

  test.each([
    { which: 'a', failed: 'its decision', code: 'OUTCOME_UNKNOWN' },
    { which: 'b', failed: 'the commit of one', code: 'COMMIT_PENDING' },
  ])(
    'of which $failed can not be put on disk says so, and is settled at the next opening',
    async ({ which, code }) => {
      const time = new ManualScheduler();
      const disks = { a: new MemoryFs(), b: new MemoryFs() };
      const faulty = new FaultFs(disks[which as 'a' | 'b']);
      const openBoth = async (on: { a: FileSystem; b: FileSystem }): Promise<Both> => ({
        a: await time.open('/a', { fileSystem: on.a, sync: 'manual' }),
        b: await time.open('/b', { fileSystem: on.b, sync: 'manual' }),
      });
      const databases = await openBoth({ ...disks, [which]: faulty });
      accounts(databases.a).put('ada', 100);
      accounts(databases.b).put('bob', 0);
      const coordinator = await time.run(openCoordinator({ log: databases.a, databases }));
      // The first one is that of its prepare.
      faulty.add({ kind: 'failedSync', operations: ['sync', 'dataSync'], path: '.wal', skip: 1, times: 1 });
      await expectRefusal(() => time.run(transfer(databases, coordinator, 30)), code, 'io');
      await time.run(Promise.allSettled([databases.a.close(), databases.b.close()]));
      const again = await openBoth(disks);
      const settled = await time.run(openCoordinator({ log: again.a, databases: again }));
      expect(settled.recovered.rolledBack).toEqual([]);
      expect(balances(again)).toEqual([70, 30]);
      await time.run(Promise.all([again.a.close(), again.b.close()]));
    },
  );

  test('waits while the disk of the decision is full', async () => {
    const time = new ManualScheduler();
    const faulty = new FaultFs(new MemoryFs());
    const databases = {
      a: await time.open('/a', { fileSystem: new MemoryFs() }),
      b: await time.open('/b', { fileSystem: new MemoryFs() }),
    };
    const log = await time.open('/log', { fileSystem: faulty });
    accounts(databases.a).put('ada', 100);
    accounts(databases.b).put('bob', 0);
    const coordinator = await time.run(openCoordinator({ log, databases }));
    const heal = faulty.add({ kind: 'ENOSPC' });
    const transferred = transfer(databases, coordinator, 30);
    await time.advance(1000);
    expect(balances(databases)).toEqual([100, 0]);
    heal();
    await time.run(transferred);
    expect(balances(databases)).toEqual([70, 30]);
    await time.run(Promise.all([databases.a.close(), databases.b.close(), log.close()]));
  });
});

test('a log is used by one coordinator at a time: a second one would undo what the first has under way', async () => {
  const { databases, coordinator } = await bank();
  const under = transfer(databases, coordinator, 30);
  const other = () => openCoordinator({ log: databases.a, databases });
  await expectRefusal(other, 'COORDINATOR_OPEN', 'conflict', { log: ':memory:' });
  expect(await under).toBe(70);
  await coordinator.close();
  await coordinator.close();
  const next = await other();
  expect(next.recovered).toEqual({ committed: [], rolledBack: [] });
  await next.close();
  // One that could not be opened is in nobody's way.
  await databases.b.close();
  await expectRefusal(other, 'CLOSED', 'closed');
  await expectRefusal(other, 'CLOSED', 'closed');
});

test('refuses what is no database and no number of retries, and has written nothing then', async () => {
  const log = await inMemory();
  for (const a of [5, null, {}] as unknown as Database[]) {
    await expectRefusal(() => openCoordinator({ log, databases: { a } }), 'OPTION_INVALID', 'invalid');
  }
  expect(log.keyspaces()).toEqual([]);
  const { coordinator } = await bank();
  for (const retriesMax of [Number.NaN, -1, 1.5, '3' as unknown as number]) {
    await expectRefusal(() => coordinator.transaction(() => 1, { retriesMax }), 'OPTION_INVALID', 'invalid', {
      option: 'retriesMax',
    });
  }
});

test('a decision that is only in memory is none', async () => {
  const disk = new SimFs();
  const faulty = new FaultFs(disk);
  const time = new ManualScheduler();
  const databases = await open2(time, new MemoryFs());
  const log = await time.open('/log', { fileSystem: faulty, sync: 'manual' });
  const coordinator = await time.run(openCoordinator({ log, databases }));
  faulty.add({ kind: 'failedSync', operations: ['sync', 'dataSync'], path: '.wal' });
  await expectRefusal(() => time.run(transfer(databases, coordinator, 30)), 'OUTCOME_UNKNOWN', 'io');
  await time.run(coordinator.close());
  await expectRefusal(() => time.run(openCoordinator({ log, databases })), 'POISONED', 'io');
  expect(databases.a.preparedTransactions()).toHaveLength(1);
  expect(balances(databases)).toEqual([100, 0]);
  await time.run(Promise.allSettled([databases.a.close(), databases.b.close(), log.close()]));
});

async function open2(time: ManualScheduler, fileSystem: FileSystem): Promise<Both> {
  const databases = {
    a: await time.open('/a', { fileSystem }),
    b: await time.open('/b', { fileSystem }),
  };
  accounts(databases.a).put('ada', 100);
  accounts(databases.b).put('bob', 0);
  return databases;
}

test('the power goes at every step: after it both databases have it or none has, and what was resolved is there', async () => {
  let crashes = 0;
  const outcomes = new Set<string>();
  for (let at = 1; ; at++) {
    const fs = new SimFs();
    const time = new ManualScheduler();
    const sync = 'manual';
    const openBoth = async (on: SimFs): Promise<Both> => ({
      a: await time.open('/a', { fileSystem: on, sync }, { sliceMs: 0 }),
      b: await time.open('/b', { fileSystem: on, sync }, { sliceMs: 0 }),
    });
    const databases = await openBoth(fs);
    accounts(databases.a).put('ada', 100);
    accounts(databases.b).put('bob', 0);
    const coordinator = await time.run(openCoordinator({ log: databases.a, databases }));
    await time.run(databases.b.sync());
    let operations = 0;
    fs.onOperation = () => {
      if (++operations === at) throw new SimulatedCrash();
    };
    let isResolved = false;
    let isOver = false;
    void transfer(databases, coordinator, 30).then(
      () => (isResolved = isOver = true),
      () => (isOver = true),
    );
    try {
      while (!isOver && !fs.stopped) await time.turn();
    } catch (error) {
      if (!(error instanceof SimulatedCrash)) throw error;
    }
    if (!fs.stopped) {
      expect(isResolved).toBe(true);
      break;
    }
    crashes++;
    for (let seed = 0; seed < 16; seed++) {
      const left = fs.crash(new Random(1000 * at + seed));
      const again = await openBoth(left);
      const prepared = again.a.preparedTransactions().length + again.b.preparedTransactions().length;
      const settled = await time.run(openCoordinator({ log: again.a, databases: again }));
      const total = balances(again).map(Number);
      expect([
        [100, 0],
        [70, 30],
      ]).toContainEqual(total);
      if (isResolved) expect(total).toEqual([70, 30]);
      for (const db of Object.values(again)) expect(db.preparedTransactions()).toEqual([]);
      expect(again.a.keyspace('varve.coordinator').count()).toBe(1);
      expect(settled.recovered.committed.length + settled.recovered.rolledBack.length).toBe(prepared);
      outcomes.add(`${prepared} prepared, ${total[1] === 30 ? 'committed' : 'rolled back'}`);
      await time.run(transfer(again, settled, 1));
      expect(balances(again).map(Number)).toEqual([total[0]! - 1, total[1]! + 1]);
      await time.run(Promise.all([again.a.close(), again.b.close()]));
    }
  }
  expect(crashes).toBeGreaterThan(8);
  expect([...outcomes].sort()).toEqual([
    '0 prepared, committed',
    '0 prepared, rolled back',
    '1 prepared, committed',
    '1 prepared, rolled back',
    '2 prepared, committed',
    '2 prepared, rolled back',
  ]);
});
