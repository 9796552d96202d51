/** What merges promise beside their values: refusals, waits, expiry, transactions, long chains. */
import {
  append,
  type CompactionFilter,
  counter,
  jsonCounter,
  jsonMergePatch,
  max,
  type MergeOperator,
  open,
  utf8,
} from 'varve';
import { describe, expect, onTestFinished, test } from 'vitest';
import { inMemory } from './in-memory.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';
import { HandClock } from './ttl-world.ts';

/** A merge as callers without types may write it. */
interface LooseMerge {
  merge(keyspace: unknown, key: string, operand: string, options: unknown): unknown;
}

const appending = { key: utf8, value: utf8, mergeOperator: append } as const;

describe('refusals', () => {
  test('what is no operator is refused, and no keyspace is made', async () => {
    const db = await inMemory();
    const options: unknown[] = [
      7,
      null,
      {},
      { name: 'x', version: 1 },
      { name: '', version: 1, merge: () => new Uint8Array(0) },
      { name: 'x', version: Number.NaN, merge: () => new Uint8Array(0) },
      { name: 'x', version: 1, merge: 'no function' },
      { name: 'x', version: 1, merge: () => new Uint8Array(0), partialMerge: 1 },
      { operator: append, url: 'not a url' },
      { operator: append, path: '/x' },
      { operator: {} },
    ];
    for (const mergeOperator of options) {
      await expectRefusal(
        () => db.keyspace('texts', { mergeOperator } as never),
        'OPTION_INVALID',
        'invalid',
      );
    }
    await expectRefusal(() => db.keyspace('texts', { ...appending, ttlMs: 5 }), 'OPTION_INVALID', 'invalid');
    const retention = { versions: 3 };
    await expectRefusal(() => db.keyspace('texts', { ...appending, retention }), 'OPTION_INVALID', 'invalid');
    await expectRefusal(
      () => db.keyspace('texts', { mergeOperater: append } as never),
      'OPTION_INVALID',
      'invalid',
    );
    expect(db.keyspaces()).toEqual([]);
  });

  test('a time to live of all keyspaces stands in the way of operators where it is not turned off, which the refusal says', async () => {
    const clock = new HandClock();
    const db = await inMemory({ clock, keyspaceDefaults: { ttlMs: 1000 } });
    const turnOff = /1000 ms is that of keyspaceDefaults: ttlMs: Number.MAX_SAFE_INTEGER turns it off/;
    const refused = { code: 'OPTION_INVALID', kind: 'invalid' };
    const refusal = (message: RegExp): unknown =>
      expect.objectContaining({ ...refused, message: expect.stringMatching(message) });
    expect(() => db.keyspace('texts', appending)).toThrow(refusal(turnOff) as Error);
    expect(() => db.keyspace('texts', { ...appending, ttlMs: 1000 })).toThrow(
      refusal(/give single puts a ttlMs$/) as Error,
    );
    const texts = db.keyspace('texts', { ...appending, ttlMs: Number.MAX_SAFE_INTEGER });
    texts.put('a', '0');
    texts.merge('a', '1');
    clock.time += 10_000;
    expect(texts.get('a')).toBe('01');
    await db.flush();
    await db.compact();
    // What is for good is folded with.
    expect(db.stats().keyspaces['texts']!.entries).toBe(1);
    // Any other handle of it, as it is.
    expect(db.keyspace('texts', { key: utf8, value: utf8 }).get('a')).toBe('01');
  });

  test('a time to live is refused where nothing expires: of merges, deletes, and batches as a whole', async () => {
    const db = await inMemory();
    const texts = db.keyspace('texts', appending);
    const before = db.stats().sequence;
    const ttl = { ttlMs: 5 } as never;
    const waiting = { ttlMs: 5, durability: 'memory' } as never;
    for (const write of [
      () => texts.merge('a', '1', ttl),
      () => texts.delete('a', ttl),
      () => texts.deleteRange({ gte: 'a', lt: 'b' }, ttl),
      () => texts.deleteRange({ gte: 'a', lt: 'a' }, ttl),
      () => (db.batch() as unknown as LooseMerge).merge(texts, 'a', '1', ttl),
      () => (db.begin() as unknown as LooseMerge).merge(texts, 'a', '1', ttl),
      () => texts.merge('a', '1', waiting),
      () => db.write(db.batch().put(texts, 'a', '1'), waiting),
    ]) {
      await expectRefusal(write, 'OPTION_INVALID', 'invalid', { option: 'ttlMs' });
    }
    expect(db.stats().sequence).toBe(before);
    await texts.put('a', '1', { ttlMs: 5, durability: 'memory' });
  });

  test('user code that is async is refused by name, and its promise may reject unheard', async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): unknown => unhandled.push(error);
    process.on('unhandledRejection', note);
    onTestFinished(() => void process.off('unhandledRejection', note));
    const rejecting = (): never => Promise.reject(new Error('later')) as never;
    const asking: MergeOperator = { ...append, name: 'asking', refuse: rejecting };
    const db = await inMemory();
    const warnings: string[] = [];
    db.events.addEventListener('warning', (event) =>
      warnings.push((event as CustomEvent<{ message: string }>).detail.message),
    );
    const codes = { key: utf8, value: utf8 };
    const merging = db.keyspace('merging', {
      ...codes,
      mergeOperator: { ...append, name: 'm', merge: rejecting },
    });
    merging.merge('a', '1');
    expect(() => merging.get('a')).toThrow(
      expect.objectContaining({
        code: 'MERGE_FAILED',
        message: expect.stringContaining('a promise'),
      }) as Error,
    );
    const joining = db.keyspace('joining', {
      ...codes,
      mergeOperator: { ...append, name: 'j', merge: rejecting, partialMerge: rejecting },
    });
    for (const operand of ['1', '2']) joining.merge('a', operand);
    expect(() => db.keyspace('asking', { ...codes, mergeOperator: asking }).merge('a', '1')).toThrow(
      expect.objectContaining({ code: 'MERGE_FAILED' }) as Error,
    );
    const filter = (own: object): object => ({ name: 'f', version: 1, filter: rejecting, ...own });
    for (const [name, own] of Object.entries({
      filtered: {},
      begun: { begin: rejecting, filter: () => 'remove' },
    })) {
      const kept = db.keyspace(name, { ...codes, compactionFilter: filter(own) as CompactionFilter });
      kept.put('a', '1');
      await db.compact();
      expect(kept.get('a')).toBe('1');
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(unhandled).toEqual([]);
    expect(warnings.filter((message) => message.includes('promise')).length).toBeGreaterThan(1);
  });

  test('another operator than that of the operands is refused, at any time', async () => {
    const db = await inMemory();
    const keyspace = db.keyspace('texts', appending);
    keyspace.merge('a', '1');
    const context = { keyspace: 'texts', expected: 'varve.append', got: 'varve.max' };
    await expectRefusal(
      () => db.keyspace('texts', { key: utf8, value: utf8, mergeOperator: max }),
      'MERGE_OPERATOR_CHANGED',
      'invalid',
      context,
    );
    expect(db.keyspace('texts', appending).get('a')).toBe('1');
    expect(db.keyspace('texts').get('a' as never)).toBe('1');
  });

  test('an operand that the operator does not take is refused, and nothing is written', async () => {
    const db = await inMemory();
    const counts = db.keyspace('counts', { key: utf8, mergeOperator: counter });
    const users = db.keyspace('users', { key: utf8, value: utf8, mergeOperator: jsonMergePatch });
    const sums = db.keyspace('sums', { key: utf8, value: utf8, mergeOperator: jsonCounter });
    const before = db.stats().sequence;
    const refused = { code: 'OPERAND_INVALID', kind: 'invalid' };
    for (const write of [
      () => counts.merge('a', new Uint8Array(3)),
      () => users.merge('a', '{'),
      () => sums.merge('a', '"1"'),
      () => db.batch().merge(counts, 'a', new Uint8Array(9)),
      () => db.begin().merge(sums, 'a', 'x'),
    ]) {
      expect(write).toThrow(expect.objectContaining(refused) as Error);
    }
    expect(() => counts.merge('a', 'text' as never)).toThrow(
      expect.objectContaining({ code: 'VALUE_INVALID' }) as Error,
    );
    expect(() => counts.merge(1 as never, new Uint8Array(8))).toThrow(
      expect.objectContaining({ code: 'KEY_INVALID' }) as Error,
    );
    expect(db.stats().sequence).toBe(before);
  });

  test('what an operator returns that is no value fails the read and the batch, by name', async () => {
    const db = await inMemory();
    const wrong = { name: 'wrong', version: 1, merge: () => 'text' as never };
    const texts = db.keyspace('texts', { key: utf8, value: utf8, mergeOperator: wrong });
    texts.merge('a', '1');
    const context = { keyspace: 'texts', key: utf8.encode('a'), operator: 'wrong' };
    await expectRefusal(() => texts.get('a'), 'MERGE_FAILED', 'invalid', context);
    await expectRefusal(() => texts.update('a', () => 'x'), 'MERGE_FAILED', 'invalid', context);
    expect(texts.has('a')).toBe(true);
    texts.put('a', 'mended');
    expect(texts.get('a')).toBe('mended');
  });
});

