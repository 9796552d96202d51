/** What a table of locks has to do, whoever shares it: three tables, which may be one and the same, or those of three threads. */
import { describe, expect, test } from 'vitest';
import { closed, VarveError } from '../base/errors.ts';
import { KIND_PUT, KIND_RANGE_DELETE } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { BatchBuffer } from '../record/batch.ts';
import type { ManualScheduler } from '../../test/manual-scheduler.ts';
import { expectRefusal } from '../../test/refusal.ts';
import type { LockOwner } from './lock-book.ts';
import type { LockTable } from './locks.ts';

export interface LockWorld {
  readonly tables: readonly [LockTable, LockTable, LockTable];
  readonly time: ManualScheduler;
}

const KEYSPACE = 1;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A transaction, of one of the tables. */
export class Locker {
  readonly owner: LockOwner;
  readonly #table: LockTable;

  constructor(table: LockTable, id: number) {
    this.#table = table;
    this.owner = { id };
  }

  /** Locks a key, or with `to` a range. */
  lock(from: string, to?: string, timeoutMs = 1000): Promise<void> | undefined {
    const end = to === undefined ? undefined : bytes(to);
    const wait = this.#table.lock(this.owner, KEYSPACE, bytes(from), end, timeoutMs);
    // Tests end while some wait.
    wait?.catch(() => undefined);
    return wait;
  }

  release(): void {
    this.#table.releaseAll(this.owner);
  }
}

