/** What the garbage collector gets back when a program lets go of a database. */
import { open } from 'varve';
import { expect, test } from 'vitest';
import { collectGarbage } from './collect.ts';

test('an unclosed snapshot that the database itself keeps alive does not keep the memory of a closed database', async () => {
  const dropped = await closedDatabase();
  await collectGarbage();
  expect(dropped.deref()).toBeUndefined();
});

async function closedDatabase(): Promise<WeakRef<object>> {
  const db = await open(':memory:');
  const snapshot = db.snapshot();
  db.events.addEventListener('flush', () => snapshot.sequence);
  await db.close();
  return new WeakRef(db.events);
}
