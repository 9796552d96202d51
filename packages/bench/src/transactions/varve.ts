/** Varve: bare get and put, a transaction around them in several forms, many writers on few keys, reads beside a snapshot. */
import { setImmediate as turn } from 'node:timers/promises';
import { type Bytes, type Keyspace, open, type Transaction, VarveError } from 'varve';
import { KeyBuffer } from '../keys.ts';
import { Random } from '../random.ts';
import { ValuePool } from '../values.ts';
import { type Form, type Forms, type Job, KEY_SIZE, oneByOne, STRIDE } from './job.ts';

type Data = Keyspace<Bytes, Bytes>;

export async function varveForms(job: Job): Promise<Forms> {
  const { keys, hotKeys, writers, valueSize, seed, path } = job;
  const db = await open(path, { memoryBytesMax: 384 * 2 ** 20, cacheBytesMax: 256 * 2 ** 20 });
  const data: Data = db.keyspace('bench');
  const random = new Random(seed);
  const values = new ValuePool(valueSize, random);
  const key = new KeyBuffer(KEY_SIZE);
  for (let i = 0; i < keys; i++) {
    key.set(i);
    data.put(key.bytes, values.next());
    if (i % STRIDE === 0) await turn();
  }
  await db.flush();
  await db.compact();

  const single = (name: string, operate: () => unknown): Form => oneByOne(name, key, keys, random, operate);
  const change = (tx: Transaction): void => {
    tx.get(data, key.bytes);
    tx.put(data, key.bytes, values.next());
  };
  /** Several that give way between their read and their write, each on keys that `pick` draws for it. */
  const crowd = (name: string, pick: (writer: number) => number): Form => ({
    name,
    async run(end) {
      let count = 0;
      const write = async (writer: number): Promise<void> => {
        const own = new KeyBuffer(KEY_SIZE);
        while (performance.now() < end) {
          own.set(pick(writer));
          try {
            await db.transaction(
              async (tx) => {
                tx.get(data, own.bytes);
                await Promise.resolve();
                tx.put(data, own.bytes, values.next());
              },
              { retriesMax: 100 },
            );
            count++;
          } catch (error) {
            if (!(error instanceof VarveError) || error.kind !== 'conflict') throw error;
          }
        }
      };
      await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
      return count;
    },
  });
  const share = Math.floor(hotKeys / writers);
  const get = (): unknown => data.get(key.bytes);
  const forms: Form[] = [
    single('bare', () => {
      data.get(key.bytes);
      data.put(key.bytes, values.next());
    }),
    single('transaction', () => db.transaction(change)),
    single('begin', () => {
      const tx = db.begin();
      change(tx);
      tx.commit();
    }),
    single('snapshot isolation', () => db.transaction(change, { isolation: 'snapshot' })),
    single('getForUpdate', () =>
      db.transaction(async (tx) => {
        await tx.getForUpdate(data, key.bytes);
        tx.put(data, key.bytes, values.next());
      }),
    ),
    crowd('apart', (writer) => writer * share + random.below(share)),
    crowd('hot', () => random.below(hotKeys)),
    single('get', get),
    {
      name: 'get, snapshot held',
      async run(end) {
        const snapshot = db.snapshot();
        const count = await single('', get).run(end);
        snapshot.close();
        return count;
      },
    },
  ];
  return { forms, close: () => db.close() };
}
