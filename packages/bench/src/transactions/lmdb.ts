/** lmdb: its two kinds of transactions, of which lmdb-js commits the asynchronous ones together. */
import { setImmediate as turn } from 'node:timers/promises';
import { open } from 'lmdb';
import { KeyBuffer } from '../keys.ts';
import { Random } from '../random.ts';
import { ValuePool } from '../values.ts';
import { type Forms, type Job, KEY_SIZE, oneByOne, STRIDE } from './job.ts';

export async function lmdbForms({ path, keys, valueSize, seed }: Job): Promise<Forms> {
  const db = open<Uint8Array, Uint8Array>({ path, encoding: 'binary', keyEncoding: 'binary', noSync: true });
  const random = new Random(seed);
  const values = new ValuePool(valueSize, random);
  const key = new KeyBuffer(KEY_SIZE);
  for (let from = 0; from < keys; from += STRIDE) {
    db.transactionSync(() => {
      for (let i = from; i < Math.min(keys, from + STRIDE); i++) {
        key.set(i);
        db.putSync(key.bytes, values.next());
      }
    });
    await turn();
  }
  const change = (): void => {
    db.getBinary(key.bytes);
    db.putSync(key.bytes, values.next());
  };
  return {
    forms: [
      oneByOne('transactionSync', key, keys, random, () => db.transactionSync(change)),
      {
        name: `transaction, ${STRIDE} at once`,
        async run(end) {
          let count = 0;
          while (performance.now() < end) {
            const made: Promise<void>[] = [];
            for (let i = 0; i < STRIDE; i++) {
              const own = new KeyBuffer(KEY_SIZE);
              own.set(random.below(keys));
              made.push(
                db.transaction(() => {
                  db.getBinary(own.bytes);
                  void db.put(own.bytes, values.next());
                }),
              );
            }
            await Promise.all(made);
            count += STRIDE;
          }
          return count;
        },
      },
    ],
    close: () => db.close(),
  };
}
