/** Calls that give a promise reject; they never throw. */
import { expect, onTestFinished, test } from 'vitest';
import { open, utf8 } from 'varve';

test('an awaited write that is refused rejects instead of throwing', async () => {
  const db = await open(':memory:');
  onTestFinished(() => db.close());
  const data = db.keyspace('data', { key: utf8, value: utf8 });
  const wrong = 7 as unknown as string;
  const wait = { durability: 'os' } as const;
  await expect(data.put(wrong, 'v', wait)).rejects.toMatchObject({ code: 'KEY_INVALID' });
  await expect(data.put('k', wrong, wait)).rejects.toMatchObject({ code: 'VALUE_INVALID' });
  await expect(data.delete(wrong, wait)).rejects.toMatchObject({ code: 'KEY_INVALID' });
  await expect(data.deleteRange({ gte: 'b', lt: 'a' }, wait)).rejects.toMatchObject({
    code: 'RANGE_INVALID',
  });
  await expect(db.write({} as never, wait)).rejects.toMatchObject({ code: 'BATCH_FOREIGN' });
  await db.close();
  await expect(data.put('k', 'v', wait)).rejects.toMatchObject({ code: 'CLOSED' });
});
