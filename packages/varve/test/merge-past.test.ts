/** Merges in states of the past, in the history of a key, and in prepared transactions. */
import { append, open, utf8 } from 'varve';
import { MemoryFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { inMemory } from './in-memory.ts';
import { expectRefusal } from './refusal.ts';
import { HandClock } from './ttl-world.ts';

const appending = { key: utf8, value: utf8, mergeOperator: append } as const;

describe('merges of the past', () => {
  test('are read as they were inside the retention, whatever was folded', async () => {
    const clock = new HandClock();
    const db = await inMemory({ clock });
    const texts = db.keyspace('texts', { ...appending, retention: { ms: 1_000_000 } });
    const states: [sequence: number, value: string][] = [];
    texts.put('a', '0');
    for (let i = 1; i < 8; i++) {
      clock.time += 1000;
      states.push([texts.merge('a', `${i}`), '01234567'.slice(0, i + 1)]);
      if (i % 3 === 0) await db.flush();
    }
    await db.compact();
    for (const [sequence, value] of states) {
      using past = db.at(sequence);
      expect(past.get(texts, 'a')).toBe(value);
    }
    expect(texts.history('a').map(({ value }) => value)).toEqual([
      ...states.map(([, value]) => value).toReversed(),
      '0',
    ]);
    const changes = [...db.diff(states[1]![0], states[4]![0])];
    expect(changes).toHaveLength(1);
  });

  test('have one version in the history without retention', async () => {
    const db = await inMemory();
    const texts = db.keyspace('texts', appending);
    texts.put('a', '0');
    texts.merge('a', '1');
    expect(texts.history('a').map(({ value }) => value)).toEqual(['01']);
  });
});

describe('a prepared transaction', () => {
  test('with merges is committed after a reopening without the operator', async () => {
    const fileSystem = new MemoryFs();
    {
      const db = await open('/db', { fileSystem });
      const texts = db.keyspace('texts', appending);
      texts.put('a', '0');
      const tx = db.begin();
      tx.merge(texts, 'a', '1');
      tx.merge(texts, 'a', '2');
      tx.put(texts, 'b', 'p');
      tx.merge(texts, 'b', '1');
      await tx.prepare('one');
      await db.close();
    }
    const db = await open('/db', { fileSystem });
    onTestFinished(() => db.close());
    db.commitPrepared('one');
    const plain = db.keyspace('texts', { key: utf8, value: utf8 });
    expect(plain.get('b')).toBe('p1');
    await expectRefusal(() => plain.get('a'), 'MERGE_OPERATOR_MISSING', 'invalid');
    expect(db.keyspace('texts', appending).get('a')).toBe('012');
  });
});

test('the change feed shows operands as they were written, and a put with what was merged to it in its batch', async () => {
  const fileSystem = new MemoryFs();
  const db = await open('/db', { fileSystem, changesRetention: { bytes: 1024 ** 2 } });
  onTestFinished(() => db.close());
  const texts = db.keyspace('texts', { key: utf8, value: utf8 });
  db.keyspace('texts', appending);
  texts.merge('a', '1');
  db.write(
    db.batch().merge(texts, 'a', '2').merge(texts, 'a', '3').put(texts, 'b', 'p').merge(texts, 'b', '1'),
  );
  const feed = db.changes({ since: 'oldest', keyspaces: [texts] });
  const seen: unknown[] = [];
  while (seen.length < 3) {
    const { value } = await feed.next();
    seen.push((value as { operations: unknown }).operations);
  }
  await feed.return?.();
  expect(seen.slice(1)).toMatchObject([
    [{ type: 'merge', keyspace: 'texts', key: 'a', operands: ['1'] }],
    [
      { type: 'merge', keyspace: 'texts', key: 'a', operands: ['2', '3'] },
      { type: 'put', keyspace: 'texts', key: 'b', value: 'p1' },
    ],
  ]);
});