export function testLockTable(name: string, make: () => LockWorld): void {
  const world = (): LockWorld & { lockers: readonly [Locker, Locker, Locker] } => {
    const made = make();
    const [a, b, c] = made.tables;
    return { ...made, lockers: [new Locker(a, 1), new Locker(b, 2), new Locker(c, 3)] };
  };

  describe(`locks of ${name}`, () => {
    test('a key is waited for, first come first served', async () => {
      const { lockers, tables } = world();
      const [a, b, c] = lockers;
      expect(a.lock('k')).toBeUndefined();
      const order: string[] = [];
      const waits = [b.lock('k')!.then(() => order.push('b')), c.lock('k')!.then(() => order.push('c'))];
      expect(tables[2].counts()).toEqual({ locks: 1, waiting: 2 });
      a.release();
      await waits[0];
      expect(tables[0].counts()).toEqual({ locks: 1, waiting: 1 });
      b.release();
      await waits[1];
      expect(order).toEqual(['b', 'c']);
      c.release();
      expect(tables.map((table) => table.counts().locks)).toEqual([0, 0, 0]);
    });

    test('ranges exclude what they overlap, and nothing else', async () => {
      const { lockers } = world();
      const [a, b, c] = lockers;
      expect(a.lock('b', 'd')).toBeUndefined();
      expect(b.lock('d')).toBeUndefined();
      expect(b.lock('a', 'b')).toBeUndefined();
      const waits = [b.lock('b')!, c.lock('a', 'b!')!, c.lock('c', 'z')!];
      expect(waits.map((wait) => wait instanceof Promise)).toEqual([true, true, true]);
      a.release();
      await waits[0];
      b.release();
      await Promise.all(waits);
      c.release();
    });

    test('nobody overtakes who waits, but for what he has himself', async () => {
      const { lockers } = world();
      const [a, b, c] = lockers;
      expect(a.lock('b', 'd')).toBeUndefined();
      const waits = [b.lock('a', 'c'), c.lock('a')];
      expect(waits[1]).toBeDefined();
      expect(a.lock('b')).toBeUndefined();
      expect(a.lock('b', 'c')).toBeUndefined();
      a.release();
      await waits[0];
      b.release();
      await waits[1];
      c.release();
    });

    test('a wait ends by its timeout, with who has it, and lets the next one go', async () => {
      const { lockers, time, tables } = world();
      const [a, b, c] = lockers;
      expect(a.lock('k')).toBeUndefined();
      const late = expectRefusal(() => b.lock('j', 'l', 10), 'LOCK_TIMEOUT', 'busy', { transaction: 1 });
      const next = c.lock('j', undefined, 500);
      await time.advance(10);
      await late;
      await next;
      expect(tables[1].counts()).toEqual({ locks: 2, waiting: 0 });
      a.release();
      c.release();
    });

    test('a wait that closes a cycle of two is refused with it', async () => {
      const { lockers, tables } = world();
      const [a, b] = lockers;
      expect([a.lock('a'), b.lock('b')]).toEqual([undefined, undefined]);
      const wait = a.lock('b');
      await expectRefusal(() => b.lock('a'), 'DEADLOCK', 'conflict', { cycle: [2, 1, 2], transaction: 1 });
      expect(tables[1].deadlocks).toBe(1);
      b.release();
      await wait;
      a.release();
    });

    test('a cycle of three, over a range', async () => {
      const { lockers } = world();
      const [a, b, c] = lockers;
      expect([a.lock('a'), b.lock('b'), c.lock('c', 'd')]).toEqual([undefined, undefined, undefined]);
      const waits = [a.lock('b'), b.lock('c')];
      await expectRefusal(() => c.lock('a'), 'DEADLOCK', 'conflict', { cycle: [3, 1, 2, 3] });
      c.release();
      await waits[1];
      b.release();
      await waits[0];
      a.release();
    });

    test('who ends while he waits is told so, and lets go who waits behind him', async () => {
      const { lockers, tables } = world();
      const [a, b, c] = lockers;
      expect(a.lock('b')).toBeUndefined();
      const ended = expectRefusal(() => b.lock('a', 'c'), 'TRANSACTION_ENDED', 'invalid');
      const behind = c.lock('a');
      expect(behind).toBeDefined();
      b.release();
      await ended;
      await behind;
      expect(tables[0].counts()).toEqual({ locks: 2, waiting: 0 });
      a.release();
      c.release();
    });

    test('writes to what is locked are refused, but those of who has locked it', async () => {
      const { lockers, tables } = world();
      const [a] = lockers;
      const put = (table: LockTable, key: string) => (): void =>
        table.one(KEYSPACE, KIND_PUT, bytes(key), bytes('x'));
      const batch = new BatchBuffer();
      batch.add(KIND_PUT, KEYSPACE, bytes('a'), bytes('x'));
      batch.add(KIND_RANGE_DELETE, KEYSPACE, bytes('c'), bytes('m'));
      expect(a.lock('k')).toBeUndefined();
      expect(a.lock('b', 'c')).toBeUndefined();
      for (const table of tables) {
        for (const key of ['k', 'b', 'bb'])
          await expectRefusal(put(table, key), 'KEY_LOCKED', 'conflict', {
            keyspace: 'data',
            transaction: 1,
          });
        for (const key of ['a', 'c', 'kk']) put(table, key)();
        table.one(2, KIND_PUT, bytes('k'), bytes('x'));
        await expectRefusal(() => table.batch(batch), 'KEY_LOCKED', 'conflict');
      }
      tables[0].checkBatch(a.owner, batch);
      a.release();
      for (const table of tables) {
        put(table, 'k')();
        table.batch(batch);
      }
    });

    test('who waits for a change hears of a release', async () => {
      const { lockers, tables } = world();
      const [a] = lockers;
      expect(a.lock('k')).toBeUndefined();
      await expectRefusal(
        () => tables[2].one(KEYSPACE, KIND_PUT, bytes('k'), bytes('x')),
        'KEY_LOCKED',
        'conflict',
      );
      const changed = tables[2].change();
      a.release();
      await changed;
    });

    test('several are locked at once, or none', async () => {
      const { lockers, tables } = world();
      const [a, b] = lockers;
      const spans = ['a', 'b'].map((key) => ({ keyspaceId: KEYSPACE, from: bytes(key), to: 'key' as const }));
      expect(a.lock('b')).toBeUndefined();
      await expectRefusal(() => tables[1].lockAll(b.owner, spans), 'KEY_LOCKED', 'conflict');
      expect(tables[1].counts().locks).toBe(1);
      a.release();
      const all = { keyspaceId: KEYSPACE, from: bytes('x'), to: undefined };
      tables[1].lockAll(b.owner, [...spans, all]);
      expect(tables[0].counts().locks).toBe(3);
      expect(a.lock('y')).toBeDefined();
      a.release();
      b.release();
    });

    test('closing ends the waits', async () => {
      const { lockers, tables } = world();
      const [a, b] = lockers;
      expect(a.lock('k')).toBeUndefined();
      const wait = expectRefusal(() => b.lock('k'), 'CLOSED', 'closed');
      tables[1].close(closed('the database', {}));
      await wait;
    });

    test('ten thousand keys are locked, met and let go', async () => {
      const { lockers, tables } = world();
      const [a, b] = lockers;
      for (let i = 0; i < 10_000; i++) expect(a.lock(`key-${i}`)).toBeUndefined();
      expect(tables[1].counts().locks).toBe(10_000);
      const wait = b.lock('key-7777');
      a.release();
      await wait;
      expect(tables[2].counts()).toEqual({ locks: 1, waiting: 0 });
      b.release();
    });
  });
}

/** What came of a request. */
type Outcome = 'held' | 'waits' | 'DEADLOCK';

/** The outcomes of random requests and releases of six transactions, and how many locks and waits there are after each. */
export function outcomesOf(tables: readonly LockTable[], seed: number, steps: number): unknown[] {
  const random = new Random(seed);
  const outcomes: unknown[] = [];
  const lockers = Array.from({ length: 6 }, (_, i) => new Locker(tables[i % 3]!, i + 1));
  for (let step = 0; step < steps; step++) {
    const at = random.below(lockers.length);
    const locker = lockers[at]!;
    const from = 97 + random.below(8);
    let outcome: Outcome | 'ended' = 'ended';
    if (random.oneIn(4)) locker.release();
    else {
      const to = random.oneIn(4) ? String.fromCharCode(from + 1 + random.below(3)) : undefined;
      try {
        const wait = locker.lock(String.fromCharCode(from), to);
        outcome = wait === undefined ? 'held' : 'waits';
      } catch (error) {
        outcome = (error as VarveError).code as Outcome;
      }
    }
    outcomes.push([at, outcome, tables[random.below(3)]!.counts()]);
  }
  for (const locker of lockers) locker.release();
  return outcomes;
}
