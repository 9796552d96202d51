/** What the garbage collector gets back when a program lets go of a database. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { open } from 'varve';
import { expect, test } from 'vitest';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('an unclosed snapshot that the database itself keeps alive does not keep the memory of a closed database', async () => {
  const dropped = await closedDatabase();
  // A weak reference made or read in this turn holds its target until the turn ends.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  expect(dropped.deref()).toBeUndefined();
});

async function closedDatabase(): Promise<WeakRef<object>> {
  const db = await open(':memory:');
  const snapshot = db.snapshot();
  db.events.addEventListener('flush', () => snapshot.sequence);
  await db.close();
  return new WeakRef(db.events);
}
