/** Work for several threads at once, all on one key. */
import type { Database, Keyspace } from 'varve';

/** Adds one to a number, so many times, in transactions that lock it first and let others run in between. */
export async function countUp(
  db: Database,
  data: Keyspace<string, string>,
  key: string,
  times: number,
): Promise<void> {
  for (let i = 0; i < times; i++) {
    await db.transaction(async (tx) => {
      const before = await tx.getForUpdate(data, key);
      await Promise.resolve();
      tx.put(data, key, String(Number(before) + 1));
    });
  }
}
