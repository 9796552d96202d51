/**
 * Loads and asks a store as YCSB does: keys are "user" and the hash of the record's number in hexadecimal, values are 1 KB.
 * Every request is complete before the next one begins; scans take a key and a value object for each record.
 */
import { CHUNK } from '../../chunk.ts';
import { hashNumber } from './fnv.ts';
import { INSERT, MODIFY, READ, type Requests, SCAN } from './requests.ts';
import type { Maybe, Step, Store, ValueSource, Writes } from '../../store.ts';

export const RECORD_BYTES = 1_000;
const PREFIX = Buffer.from('user');
const HEX_DIGITS = 16;
const HEX = Buffer.from('0123456789abcdef');
export const KEY_BYTES: number = PREFIX.length + HEX_DIGITS;

/** Writes the key of a record into `key`. */
export function setRecordKey(key: Uint8Array, record: number): void {
  const { high, low } = hashNumber(record);
  for (let i = 0; i < 8; i++) {
    key[PREFIX.length + i] = HEX[(high >>> (28 - 4 * i)) & 15]!;
    key[PREFIX.length + 8 + i] = HEX[(low >>> (28 - 4 * i)) & 15]!;
  }
}

export function newRecordKey(): Uint8Array {
  const key = new Uint8Array(KEY_BYTES);
  key.set(PREFIX);
  return key;
}

/** Puts the records [from, to) in the order of their numbers, which is random order of their keys; in batches. */
export function loadRecords(store: Store, values: ValueSource): Step {
  const keys = Array.from({ length: CHUNK }, newRecordKey);
  const writes: Writes = { keys, values: keys.map(() => new Uint8Array(0)), count: 0 };
  return {
    run(from, to) {
      for (let i = from; i < to; i++) {
        setRecordKey(keys[i - from]!, i);
        writes.values[i - from] = values.next();
      }
      writes.count = to - from;
      const done = store.putBatch(writes);
      return done === undefined ? to - from : done.then(() => to - from);
    },
  };
}

export function answer(store: Store, requests: Requests, values: ValueSource): Step {
  const { kinds, records, lengths } = requests;
  const key = newRecordKey();
  let found = 0;
  const read = (): void => {
    if (store.get(key) !== undefined) found++;
  };
  const one = (i: number): Maybe<number | void> => {
    setRecordKey(key, records[i]!);
    const kind = kinds[i];
    if (kind === READ) return read();
    if (kind === SCAN) return store.seekScan(key, lengths[i]!, 'objects');
    if (kind === MODIFY) read();
    else if (kind === INSERT) found++;
    return store.put(key, values.next());
  };
  const finish = async (pending: Promise<unknown>, from: number, to: number): Promise<void> => {
    await pending;
    for (let i = from; i < to; i++) {
      const next = one(i);
      if (next instanceof Promise) await next;
    }
  };
  return {
    run(from, to) {
      for (let i = from; i < to; i++) {
        const pending = one(i);
        if (pending instanceof Promise) return finish(pending, i + 1, to).then(() => to - from);
      }
      return to - from;
    },
    get found() {
      return found;
    },
  };
}
