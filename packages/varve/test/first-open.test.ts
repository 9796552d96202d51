/** A first open that dies, however often, leaves nothing that stops the next one. */
import { expect, onTestFinished, test } from 'vitest';
import { open, utf8 } from 'varve';
import { MemoryFs } from 'varve/testing';

test('a directory with nothing but a manifest that was never completed is a new database', async () => {
  const fs = new MemoryFs();
  fs.makeDirectory('/db');
  // The names of earlier attempts were lost with the power; this one was begun and not written.
  fs.open('/db/MANIFEST-000003', 'create').close();
  const db = await open('/db', { fileSystem: fs });
  onTestFinished(() => db.close());
  db.keyspace('data', { key: utf8, value: utf8 }).put('a', '1');
  expect(db.keyspaces()).toEqual(['data']);
});
