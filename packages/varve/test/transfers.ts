/** Bank transfers for tests of several threads: whatever happens the sum stays, and no transfer is lost. */
import type { Database, Keyspace } from 'varve';
import { Random } from 'varve/testing';

export type Accounts = Keyspace<string, number | bigint>;

export const ACCOUNTS = 8;
export const BALANCE = 1000;
export const accountOf = (i: number): string => `account ${i}`;

/** `count` transfers that give way between reading and writing, on serializable and on snapshot isolation, some with locks. */
export async function transfers(
  db: Database,
  accounts: Accounts,
  seed: number,
  count: number,
): Promise<void> {
  const random = new Random(seed);
  for (let i = 0; i < count; i++) {
    const from = accountOf(random.below(ACCOUNTS));
    const to = accountOf(random.below(ACCOUNTS));
    const amount = random.below(10);
    const locks = random.oneIn(3);
    await db.transaction(
      async (tx) => {
        const read = (key: string): Promise<number> =>
          (locks ? tx.getForUpdate(accounts, key) : Promise.resolve(tx.get(accounts, key))).then(Number);
        tx.put(accounts, from, (await read(from)) - amount);
        tx.put(accounts, to, Number(tx.get(accounts, to)) + amount);
        tx.put(accounts, 'transfers', Number(tx.get(accounts, 'transfers')) + 1);
      },
      {
        isolation: random.oneIn(2) ? 'serializable' : 'snapshot',
        retriesMax: 100_000,
        lockTimeoutMs: 60_000,
      },
    );
  }
}

export function sumOf(values: Iterable<readonly [string, number | bigint]>): number {
  let sum = 0;
  for (const [key, value] of values) if (key !== 'transfers') sum += Number(value);
  return sum;
}
