/**
 * The command `changes`: changes a second of a consumer that catches up with single puts, and the time from a put to the live tail
 * of each class. Every round makes its database anew; medians of the rounds are what counts.
 */
import { type ChangeFeed, type Database, open, utf8 } from 'varve';
import { KeyBuffer } from '../keys.ts';
import { claimDirectory, removeDatabase } from '../own-directory.ts';
import { Random } from '../random.ts';
import { ValuePool } from '../values.ts';
import { type ChangesBenchOptions, changesHelp, parseChanges } from './options.ts';

const KEY_SIZE = 16;
const VALUE_SIZE = 100;
const SEED = 301;
const OWNER = 'bench';
const GIB = 1024 ** 3;
/** Puts between two turns of the event loop. */
const TURN = 1000;

type Results = Map<string, number[]>;

/** Resolves with true: what is slow is no failure. */
export async function measureChanges(args: readonly string[]): Promise<boolean> {
  const options = parseChanges(args);
  if (options === undefined) {
    console.log(changesHelp);
    return true;
  }
  claimDirectory(options.db, OWNER);
  const results: Results = new Map();
  try {
    for (let round = 0; round < options.rounds; round++) await measureRound(options, results);
  } finally {
    await removeDatabase(options.db, OWNER);
  }
  console.log(
    `medians of ${options.rounds} rounds, ${options.num} puts of ${KEY_SIZE} + ${VALUE_SIZE} bytes`,
  );
  for (const [name, values] of results) {
    const sorted = values.sort((a, b) => a - b);
    const [least, most] = [sorted[0]!, sorted.at(-1)!];
    console.log(`${name.padEnd(44)} ${show(median(sorted))}   (${show(least)} to ${show(most)})`);
  }
  return true;
}

async function measureRound(options: ChangesBenchOptions, results: Results): Promise<void> {
  await removeDatabase(options.db, OWNER);
  const db = await open(options.db, {
    changesRetention: { bytes: 4 * GIB, bytesMax: 8 * GIB },
  });
  const data = db.keyspace('bench');
  const other = db.keyspace('other');
  other.put(Uint8Array.of(1), Uint8Array.of(1));
  const values = new ValuePool(VALUE_SIZE, new Random(SEED));
  const key = new KeyBuffer(KEY_SIZE);
  const first = db.changes();
  const since = first.token;
  first.close();
  for (let i = 0; i < options.num; i++) {
    key.set(i);
    data.put(key.bytes, values.next());
    if (i % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  other.put(Uint8Array.of(2), Uint8Array.of(2));
  await db.sync('disk');
  const note = (name: string, value: number): void => {
    const known = results.get(name);
    if (known === undefined) results.set(name, [value]);
    else known.push(value);
  };
  note('catch up, changes a second', await rate(options, db.changes({ since })));
  note('of a keyspace by name', await rate(options, db.changes({ since, keyspaces: ['bench', 'other'] })));
  note('all but one left out', await rate(options, db.changes({ since, keyspaces: [other] })));
  await db.close();

  const again = await open(options.db, { changesRetention: { bytes: 4 * GIB, bytesMax: 8 * GIB } });
  note('after a reopen', await rate(options, again.changes({ since })));
  await measureLive(options, again, 'os', note);
  await measureLive(options, again, 'disk', note);
  await again.close();
}

/** Changes a second up to the last one; those that a filter leaves out count. */
async function rate(options: ChangesBenchOptions, feed: ChangeFeed<unknown, unknown>): Promise<number> {
  const from = feed.token.sequence;
  const last = from + options.num + 1;
  const started = performance.now();
  for await (const { sequence } of feed) if (sequence >= last) break;
  return Math.round((last - from) / ((performance.now() - started) / 1000));
}

/** Microseconds from a put, awaited at the class, to its change; one at a time. */
async function measureLive(
  { live }: ChangesBenchOptions,
  db: Database,
  durability: 'os' | 'disk',
  note: (name: string, value: number) => void,
): Promise<void> {
  const data = db.keyspace('live', { key: utf8, value: utf8 });
  const feed = db.changes({ durability });
  const shown: number[] = [];
  const written: number[] = [];
  for (let i = 0; i < live; i++) {
    const next = feed.next();
    const started = performance.now();
    const put = data
      .put(`key ${i}`, 'value', { durability })
      .then(() => written.push(performance.now() - started));
    await next;
    shown.push(performance.now() - started);
    await put;
  }
  feed.close();
  const sorted = shown.sort((a, b) => a - b);
  note(`live, ${durability}: put to change, p50, us`, Math.round(median(sorted) * 1000));
  note(`live, ${durability}: put to change, p99, us`, Math.round(sorted[Math.floor(live * 0.99)]! * 1000));
  const writes = written.sort((a, b) => a - b);
  note(`live, ${durability}: the awaited put alone, p50, us`, Math.round(median(writes) * 1000));
}

function median(sorted: readonly number[]): number {
  return sorted[sorted.length >> 1]!;
}

function show(value: number): string {
  return value.toLocaleString('en-US').padStart(11);
}
