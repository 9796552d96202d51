/**
 * The command `async`: what `for await`, `getAsync`, `getManyAsync` and `countAsync` cost and spare, on cold data. Each is
 * measured on a database that was opened just before, beside the synchronous way.
 */
import { type Database, type Keyspace, open } from 'varve';
import { KeyBuffer, scatterStep } from '../keys.ts';
import { claimDirectory, removeDatabase } from '../own-directory.ts';
import { Random } from '../random.ts';
import { ValuePool } from '../values.ts';
import { type LoopDelay, whileWatched } from './loop-delay.ts';
import { type AsyncOptions, asyncHelp, parseAsync } from './options.ts';

const KEY_SIZE = 16;
const SEED = 301;
const TURN_ENTRIES = 1000;
const OWNER = 'bench';

type Bytes = Keyspace<Uint8Array, Uint8Array>;

interface Measure {
  readonly name: string;
  /** What one of `units` is called. */
  readonly unit: string;
  readonly units: number;
  run(keyspace: Bytes): Promise<void> | void;
}

/** Resolves with true: what is slow is no failure. */
export async function measureAsync(args: readonly string[]): Promise<boolean> {
  const options = parseAsync(args);
  if (options === undefined) {
    console.log(asyncHelp);
    return true;
  }
  claimDirectory(options.db, OWNER);
  await removeDatabase(options.db, OWNER);
  try {
    await fill(options);
    console.log(
      row(['', 'a second', 'MB/s', 'loop p50, ms', 'p99', 'longest', 'CPU p99, ms', 'longest', 'jobs']),
    );
    for (let round = 0; round < options.rounds; round++) {
      for (const measure of measures(options)) await measureOne(options, measure);
    }
  } finally {
    await removeDatabase(options.db, OWNER);
  }
  return true;
}

async function fill(options: AsyncOptions): Promise<void> {
  const db = await open(options.db, { sync: 'manual' });
  const keyspace = db.keyspace('bench');
  const values = new ValuePool(options.valueSize, new Random(SEED));
  const key = new KeyBuffer(KEY_SIZE);
  for (let i = 0; i < options.num; i++) {
    key.set(i);
    keyspace.put(key.bytes, values.next());
    if (i % TURN_ENTRIES === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await db.flush();
  await db.compact();
  const { bytes } = db.stats().keyspaces['bench']!;
  console.log(
    `${options.num} entries of ${KEY_SIZE} + ${options.valueSize} bytes, ${megabytes(bytes)} MB of tables, reads: ${options.reads}`,
  );
  await db.close();
}

function measures(options: AsyncOptions): Measure[] {
  const { num, gets, atOnce } = options;
  const keys = randomKeys(num, gets);
  const scan = { unit: 'entries', units: num };
  const points = { unit: 'gets', units: gets };
  return [
    {
      name: 'nothing, for a second',
      unit: 'times',
      units: 1,
      run: () => new Promise((resolve) => setTimeout(resolve, 1000)),
    },
    { name: 'for of, all entries', ...scan, run: (keyspace) => void drain(keyspace.range()) },
    { name: 'for await, all entries', ...scan, run: (keyspace) => drainAsync(keyspace.range()) },
    { name: 'for await, reverse', ...scan, run: (keyspace) => drainAsync(keyspace.range({ reverse: true })) },
    {
      name: 'for await, 4 partitions',
      ...scan,
      async run(keyspace) {
        await Promise.all(keyspace.range().partitions(4).map(drainAsync));
      },
    },
    { name: 'count', ...scan, run: (keyspace) => void keyspace.count() },
    {
      name: 'countAsync',
      ...scan,
      async run(keyspace) {
        await keyspace.countAsync();
      },
    },
    { name: 'get', ...points, run: (keyspace) => void keys.map((key) => keyspace.get(key)) },
    {
      name: 'getAsync, one at a time',
      ...points,
      async run(keyspace) {
        for (const key of keys) await keyspace.getAsync(key);
      },
    },
    {
      name: `getAsync, ${atOnce} at once`,
      ...points,
      async run(keyspace) {
        for (let at = 0; at < gets; at += atOnce) {
          await Promise.all(keys.slice(at, at + atOnce).map((key) => keyspace.getAsync(key)));
        }
      },
    },
    {
      name: `getMany of ${atOnce}`,
      ...points,
      run(keyspace) {
        for (let at = 0; at < gets; at += atOnce) keyspace.getMany(keys.slice(at, at + atOnce));
      },
    },
    {
      name: `getManyAsync of ${atOnce}`,
      ...points,
      async run(keyspace) {
        for (let at = 0; at < gets; at += atOnce) await keyspace.getManyAsync(keys.slice(at, at + atOnce));
      },
    },
  ];
}

async function measureOne(options: AsyncOptions, measure: Measure): Promise<void> {
  const db = await open(options.db, { reads: options.reads, sync: 'manual' });
  try {
    const keyspace = db.keyspace('bench');
    const delay = await whileWatched(() => measure.run(keyspace));
    print(options, measure, delay, db);
  } finally {
    await db.close();
  }
}

function print(options: AsyncOptions, measure: Measure, delay: LoopDelay, db: Database): void {
  const perSecond = (measure.units / delay.ms) * 1000;
  const bytes = perSecond * (KEY_SIZE + options.valueSize);
  console.log(
    row([
      measure.name,
      `${Math.round(perSecond)} ${measure.unit}`,
      megabytes(bytes),
      ...[delay.p50Ms, delay.p99Ms, delay.maxMs, delay.cpuP99Ms, delay.cpuMaxMs].map((ms) => ms.toFixed(1)),
      String(db.stats().asyncReads.jobs),
    ]),
  );
}

/** Looks at every key and value, as a consumer would. */
function drain(entries: Iterable<[Uint8Array, Uint8Array]>): number {
  let bytes = 0;
  for (const [key, value] of entries) bytes += key.length + value.length;
  return bytes;
}

async function drainAsync(entries: AsyncIterable<[Uint8Array, Uint8Array]>): Promise<void> {
  let bytes = 0;
  for await (const [key, value] of entries) bytes += key.length + value.length;
  if (bytes === 0) throw new Error('there was nothing to read');
}

function randomKeys(num: number, count: number): Uint8Array[] {
  const key = new KeyBuffer(KEY_SIZE);
  const step = scatterStep(num);
  return Array.from({ length: count }, (_, i) => {
    key.set((i * step) % num);
    return key.bytes.slice();
  });
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(26) : cell.padStart(i === 1 ? 18 : 13))).join('');
}
