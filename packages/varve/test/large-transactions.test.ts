/**
 * Transactions that are larger than a batch: written to tables, and committed by one record of the log that names them. They
 * read, conflict and show as any other.
 */
import { open, utf8 } from 'varve';
import { expect, onTestFinished, test } from 'vitest';
import { bytes } from './in-memory.ts';
import { codecs, type Data, entries, type Entry, largeWorld, putAll, smallBatches } from './large-world.ts';
import { expectRefusal } from './refusal.ts';
import { key, small } from './small-tables.ts';
import { temporaryDirectory } from './temp-directory.ts';

const [old, wanted] = [entries(0, 300, 'old'), entries(100, 400, 'new')];

test('it is committed when it is awaited, at one sequence, in all its keyspaces', async () => {
  const { db, a, b } = await largeWorld();
  for (const [name, value] of old) a.put(name, value);
  const before = db.snapshot();
  const tx = db.begin();
  putAll(tx, a, wanted);
  for (let i = 0; i < 50; i++) tx.delete(a, key(i));
  tx.put(b, 'alone', 'value');
  tx.put(b, 'gone', 'value');
  tx.delete(b, 'gone');
  // Its own reads, before.
  expect(tx.get(a, key(0))).toBeUndefined();
  expect(tx.get(a, key(399))).toBe(wanted.at(-1)![1]);
  expect([...tx.range(a)]).toEqual([...old.slice(50, 100), ...wanted]);
  const sequence = await tx.commit({ durability: 'disk' });
  expect(sequence).toBe(db.stats().sequence);
  expect(before.sequence).toBe(sequence - 1);
  expect(tx.isOpen).toBe(false);
  const shown = [...old.slice(50, 100), ...wanted];
  const after = db.snapshot();
  a.put(key(200), 'later');
  a.delete(key(201));
  for (const look of ['as it was committed', 'flushed', 'compacted']) {
    expect([look, ...after.range(a)]).toEqual([look, ...shown]);
    expect([...before.range(a)]).toEqual(old);
    expect([...before.range(b)]).toEqual([]);
    expect([...b.range()]).toEqual([['alone', 'value']]);
    expect(a.get(key(200))).toBe('later');
    expect(a.get(key(201))).toBeUndefined();
    expect(a.getMany([key(0), key(60), key(399)])).toEqual([undefined, old[60]![1], wanted.at(-1)![1]]);
    expect([...a.range({ reverse: true })].reverse()).toEqual([...a.range()]);
    expect((await db.verify()).problems).toEqual([]);
    if (look === 'as it was committed') await db.flush();
    else await db.compact();
  }
  expect(db.stats().transactions).toMatchObject({ open: 0, committed: 1, large: 1, rolledBack: 0 });
  before.close();
  after.close();
});

test('the last operation on a key decides, whatever came before it', async () => {
  const { db, a, b } = await largeWorld();
  a.put('there', 'old');
  const model = new Map<string, string>();
  const tx = db.begin();
  for (let i = 0; i < 2000; i++) {
    const name = key((i * 7919) % 500);
    if (i % 3 === 0) {
      tx.delete(a, name);
      model.delete(name);
    } else {
      tx.put(a, name, `round ${i}`);
      model.set(name, `round ${i}`);
    }
  }
  tx.put(b, '', 'the empty key');
  tx.put(b, 'empty', '');
  await tx.commit({ durability: 'memory' });
  model.set('there', 'old');
  expect([...a.range()]).toEqual([...model].sort(([x], [y]) => (x < y ? -1 : 1)));
  expect([...b.range()]).toEqual([
    ['', 'the empty key'],
    ['empty', ''],
  ]);
});

test('a synchronous commit says how it is done, and loses nothing', async () => {
  const { db, a } = await largeWorld();
  const tx = db.begin();
  putAll(tx, a, wanted);
  const error = await expectRefusal(() => tx.commit(), 'BATCH_TOO_LARGE', 'invalid', { max: 4096 });
  expect(error.message).toContain('await tx.commit({ durability })');
  expect(tx.isOpen).toBe(true);
  await tx.commit({ durability: 'memory' });
  expect([...a.range()]).toEqual(wanted);
});

test('what is not larger than a batch is one', async () => {
  const { db, a } = await largeWorld();
  const tx = db.begin();
  putAll(tx, a, wanted.slice(0, 10));
  await tx.commit({ durability: 'disk' });
  expect(db.stats().written.ingest).toBe(0);
  expect(db.stats().transactions).toMatchObject({ committed: 1, large: 0 });
});

test('a range delete in it is refused by name before anything is written, and the rest is rolled back', async () => {
  const { db, a } = await largeWorld();
  a.put('here', 'old');
  const tx = db.begin();
  putAll(tx, a, wanted);
  tx.deleteRange(a, { gte: 'a', lt: 'z' });
  const context = { reason: 'deleteRange' };
  await expectRefusal(() => tx.commit({ durability: 'disk' }), 'BATCH_TOO_LARGE', 'invalid', context);
  expect([...a.range()]).toEqual([['here', 'old']]);
  expect(db.stats().sequence).toBe(2 + 1);
});