describe('merges', () => {
  test('wait for their class as puts do', async () => {
    await using db = await open(temporaryDirectory());
    const texts = db.keyspace('texts', appending);
    const sequence = await texts.merge('a', '1', { durability: 'disk' });
    expect(db.stats().log.syncedSequence).toBeGreaterThanOrEqual(sequence);
    await db.write(db.batch().merge(texts, 'a', '2').merge(texts, 'a', '3'), { durability: 'os' });
    expect(texts.get('a')).toBe('123');
    await expect(texts.merge('a', '4', { durability: 'never' } as never)).rejects.toMatchObject({
      kind: 'invalid',
    });
    expect(texts.get('a')).toBe('123');
  });

  test('are a value for putIfAbsent, and what update is given', async () => {
    const db = await inMemory();
    const texts = db.keyspace('texts', appending);
    texts.merge('a', '1');
    expect(texts.putIfAbsent('a', 'x')).toBe(false);
    expect(texts.update('a', (old) => `${old}!`)).toBe('1!');
    texts.merge('a', '2');
    expect(texts.get('a')).toBe('1!2');
    expect(texts.update('a', () => undefined)).toBeUndefined();
    texts.merge('a', '3');
    expect(texts.get('a')).toBe('3');
  });

  test('stay cheap to read: an operand is merged once by reads of the newest state', async () => {
    const db = await inMemory();
    let calls = 0;
    let operands = 0;
    const counting = {
      ...append,
      name: 'counting',
      merge: (key: Uint8Array, existing: Uint8Array | undefined, list: readonly Uint8Array[]): Uint8Array => {
        calls++;
        operands += list.length;
        return append.merge(key, existing, list);
      },
    };
    const texts = db.keyspace('texts', { ...appending, mergeOperator: counting });
    for (let i = 0; i < 200; i++) {
      texts.merge('a', 'x');
      expect(texts.get('a')).toBe('x'.repeat(i + 1));
    }
    expect(operands).toBeLessThan(3 * calls);
    texts.deleteRange({ gte: 'a', lt: 'b' });
    expect(texts.get('a')).toBeUndefined();
    texts.merge('a', 'y');
    expect(texts.get('a')).toBe('y');
  });

  test('onto a value that expires stand on nothing from then on', async () => {
    const clock = new HandClock();
    const db = await inMemory({ clock });
    const texts = db.keyspace('texts', appending);
    texts.put('a', '0', { ttlMs: 1000 });
    texts.merge('a', '1');
    texts.merge('a', '2');
    db.write(db.batch().put(texts, 'b', '0', { ttlMs: 1000 }).merge(texts, 'b', '1'));
    const early = db.snapshot();
    const read = (): unknown => [texts.get('a'), texts.get('b'), texts.count()];
    for (const step of [() => db.flush(), () => db.compact()]) {
      expect(read()).toEqual(['012', '01', 2]);
      await step();
    }
    clock.time += 1000;
    for (const step of [() => db.flush(), () => db.compact()]) {
      expect(read()).toEqual(['12', undefined, 1]);
      expect([early.get(texts, 'a'), early.get(texts, 'b')]).toEqual(['012', '01']);
      await step();
    }
    early.close();
    await db.compact();
    expect(read()).toEqual(['12', undefined, 1]);
  });

  test('a serializable transaction that has read a merged value notices when what it stands on expires', async () => {
    const clock = new HandClock();
    const db = await inMemory({ clock });
    const texts = db.keyspace('texts', appending);
    texts.put('a', '0', { ttlMs: 1000 });
    texts.merge('a', '1');
    const transaction = db.begin();
    expect(transaction.get(texts, 'a')).toBe('01');
    transaction.put(texts, 'b', 'x');
    clock.time += 1000;
    await expectRefusal(() => transaction.commit(), 'TRANSACTION_CONFLICT', 'conflict');
  });

  test('in a transaction conflict as writes do, and read its own', async () => {
    const db = await inMemory();
    const texts = db.keyspace('texts', appending);
    texts.put('a', '0');
    const first = db.begin();
    const second = db.begin();
    first.merge(texts, 'a', '1');
    expect(first.get(texts, 'a')).toBe('01');
    const savepoint = first.savepoint();
    first.put(texts, 'a', 'x');
    first.merge(texts, 'a', 'y');
    expect([...first.range(texts)]).toEqual([['a', 'xy']]);
    first.rollbackTo(savepoint);
    expect([...first.range(texts)]).toEqual([['a', '01']]);
    second.merge(texts, 'a', '2');
    first.commit();
    await expectRefusal(() => second.commit(), 'TRANSACTION_CONFLICT', 'conflict');
    expect(texts.get('a')).toBe('01');
    await db.transaction((tx) => tx.merge(texts, 'a', '3'));
    expect(texts.get('a')).toBe('013');
  });

  test('long chains are read right before and after they are folded', async () => {
    const db = await inMemory();
    const texts = db.keyspace('texts', appending);
    const letters = Array.from({ length: 20_000 }, (_, i) => String.fromCharCode(97 + (i % 26)));
    for (const letter of letters) texts.merge('a', letter);
    const snapshot = db.snapshot();
    for (const letter of letters) texts.merge('a', letter);
    const want = letters.join('');
    expect(texts.get('a')).toBe(want + want);
    await db.flush();
    expect([snapshot.get(texts, 'a'), texts.get('a')]).toEqual([want, want + want]);
    snapshot.close();
    await db.compact();
    expect(texts.get('a')).toBe(want + want);
  });

  test('ingested puts lie above operands, and operands above them', async () => {
    const db = await inMemory();
    const texts = db.keyspace('texts', appending);
    texts.merge('a', '1');
    await db.ingest(texts, [['a', 'in']]);
    texts.merge('a', '2');
    expect(texts.get('a')).toBe('in2');
    await db.compact();
    expect(texts.get('a')).toBe('in2');
  });
});
