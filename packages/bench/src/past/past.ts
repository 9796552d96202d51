/**
 * The command `past`: what it costs to keep the past of a keyspace, and how fast it is read. Every round makes its database
 * anew and takes turns between what is compared; medians of the rounds are what counts.
 */
import { type Database, type Keyspace, open } from 'varve';
import { KeyBuffer } from '../keys.ts';
import { claimDirectory, removeDatabase } from '../own-directory.ts';
import { Random } from '../random.ts';
import { median } from '../threads/ratio.ts';
import { ValuePool } from '../values.ts';
import { parsePast, type PastBenchOptions, pastHelp } from './options.ts';

const KEY_SIZE = 16;
const VALUE_SIZE = 100;
const SEED = 302;
const OWNER = 'bench';
const DAY_MS = 24 * 3_600_000;
const CHANGED = 1000;
const VERSIONS = 100;
/** Puts between two turns of the event loop. */
const TURN = 1000;

type Data = Keyspace<Uint8Array, Uint8Array>;
type Results = Map<string, number[]>;

/** Resolves with true: what is slow is no failure. */
export async function measurePast(args: readonly string[]): Promise<boolean> {
  const options = parsePast(args);
  if (options === undefined) {
    console.log(pastHelp);
    return true;
  }
  claimDirectory(options.db, OWNER);
  const results: Results = new Map();
  try {
    for (let round = 0; round < options.rounds; round++) await measureRound(options, round, results);
  } finally {
    await removeDatabase(options.db, OWNER);
  }
  console.log(
    `medians of ${options.rounds} rounds, ${options.num} entries of ${KEY_SIZE} + ${VALUE_SIZE} bytes`,
  );
  for (const [name, values] of results) {
    const shown = [median(values), Math.min(...values), Math.max(...values)].map(show);
    console.log(`${name.padEnd(60)} ${shown[0]!.padStart(12)}   (${shown[1]} to ${shown[2]})`);
  }
  return true;
}

async function measureRound(options: PastBenchOptions, round: number, results: Results): Promise<void> {
  await removeDatabase(options.db, OWNER);
  const db = await open(options.db, { sync: 'manual' });
  const plain = db.keyspace('plain');
  const kept = db.keyspace('kept', { retention: { ms: DAY_MS } });
  const note = (name: string, value: number): void => {
    const known = results.get(name);
    if (known === undefined) results.set(name, [value]);
    else known.push(value);
  };
  const random = new Random(SEED + round);
  const [first, second] = round % 2 === 0 ? [plain, kept] : [kept, plain];
  const puts = new Map<Data, number>();
  for (const data of [first, second]) puts.set(data, await fill(options, data, random));
  note('puts, kept over not kept, x', puts.get(kept)! / puts.get(plain)!);

  const then = db.stats().sequence;
  const key = new KeyBuffer(KEY_SIZE);
  const values = new ValuePool(VALUE_SIZE, random);
  for (let i = 0; i < CHANGED; i++) {
    key.set(random.below(options.num));
    kept.put(key.bytes, values.next());
  }
  await db.flush();
  await gets(options, db, kept, then, round, note);
  diffs(db, kept, then, note);

  key.set(0);
  for (let i = 0; i < VERSIONS; i++) kept.put(key.bytes, values.next());
  const started = performance.now();
  const calls = 1000;
  for (let i = 0; i < calls; i++) kept.history(key.bytes);
  note(`history of ${VERSIONS} versions, a second`, calls / ((performance.now() - started) / 1000));
  await db.close();
}

/** Random puts, each key once in the middle: a second. */
async function fill({ num }: PastBenchOptions, data: Data, random: Random): Promise<number> {
  const key = new KeyBuffer(KEY_SIZE);
  const values = new ValuePool(VALUE_SIZE, random);
  const started = performance.now();
  for (let i = 0; i < num; i++) {
    key.set(random.below(num));
    data.put(key.bytes, values.next());
    if (i % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return num / ((performance.now() - started) / 1000);
}

async function gets(
  { num }: PastBenchOptions,
  db: Database,
  data: Data,
  then: number,
  round: number,
  note: (name: string, value: number) => void,
): Promise<void> {
  using past = db.at(then);
  const key = new KeyBuffer(KEY_SIZE);
  const rateOf = (get: () => unknown): number => {
    const random = new Random(SEED);
    const count = Math.min(num, 200_000);
    const started = performance.now();
    for (let i = 0; i < count; i++) {
      key.set(random.below(num));
      get();
    }
    return count / ((performance.now() - started) / 1000);
  };
  const now = (): unknown => data.get(key.bytes);
  const before = (): unknown => past.get(data, key.bytes);
  // Warm: what either finds in the cache is the same.
  rateOf(now);
  const [a, b] = round % 2 === 0 ? [rateOf(now), rateOf(before)] : [rateOf(before), rateOf(now)];
  const [ofNow, ofPast] = round % 2 === 0 ? [a, b] : [b, a];
  note('gets of a past state over gets of now, x', ofPast / ofNow);
  await new Promise((resolve) => setImmediate(resolve));
}

function diffs(db: Database, data: Data, then: number, note: (name: string, value: number) => void): void {
  let started = performance.now();
  let differences = 0;
  for (const _ of db.diff(then, undefined, { keyspace: data })) differences++;
  note(`difference of ${CHANGED} changes, ms`, performance.now() - started);
  started = performance.now();
  // Backwards it walks both states.
  let walked = 0;
  for (const _ of db.diff(then, undefined, { keyspace: data, reverse: true })) walked++;
  note('the same by walking both states, ms', performance.now() - started);
  if (walked !== differences) throw new Error(`the two ways differ: ${differences} and ${walked}`);
}

function show(value: number): string {
  const digits = value < 10 ? 2 : 0;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
