/** What is listed as prepared: under the ids that were given, after reopenings and in readers. */
import { open } from 'varve';
import { MemoryFs } from 'varve/testing';
import { expect, onTestFinished, test } from 'vitest';
import { texts } from './in-memory.ts';

test('an id is what it was given as, also with a byte order mark in front', async () => {
  const fileSystem = new MemoryFs();
  let db = await open('/db', { fileSystem });
  const ids = ['\uFEFFa', 'a', '\uFEFF'];
  for (const id of ids) {
    const tx = db.begin();
    tx.put(texts(db), `key of ${id}`, 'v');
    await tx.prepare(id);
  }
  await db.rollbackPrepared('\uFEFFa', { durability: 'disk' });
  await db.close();
  db = await open('/db', { fileSystem });
  onTestFinished(() => db.close());
  expect(db.preparedTransactions().map(({ id }) => id)).toEqual(['a', '\uFEFF']);
  db.commitPrepared('a');
  expect(texts(db).get('key of a')).toBe('v');
});

test('a reader follows what is prepared and decided, also by a writer that was opened again', async () => {
  const fileSystem = new MemoryFs();
  let db = await open('/db', { fileSystem });
  const prepare = async (id: string): Promise<void> => {
    const tx = db.begin();
    tx.put(texts(db), id, 'v');
    await tx.prepare(id);
  };
  await prepare('p');
  await db.close();
  const reader = await open('/db', { fileSystem, readOnly: true });
  onTestFinished(() => reader.close());
  const shown = () => reader.preparedTransactions().map(({ id }) => id);
  expect(shown()).toEqual(['p']);
  db = await open('/db', { fileSystem });
  onTestFinished(() => db.close());
  await db.commitPrepared('p', { durability: 'disk' });
  await prepare('q');
  expect(shown()).toEqual(['p']);
  await reader.refresh();
  expect([shown(), texts(reader).get('p')]).toEqual([['q'], 'v']);
  await db.rollbackPrepared('q', { durability: 'disk' });
  await reader.refresh();
  expect(shown()).toEqual([]);
});
