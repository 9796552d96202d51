/**
 * The workloads, with the names and the meaning of LevelDB's db_bench (benchmarks/db_bench.cc): what each does per
 * operation, and whether it starts from a fresh database.
 *
 * Each workload makes a *step*: a function that performs the operations numbered [from, to) in its own tight loop and
 * returns how many it could do. The runner calls it for one operation when it times that one, and for many otherwise,
 * so that timing costs nothing where it would distort.
 */
import type { Bytes, Keyspace } from 'varve';
import { KeyBuffer } from './keys.ts';
import type { Random } from './random.ts';
import type { ValuePool } from './values.ts';

/** What a workload works on. */
export interface Bench {
  readonly keyspace: Keyspace<Bytes, Bytes>;
  /** Number of entries; keys are numbers in [0, entries). */
  readonly entries: number;
  readonly keySize: number;
  readonly random: Random;
  readonly values: ValuePool;
}

export interface Step {
  /** Performs the operations [from, to); returns their number, less only when there is nothing left to read. */
  run(from: number, to: number): number;
  /** Reads that found their key; undefined where nothing is looked up. */
  readonly found?: number;
  close?(): void;
}

/** The order in which keys are written, by number. */
export type KeyOrder = 'sequential' | 'random';

export type Workload = {
  readonly name: string;
  readonly summary: string;
} & (
  | { readonly kind: 'write'; readonly order: KeyOrder; readonly fresh: boolean }
  | { readonly kind: 'lookup' | 'scan'; start(bench: Bench): Step }
);

export const workloads: readonly Workload[] = [
  {
    name: 'fillseq',
    summary: 'put N entries in key order into a fresh database',
    kind: 'write',
    order: 'sequential',
    fresh: true,
  },
  {
    name: 'fillrandom',
    summary: 'put N entries with random keys into a fresh database (about 63 % of the keys get written)',
    kind: 'write',
    order: 'random',
    fresh: true,
  },
  {
    name: 'overwrite',
    summary: 'put N entries with random keys into the existing database',
    kind: 'write',
    order: 'random',
    fresh: false,
  },
  { name: 'readrandom', summary: 'get N random keys', kind: 'lookup', start: readRandom },
  {
    name: 'readmissing',
    summary: 'get N random keys that are not there',
    kind: 'lookup',
    start: readMissing,
  },
  {
    name: 'readseq',
    summary: 'read N entries in key order with a cursor',
    kind: 'scan',
    start: (bench) => readInOrder(bench, false),
  },
  {
    name: 'readreverse',
    summary: 'read N entries in reverse order with a cursor',
    kind: 'scan',
    start: (bench) => readInOrder(bench, true),
  },
  {
    name: 'seekrandom',
    summary: 'open a cursor, seek to a random key, close it; N times',
    kind: 'lookup',
    start: seekRandom,
  },
];

/** Plain puts: visible at once, handed to the system in the background (durability `memory`). */
export function startPuts(bench: Bench, order: KeyOrder): Step {
  const { keyspace, entries, random, values } = bench;
  const key = new KeyBuffer(bench.keySize);
  const sequential = order === 'sequential';
  return {
    run(from, to) {
      for (let i = from; i < to; i++) {
        key.set(sequential ? i : random.below(entries));
        keyspace.put(key.bytes, values.next());
      }
      return to - from;
    },
  };
}

function readRandom(bench: Bench): Step {
  const { keyspace, entries, random } = bench;
  const key = new KeyBuffer(bench.keySize);
  let found = 0;
  return {
    run(from, to) {
      for (let i = from; i < to; i++) {
        key.set(random.below(entries));
        if (keyspace.get(key.bytes) !== undefined) found++;
      }
      return to - from;
    },
    get found() {
      return found;
    },
  };
}

function readMissing(bench: Bench): Step {
  const { keyspace, entries, random } = bench;
  const key = new KeyBuffer(bench.keySize);
  let found = 0;
  return {
    run(from, to) {
      for (let i = from; i < to; i++) {
        key.set(random.below(entries));
        if (keyspace.get(key.missing) !== undefined) found++;
      }
      return to - from;
    },
    get found() {
      return found;
    },
  };
}

function readInOrder(bench: Bench, reverse: boolean): Step {
  const cursor = bench.keyspace.range({ reverse }).cursor();
  let bytes = 0;
  return {
    run(from, to) {
      for (let i = from; i < to; i++) {
        if (!cursor.next()) return i - from;
        bytes += cursor.key.length + cursor.value.length;
      }
      return to - from;
    },
    close() {
      cursor.close();
      // Also keeps the sum, and with it the reads, from being optimized away.
      if (!Number.isSafeInteger(bytes)) throw new Error('more bytes than a number can count');
    },
  };
}

function seekRandom(bench: Bench): Step {
  const { keyspace, entries, random } = bench;
  const key = new KeyBuffer(bench.keySize);
  let found = 0;
  return {
    run(from, to) {
      for (let i = from; i < to; i++) {
        key.set(random.below(entries));
        const cursor = keyspace.range().cursor();
        if (cursor.seek(key.bytes) && sameBytes(cursor.key, key.bytes)) found++;
        cursor.close();
      }
      return to - from;
    },
    get found() {
      return found;
    },
  };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
