/** What a serializable transaction minds of what others write, and what not. */
import type { Transaction } from 'varve';
import { MemoryFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Texts, texts } from './in-memory.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal } from './refusal.ts';
import { transactionWorld as world } from './transaction-world.ts';

describe('serializable', () => {
  const cases: Record<
    string,
    { read(tx: Transaction, data: Texts): void; write(data: Texts): void; ok?: true }
  > = {
    'a key that was there': { read: (tx, data) => tx.get(data, 'a'), write: (data) => data.put('a', 'x') },
    'a key that was not there': {
      read: (tx, data) => tx.get(data, 'q'),
      write: (data) => data.put('q', 'x'),
    },
    'a key of getMany': {
      read: (tx, data) => tx.getMany(data, ['a', 'q']),
      write: (data) => data.put('q', 'x'),
    },
    has: { read: (tx, data) => tx.has(data, 'q'), write: (data) => data.put('q', 'x') },
    'a new key in a range (phantom)': {
      read: (tx, data) => void [...tx.range(data, { gte: 'a', lt: 'c' })],
      write: (data) => data.put('ab', 'x'),
    },
    'a deleted key in a range': {
      read: (tx, data) => void [...tx.range(data, { gte: 'a', lt: 'c' })],
      write: (data) => data.delete('b'),
    },
    'a range delete over a part of a range': {
      read: (tx, data) => void [...tx.range(data, { gte: 'a', lt: 'c' })],
      write: (data) => void data.deleteRange({ gte: 'bz', lt: 'x' }),
    },
    'an empty range': {
      read: (tx, data) => void [...tx.range(data, { prefix: 'q' })],
      write: (data) => data.put('q1', 'x'),
    },
    'a whole keyspace': {
      read: (tx, data) => void [...tx.range(data)],
      write: (data) => data.put('zzz', 'x'),
    },
    'the first of a queue': {
      read: (tx, data) => void [...tx.range(data, { limit: 1 })],
      write: (data) => data.delete('a'),
    },
    'behind the first of a queue': {
      read: (tx, data) => void [...tx.range(data, { limit: 1 })],
      write: (data) => data.put('b', 'x'),
      ok: true,
    },
    'before the last, from behind': {
      read: (tx, data) => void [...tx.range(data, { reverse: true, limit: 1 })],
      write: (data) => data.put('c', 'x'),
      ok: true,
    },
    'the last, from behind': {
      read: (tx, data) => void [...tx.range(data, { reverse: true, limit: 1 })],
      write: (data) => data.put('e', 'x'),
    },
    'what a loop that was left had not reached': {
      read: (tx, data) => {
        for (const [key] of tx.range(data)) if (key === 'b') break;
      },
      write: (data) => data.put('bb', 'x'),
      ok: true,
    },
    'a range that nobody walked': {
      read: (tx, data) => tx.range(data).cursor().close(),
      write: (data) => data.put('a', 'x'),
      ok: true,
    },
    'the end of a range, which is outside': {
      read: (tx, data) => void [...tx.range(data, { gte: 'a', lt: 'c' })],
      write: (data) => data.put('c', 'x'),
      ok: true,
    },
    'another keyspace': {
      read: (tx, data) => tx.get(data, 'a'),
      write: () => undefined,
      ok: true,
    },
    'a key that it wrote before it read it': {
      read: (tx, data) => {
        tx.put(data, 'own', '1');
        tx.get(data, 'own');
      },
      write: (data) => data.put('a', 'x'),
      ok: true,
    },
  };
  for (const [name, { read, write, ok }] of Object.entries(cases)) {
    for (const flushes of [false, true]) {
      test(`${ok ? 'does not mind' : 'minds'}: ${name}${flushes ? ', in tables' : ''}`, async () => {
        const { db, data } = await world();
        const other = texts(db, 'other');
        if (flushes) await db.flush();
        const tx = db.begin();
        read(tx, data);
        tx.put(other, 'result', '1');
        write(data);
        if (flushes) {
          await db.flush();
          await db.compact();
        }
        if (ok) tx.commit();
        else
          await expectRefusal(() => tx.commit(), 'TRANSACTION_CONFLICT', 'conflict', { keyspace: 'texts' });
        expect(other.get('result')).toBe(ok ? '1' : undefined);
      });
    }
  }
});

describe('values that expire', () => {
  const reads: Record<string, (tx: Transaction, data: Texts) => unknown> = {
    'a key': (tx, data) => tx.get(data, 'short'),
    'a range': (tx, data) => [...tx.range(data)],
  };
  for (const [name, read] of Object.entries(reads)) {
    for (const flushes of [false, true]) {
      test(`${name} of which something has expired by the commit is a conflict${flushes ? ', in tables' : ''}`, async () => {
        const time = new ManualScheduler();
        const db = await time.open('/db', { fileSystem: new MemoryFs() });
        onTestFinished(() => db.close());
        const data = texts(db);
        data.put('short', 'lived', { ttlMs: 100 });
        data.put('long', 'lived', { ttlMs: 10_000 });
        if (flushes) await time.run(db.flush());
        const [early, late] = [db.begin(), db.begin()];
        for (const tx of [early, late]) {
          read(tx, data);
          tx.put(data, `result of ${tx.id}`, 'x');
        }
        await time.advance(99);
        early.commit();
        await time.advance(1);
        expect(late.get(data, 'short')).toBe('lived');
        const refused = await expectRefusal(() => late.commit(), 'TRANSACTION_CONFLICT', 'conflict');
        // Of the range the other one has written as well.
        if (name === 'a key') expect(refused.context).not.toHaveProperty('sequence');
        expect(data.get(`result of ${late.id}`)).toBeUndefined();
      });
    }
  }
});
