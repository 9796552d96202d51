/** A keyspace that can not compact any more must not stop the writers of the others. */
import { expect, onTestFinished, test } from 'vitest';
import { open, utf8 } from 'varve';
import { FaultFs, MemoryFs } from 'varve/testing';

test('after a failed compaction writes to every keyspace go on, however many files gather', async () => {
  const fs = new FaultFs(new MemoryFs());
  const db = await open('/db', { fileSystem: fs, pressure: 'fail' });
  onTestFinished(() => db.close());
  const bad = db.keyspace('bad', { key: utf8, value: utf8 });
  const good = db.keyspace('good', { key: utf8, value: utf8 });
  const warned = new Promise((resolve) => db.events.addEventListener('warning', resolve, { once: true }));
  const heal = fs.add({ kind: 'EIO', operations: ['open'], path: /\.sst$/ });
  bad.put('a', '0');
  // Tables are created, which is another operation than opening them to read.
  for (let i = 0; i < 8; i++) {
    bad.put(`k${i}`, 'v');
    await db.flush().catch(() => undefined);
  }
  await db.compact({ keyspace: 'bad' }).catch(() => undefined);
  await warned;
  heal();
  for (let i = 0; i < 45; i++) {
    bad.put(`k${i}`, 'v');
    await db.flush();
  }
  good.put('still', 'written');
  expect(good.get('still')).toBe('written');
  expect(db.stats().pressure.state).toBe('none');
});
