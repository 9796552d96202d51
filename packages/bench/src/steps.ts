/**
 * What the workloads do, operation by operation, over any store. Each function makes a *step*: it performs the
 * operations numbered [from, to) in its own tight loop and returns how many it could do, so that timing costs nothing
 * where it would distort. A step is synchronous as long as the store is.
 */
import { ChunkFiller, type KeyOrder } from './chunk.ts';
import { KeyBuffer } from './keys.ts';
import type { Bench, Maybe, ScanForm, Step, Store, Writes } from './store.ts';

/** Keys per call of getMany. */
const MANY = 100;
/** Puts that wait for the disk at the same time. */
const SYNCED_LANES = 64;
/** Reads for each put of `readwhilewriting`. */
export const READS_PER_WRITE = 10;
/** One key in this many is hot. */
const HOT_SHARE = 100;

type Write = (store: Store, writes: Writes) => Maybe<void>;

const putEach: Write = (store, writes) => store.putEach(writes);
const putBatch: Write = (store, writes) => store.putBatch(writes);
const deleteEach: Write = (store, writes) => store.deleteEach(writes);
const deleteBatch: Write = (store, writes) => store.deleteBatch(writes);

/** Puts, one by one or in batches as the bench says; `batch` insists on batches. */
export function fill(bench: Bench, order: KeyOrder, batch: boolean = bench.writing === 'batch'): Step {
  return writeStep(bench, order, batch ? putBatch : putEach);
}

export function remove(bench: Bench): Step {
  return writeStep(bench, 'random', bench.writing === 'batch' ? deleteBatch : deleteEach);
}

function writeStep(bench: Bench, order: KeyOrder, write: Write): Step {
  const filler = new ChunkFiller(bench, order);
  return {
    run(from, to) {
      const done = write(bench.store, filler.fill(from, to));
      return done === undefined ? to - from : done.then(() => to - from);
    },
  };
}

/** Puts that are awaited until they are on the disk, 64 of them at any time. */
export function fillSynced(bench: Bench): Step {
  const { store, entries, random, values, keySize } = bench;
  return {
    async run(from, to) {
      let next = from;
      const lane = async (): Promise<void> => {
        const key = new KeyBuffer(keySize);
        while (next++ < to) {
          key.set(random.below(entries));
          await store.putSynced(key.bytes, values.next());
        }
      };
      await Promise.all(Array.from({ length: SYNCED_LANES }, lane));
      return to - from;
    },
  };
}

export interface Lookup {
  /** Ask for keys that are not there. */
  missing?: boolean;
  /** Ask for the first hundredth of the keys only. */
  hot?: boolean;
  /** With the store's get that lends its result. */
  borrowed?: boolean;
}

export function lookUp(bench: Bench, { missing = false, hot = false, borrowed = false }: Lookup): Step {
  const { store, entries, random } = bench;
  const key = new KeyBuffer(bench.keySize);
  const bytes = missing ? key.missing : key.bytes;
  const bound = hot ? Math.ceil(entries / HOT_SHARE) : entries;
  const getBorrowed = store.getBorrowed;
  let found = 0;
  return {
    run:
      borrowed && getBorrowed !== undefined
        ? (from, to) => {
            for (let i = from; i < to; i++) {
              key.set(random.below(bound));
              if (getBorrowed(bytes) !== undefined) found++;
            }
            return to - from;
          }
        : (from, to) => {
            for (let i = from; i < to; i++) {
              key.set(random.below(bound));
              if (store.get(bytes) !== undefined) found++;
            }
            return to - from;
          },
    get found() {
      return found;
    },
  };
}

/** One thread: a put for every ten gets. A put that is under way is awaited at the end of the chunk. */
export function lookUpWhileWriting(bench: Bench): Step {
  const { store, entries, random } = bench;
  const key = new KeyBuffer(bench.keySize);
  const filler = new ChunkFiller(bench, 'random');
  let found = 0;
  return {
    run(from, to) {
      const pending: Promise<void>[] = [];
      for (let i = from; i < to; i++) {
        key.set(random.below(entries));
        if (store.get(key.bytes) !== undefined) found++;
        if (i % READS_PER_WRITE !== 0) continue;
        const put = store.putEach(filler.fill(0, 1));
        if (put !== undefined) pending.push(put);
      }
      return pending.length === 0 ? to - from : Promise.all(pending).then(() => to - from);
    },
    get found() {
      return found;
    },
  };
}

/** Random keys, a hundred per call. An operation is one key. */
export function lookUpMany(bench: Bench): Step {
  const { store, entries, random } = bench;
  const buffers = Array.from({ length: MANY }, () => new KeyBuffer(bench.keySize));
  const keys = buffers.map((buffer) => buffer.bytes);
  let found = 0;
  const call = (count: number): Maybe<number> => {
    for (let i = 0; i < count; i++) buffers[i]!.set(random.below(entries));
    return store.getMany(count === MANY ? keys : keys.slice(0, count));
  };
  const finish = async (first: Promise<number>, from: number, to: number): Promise<void> => {
    found += await first;
    for (let i = from; i < to; i += MANY) found += await call(Math.min(MANY, to - i));
  };
  return {
    run(from, to) {
      for (let i = from; i < to; i += MANY) {
        const answered = call(Math.min(MANY, to - i));
        if (typeof answered === 'number') found += answered;
        else return finish(answered, i + MANY, to).then(() => to - from);
      }
      return to - from;
    },
    get found() {
      return found;
    },
  };
}

/** All entries once, in order. */
export function readInOrder(bench: Bench, reverse: boolean, form: ScanForm): Step {
  const scan = bench.store.scan(reverse, form);
  return { run: (from, to) => scan.next(to - from), close: () => scan.close() };
}

/** Seeks to random keys, each with a cursor of its own, and reads the entries that follow. */
export function seekRandom(bench: Bench, form: ScanForm): Step {
  const { store, entries, random } = bench;
  const key = new KeyBuffer(bench.keySize);
  const count = Math.max(1, bench.seekNexts);
  let found = 0;
  const seek = (): Maybe<number> => {
    key.set(random.below(entries));
    return store.seekScan(key.bytes, count, form);
  };
  const finish = async (first: Promise<number>, from: number, to: number): Promise<void> => {
    if ((await first) > 0) found++;
    for (let i = from; i < to; i++) if ((await seek()) > 0) found++;
  };
  return {
    run(from, to) {
      for (let i = from; i < to; i++) {
        const read = seek();
        if (typeof read !== 'number') return finish(read, i + 1, to).then(() => to - from);
        if (read > 0) found++;
      }
      return to - from;
    },
    get found() {
      return found;
    },
  };
}

/** A call that counts as one operation. */
export function once(call: () => Maybe<void>): Step {
  return {
    run(from, to) {
      const done = call();
      return done === undefined ? to - from : done.then(() => to - from);
    },
  };
}
