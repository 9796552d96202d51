/** @nxtedition/rocksdb: it has no transactions; a get and a batch of one, which nothing holds together, come nearest. */
import { setImmediate as turn } from 'node:timers/promises';
import { RocksLevel } from '@nxtedition/rocksdb';
import { KeyBuffer } from '../keys.ts';
import { Random } from '../random.ts';
import { ValuePool } from '../values.ts';
import { type Forms, type Job, KEY_SIZE, oneByOne, STRIDE } from './job.ts';

const NONE = {};

export async function rocksForms({ path, keys, valueSize, seed }: Job): Promise<Forms> {
  const db = new RocksLevel(path, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    createIfMissing: true,
    cacheSize: 256 * 2 ** 20,
    compression: false,
    infoLogLevel: 'error',
  });
  await db.open();
  const random = new Random(seed);
  const values = new ValuePool(valueSize, random);
  const key = new KeyBuffer(KEY_SIZE);
  const write = (): void => {
    const batch = db.batch();
    batch._put(key.bytes, values.next(), NONE);
    batch._writeSync(NONE);
    batch._closeSync();
  };
  for (let i = 0; i < keys; i++) {
    key.set(i);
    write();
    if (i % STRIDE === 0) await turn();
  }
  return {
    forms: [
      oneByOne('get and batch', key, keys, random, () => {
        db._getManySync([key.bytes], NONE);
        write();
      }),
    ],
    close: () => db.close(),
  };
}
