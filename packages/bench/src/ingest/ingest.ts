/**
 * The command `ingest`: how fast sorted entries get into a database through `db.ingest`, beside batches of the same entries;
 * what each writes for a byte of data, and how long the event loop is held up.
 */
import { type Database, type Keyspace, open } from 'varve';
import { whileWatched } from '../async/loop-delay.ts';
import { KeyBuffer } from '../keys.ts';
import { claimDirectory, removeDatabase } from '../own-directory.ts';
import { Random } from '../random.ts';
import { ValuePool } from '../values.ts';
import { type IngestBenchOptions, ingestHelp, parseIngest } from './options.ts';

const KEY_SIZE = 16;
const SEED = 301;
const OWNER = 'bench';
const COLUMNS = [
  '',
  'entries a second',
  'written',
  'loop p50, ms',
  'p99',
  'longest',
  'CPU p99, ms',
  'longest',
];

type Bytes = Keyspace<Uint8Array, Uint8Array>;
type Way = (db: Database, keyspace: Bytes, options: IngestBenchOptions) => Promise<void>;

const ways: Readonly<Record<string, Way>> = {
  async ingest(db, keyspace, options) {
    await db.ingest(keyspace, sortedEntries(options));
  },
  async 'ingest, async source'(db, keyspace, options) {
    await db.ingest(keyspace, slowly(sortedEntries(options)));
  },
  async batches(db, keyspace, options) {
    let batch = db.batch();
    for (const [key, value] of sortedEntries(options)) {
      batch.put(keyspace, key, value);
      if (batch.count < options.batch) continue;
      await db.write(batch, { durability: 'memory' });
      batch = db.batch();
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (batch.count > 0) await db.write(batch, { durability: 'memory' });
    await db.sync('disk');
    await db.flush();
  },
};

/** Resolves with true: what is slow is no failure. */
export async function measureIngest(args: readonly string[]): Promise<boolean> {
  const options = parseIngest(args);
  if (options === undefined) {
    console.log(ingestHelp);
    return true;
  }
  claimDirectory(options.db, OWNER);
  console.log(`${options.num} entries of ${KEY_SIZE} + ${options.valueSize} bytes`);
  console.log(row(COLUMNS));
  try {
    for (let round = 0; round < options.rounds; round++) {
      for (const [name, way] of Object.entries(ways)) await measureOne(options, name, way);
    }
  } finally {
    await removeDatabase(options.db, OWNER);
  }
  return true;
}

async function measureOne(options: IngestBenchOptions, name: string, way: Way): Promise<void> {
  await removeDatabase(options.db, OWNER);
  const db = await open(options.db);
  const keyspace = db.keyspace('bench');
  const delay = await whileWatched(() => way(db, keyspace, options));
  if (keyspace.count() !== options.num) throw new Error(`${name} left ${keyspace.count()} entries`);
  const { log, flush, compaction, ingest } = db.stats().written;
  const data = options.num * (KEY_SIZE + options.valueSize);
  console.log(
    row([
      name,
      Math.round((options.num / delay.ms) * 1000).toLocaleString('en-US'),
      ((log + flush + compaction + ingest) / data).toFixed(2),
      ...[delay.p50Ms, delay.p99Ms, delay.maxMs, delay.cpuP99Ms, delay.cpuMaxMs].map((ms) => ms.toFixed(1)),
    ]),
  );
  await db.close();
}

function* sortedEntries({ num, valueSize }: IngestBenchOptions): Generator<[Uint8Array, Uint8Array]> {
  const values = new ValuePool(valueSize, new Random(SEED));
  const key = new KeyBuffer(KEY_SIZE);
  for (let i = 0; i < num; i++) {
    key.set(i);
    yield [key.bytes, values.next()];
  }
}

async function* slowly<T>(entries: Iterable<T>): AsyncGenerator<T> {
  yield* entries;
}

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(22) : cell.padStart(i === 1 ? 18 : 13))).join('');
}
