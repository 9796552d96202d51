/** Tables of locks in one thread and in several: the same suite, and the same outcomes of the same requests. */
import { expect, test } from 'vitest';
import { ManualScheduler } from '../../test/manual-scheduler.ts';
import { LockMemory, loneThread } from './lock-threads.suite.ts';
import { type LockWorld, outcomesOf, testLockTable } from './lock-table.suite.ts';

function oneThread(): LockWorld {
  const time = new ManualScheduler();
  const { table } = loneThread(time);
  return { tables: [table, table, table], time };
}

function oneThatShares(): LockWorld {
  const memory = new LockMemory();
  const { table } = memory.thread();
  return { tables: [table, table, table], time: memory.time };
}

function threeThreads(): LockWorld {
  const memory = new LockMemory();
  const [a, b, c] = [memory.thread(), memory.thread(), memory.thread()];
  return { tables: [a.table, b.table, c.table], time: memory.time };
}

testLockTable('a thread that has the database to itself', oneThread);
testLockTable('one thread of a shared database', oneThatShares);
testLockTable('three threads of a shared database', threeThreads);

test('three threads decide as one would', () => {
  let deadlocks = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const alone = outcomesOf(oneThread().tables, seed, 120);
    expect(outcomesOf(threeThreads().tables, seed, 120)).toEqual(alone);
    expect(outcomesOf(oneThatShares().tables, seed, 120)).toEqual(alone);
    deadlocks += alone.filter((each) => (each as string[])[1] === 'DEADLOCK').length;
  }
  expect(deadlocks).toBeGreaterThan(50);
});