test('it can not be prepared', async () => {
  const { db, a } = await largeWorld();
  const tx = db.begin();
  putAll(tx, a, wanted);
  await expectRefusal(() => tx.prepare('large'), 'BATCH_TOO_LARGE', 'invalid');
  expect(db.preparedTransactions()).toEqual([]);
});

test('it conflicts with what was committed before it, and with what is committed while it is written', async () => {
  const { db, a, b } = await largeWorld();
  const early = db.begin();
  putAll(early, a, wanted);
  a.put(key(250), 'other');
  const context = { keyspace: 'a' };
  await expectRefusal(
    () => early.commit({ durability: 'disk' }),
    'TRANSACTION_CONFLICT',
    'conflict',
    context,
  );
  // Read, not written.
  const late = db.begin();
  expect(late.get(b, 'read')).toBeUndefined();
  putAll(late, a, wanted);
  const committing = late.commit({ durability: 'disk' });
  b.put('read', 'meanwhile');
  await expectRefusal(() => committing, 'TRANSACTION_CONFLICT', 'conflict', { keyspace: 'b' });
  expect([...a.range()]).toEqual([[key(250), 'other']]);
  expect(late.isOpen).toBe(false);
  expect(db.stats().transactions).toMatchObject({ open: 0, conflicts: 2, rolledBack: 2, large: 0 });
  expect((await db.verify()).problems).toEqual([]);
});

test('db.transaction runs it again after a conflict', async () => {
  const { db, a } = await largeWorld();
  a.put('count', '0');
  let attempts = 0;
  await db.transaction(async (tx) => {
    attempts++;
    const count = Number(tx.get(a, 'count'));
    putAll(tx, a, wanted);
    tx.put(a, 'count', String(count + 1));
    if (attempts === 1) a.put('count', '10');
    await Promise.resolve();
  });
  expect(attempts).toBe(2);
  expect(a.get('count')).toBe('11');
  expect(a.count()).toBe(wanted.length + 1);
  expect(db.stats().transactions).toMatchObject({ committed: 1, large: 1, conflicts: 1 });
});

test('it meets the locks of others, and its own let it through', async () => {
  const { db, a } = await largeWorld();
  const holder = db.begin();
  await holder.getForUpdate(a, key(150));
  const other = db.begin();
  putAll(other, a, wanted);
  await expectRefusal(() => other.commit({ durability: 'disk' }), 'KEY_LOCKED', 'conflict');
  putAll(holder, a, wanted);
  await holder.commit({ durability: 'disk' });
  expect(a.count()).toBe(wanted.length);
  expect(db.stats().transactions.locks).toBe(0);
});

test('while it is committed nothing else goes with it; a rollback ends it', async () => {
  const { db, a } = await largeWorld();
  const tx = db.begin();
  putAll(tx, a, wanted);
  const committing = tx.commit({ durability: 'disk' });
  expect(tx.isOpen).toBe(false);
  const ended = { endedBy: 'commit' };
  await expectRefusal(() => tx.put(a, 'x', 'y'), 'TRANSACTION_ENDED', 'invalid', ended);
  await expectRefusal(() => tx.commit(), 'TRANSACTION_ENDED', 'invalid', ended);
  tx.rollback();
  await expectRefusal(() => committing, 'TRANSACTION_ENDED', 'invalid', { endedBy: 'rollback' });
  expect(a.count()).toBe(0);
  expect(db.stats().transactions).toMatchObject({ open: 0, committed: 0, rolledBack: 1 });
});

test('a signal, a close and a dropped keyspace end it, and no table is left', async () => {
  const path = temporaryDirectory();
  const db = await open(path, smallBatches);
  const a = db.keyspace('a', codecs);
  db.keyspace('b', codecs);
  const abort = new AbortController();
  const aborted = db.transaction(
    (tx) => {
      putAll(tx, a, wanted);
      setImmediate(() => abort.abort());
    },
    { signal: abort.signal },
  );
  await expectRefusal(() => aborted, 'ABORTED', 'busy');
  const dropping = db.begin();
  putAll(dropping, db.keyspace('b', codecs), wanted);
  const dropped = dropping.commit({ durability: 'disk' });
  await db.dropKeyspace('b');
  await expectRefusal(() => dropped, 'KEYSPACE_DROPPED', 'invalid');
  const tx = db.begin();
  putAll(tx, a, wanted);
  const committing = tx.commit({ durability: 'disk' });
  const within = db.transaction((inner) => putAll(inner, a, wanted));
  const refused = [committing, within].map((each) => expectRefusal(() => each, 'CLOSED', 'closed'));
  await db.close();
  await Promise.all(refused);
  const again = await open(path, smallBatches);
  onTestFinished(() => again.close());
  expect(again.keyspace('a', codecs).count()).toBe(0);
  expect(again.stats().keyspaces['a']!.levels.every(({ files }) => files === 0)).toBe(true);
});

