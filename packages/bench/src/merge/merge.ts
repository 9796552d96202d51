/**
 * The command `merge`: what counting by `merge` costs beside `update` and a plain `put`, and what reads of merged keys cost.
 */
import { counter, type Database, type Keyspace, open, u64 } from 'varve';
import { claimDirectory, removeDatabase } from '../own-directory.ts';
import { Random } from '../random.ts';
import { type MergeBenchOptions, mergeHelp, parseMerge } from './options.ts';

const SEED = 301;
const OWNER = 'bench';
/** Operations between two turns of the event loop. */
const TURN = 1000;
/** Operands on a key whose reads are measured. */
const CHAINS = [0, 1, 10, 100, 1000];
const READS = 2000;
const READ_GROUP = 20;

type Counts = Keyspace<number | bigint, number | bigint>;
type Way = (counts: Counts, key: number) => unknown;

const ways: Readonly<Record<string, Way>> = {
  merge: (counts, key) => counts.merge(key, 1),
  'update (get, then put)': (counts, key) => counts.update(key, (old) => Number(old ?? 0) + 1),
  'put, without reading': (counts, key) => counts.put(key, 1),
  'merge and get in turn': (counts, key) => {
    counts.merge(key, 1);
    return counts.get(key);
  },
};

/** Resolves with true: what is slow is no failure. */
export async function measureMerge(args: readonly string[]): Promise<boolean> {
  const options = parseMerge(args);
  if (options === undefined) {
    console.log(mergeHelp);
    return true;
  }
  claimDirectory(options.db, OWNER);
  try {
    console.log(`${options.num} operations on ${options.keys} keys; counters of 8 bytes, operator counter`);
    for (let round = 0; round < options.rounds; round++) {
      for (const [name, way] of Object.entries(ways)) await measureWay(options, name, way);
    }
    for (let round = 0; round < options.rounds; round++) await measureReads(options);
  } finally {
    await removeDatabase(options.db, OWNER);
  }
  return true;
}

async function opened({ db: path }: MergeBenchOptions): Promise<{ db: Database; counts: Counts }> {
  await removeDatabase(path, OWNER);
  const db = await open(path);
  return { db, counts: db.keyspace('counts', { key: u64, value: u64, mergeOperator: counter }) };
}

async function measureWay(options: MergeBenchOptions, name: string, way: Way): Promise<void> {
  const { db, counts } = await opened(options);
  const random = new Random(SEED);
  const turns: number[] = [];
  for (let i = 0; i < options.num; i += TURN) {
    const started = performance.now();
    for (let j = 0; j < TURN; j++) way(counts, random.below(options.keys));
    turns.push((performance.now() - started) / TURN);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await db.sync('os');
  show(name, turns);
  await db.flush();
  let sum = 0;
  for (const value of counts.range().values()) sum += Number(value);
  if (!name.startsWith('put') && sum !== turns.length * TURN) throw new Error(`${name} counted to ${sum}`);
  await db.close();
}

/** Gets of keys in the memtable that were not read before, and again. */
async function measureReads(options: MergeBenchOptions): Promise<void> {
  for (const chain of CHAINS) {
    const { db, counts } = await opened(options);
    const keys = Math.min(READS, Math.floor(500_000 / Math.max(1, chain)));
    for (let key = 0; key < keys; key++) {
      counts.put(key, 0);
      for (let i = 0; i < chain; i++) counts.merge(key, 1);
      if (key % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    readAll(`get, ${chain} operands, the first time`, counts, keys, chain);
    readAll(`get, ${chain} operands, again`, counts, keys, chain);
    await db.flush();
    readAll(`get, ${chain} operands, flushed`, counts, keys, chain);
    await db.close();
  }
}

function readAll(name: string, counts: Counts, keys: number, expected: number): void {
  const times: number[] = [];
  for (let from = 0; from < keys; from += READ_GROUP) {
    const started = performance.now();
    for (let key = from; key < from + READ_GROUP; key++) {
      if (counts.get(key) !== expected) throw new Error(`key ${key} is ${String(counts.get(key))}`);
    }
    times.push((performance.now() - started) / READ_GROUP);
  }
  show(name, times);
}

/** The median of neighbouring groups of operations: what else runs on the machine meets some of them only. */
function show(name: string, msEach: readonly number[]): void {
  const median = msEach.toSorted((a, b) => a - b)[msEach.length >>> 1]!;
  const rate = Math.round(1000 / median).toLocaleString('en-US');
  console.log(`${name.padEnd(40)}${rate.padStart(14)} /s${(median * 1000).toFixed(2).padStart(12)} us`);
}