test('times to live of it count from one moment', async () => {
  const { db, a } = await largeWorld();
  const tx = db.begin();
  for (const [name, value] of wanted) tx.put(a, name, value, { ttlMs: 60_000 });
  tx.put(a, 'stays', 'value');
  await tx.commit({ durability: 'memory' });
  const feed = db.changes({ since: 'oldest', keyspaces: [a], durability: 'os' });
  await db.sync('os');
  const { value } = await feed.next();
  const times = new Set((value!.operations as { expiresAt?: number }[]).map(({ expiresAt }) => expiresAt));
  expect(times.size).toBe(1);
  feed.close();
  expect(a.count()).toBe(wanted.length + 1);
});

test('it goes over keys that lie in all levels, again and again', async () => {
  const { db } = await largeWorld();
  const data: Data = db.keyspace('small', small);
  const model = new Map<string, string>();
  for (let round = 0; round < 6; round++) {
    const tx = db.begin();
    for (const [name, value] of entries(round * 37, 900 - round * 53, `round ${round}`)) {
      if ((name.charCodeAt(7) + round) % 5 === 0) {
        tx.delete(data, name);
        model.delete(name);
      } else {
        tx.put(data, name, value);
        model.set(name, value);
      }
    }
    await tx.commit({ durability: 'disk' });
    data.put(`between ${round}`, 'x');
    model.set(`between ${round}`, 'x');
    const sorted = [...model].sort(([x], [y]) => (x < y ? -1 : 1));
    expect([...data.range()]).toEqual(sorted);
    if (round % 2 === 0) await db.flush();
    if (round === 3) await db.compact();
    expect([...data.range()]).toEqual(sorted);
  }
  expect((await db.verify()).problems).toEqual([]);
});

test('random transactions, large and small, give what a map gives, at every sequence that is kept', async () => {
  const { db, a, b } = await largeWorld();
  const states: { sequence: number; a: Entry[]; b: Entry[] }[] = [];
  const model = { a: new Map<string, string>(), b: new Map<string, string>() };
  const sorted = (map: Map<string, string>): Entry[] => [...map].sort(([x], [y]) => (x < y ? -1 : 1));
  const snapshots = [];
  let state = 1;
  const below = (max: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % max;
  };
  for (let round = 0; round < 30; round++) {
    const tx = db.begin();
    const size = below(3) === 0 ? 3 : 200 + below(200);
    for (let i = 0; i < size; i++) {
      const [name, map] = below(2) === 0 ? ([a, model.a] as const) : ([b, model.b] as const);
      const k = key(below(300));
      if (below(4) === 0) {
        tx.delete(name, k);
        map.delete(k);
      } else {
        const value = `round ${round} operation ${i}`;
        tx.put(name, k, value);
        map.set(k, value);
      }
    }
    await tx.commit({ durability: 'memory' });
    if (below(4) === 0) await db.flush();
    snapshots.push(db.snapshot());
    states.push({ sequence: db.stats().sequence, a: sorted(model.a), b: sorted(model.b) });
  }
  for (const [i, snapshot] of snapshots.entries()) {
    expect(snapshot.sequence).toBe(states[i]!.sequence);
    expect([...snapshot.range(a)]).toEqual(states[i]!.a);
    expect([...snapshot.range(b)]).toEqual(states[i]!.b);
    snapshot.close();
  }
  expect(db.stats().transactions.large).toBeGreaterThan(10);
});

test('merges of one key are folded as in a batch; an operator that throws refuses all of it', async () => {
  const { db, a } = await largeWorld();
  const sums = db.keyspace('sums', {
    key: utf8,
    value: utf8,
    mergeOperator: {
      name: 'joined',
      version: '1',
      merge: (_: Uint8Array, existing: Uint8Array | undefined, operands: readonly Uint8Array[]) => {
        const all = [existing ?? new Uint8Array(0), ...operands].map((each) =>
          new TextDecoder().decode(each),
        );
        if (all.includes('bad')) throw new Error('a bad operand');
        return bytes(all.join('+'));
      },
    },
  });
  sums.put('below', '1');
  const tx = db.begin();
  putAll(tx, a, wanted);
  tx.merge(sums, 'below', '2');
  tx.merge(sums, 'below', '3');
  tx.put(sums, 'own', 'a');
  tx.merge(sums, 'own', 'b');
  tx.merge(sums, 'none', 'x');
  await tx.commit({ durability: 'memory' });
  const shown = [
    ['below', '1+2+3'],
    ['none', '+x'],
    ['own', 'a+b'],
  ];
  expect([...sums.range()]).toEqual(shown);
  await db.compact();
  expect([...sums.range()]).toEqual(shown);
  const bad = db.begin();
  putAll(bad, a, wanted);
  bad.put(sums, 'own', 'a');
  bad.merge(sums, 'own', 'bad');
  await expectRefusal(() => bad.commit({ durability: 'memory' }), 'MERGE_FAILED', 'invalid');
  expect([...sums.range()]).toEqual(shown);
});
