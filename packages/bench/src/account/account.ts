/**
 * `npm run bench -- account`: where the nanoseconds of a put, a get, a miss and an entry of a scan go. Each is run in this process
 * on one database until it is compiled, then under the sampling profiler; the processor time of the thread for one operation is
 * divided by the profile's shares. Turns of other threads (flush, compaction, sync of the log) are not in it.
 *
 * A sample may count for the function into which the compiler has inlined the one that it fell in (the filter's is in `get`).
 * A load that waits for memory counts where it stands: most of a get is such waiting.
 */
import { Session } from 'node:inspector/promises';
import { open } from 'varve';
import { CHUNK } from '../chunk.ts';
import { driveUntimed } from '../drive.ts';
import { integer, parse } from '../options.ts';
import { claimDirectory, removeDatabase } from '../own-directory.ts';
import { Random } from '../random.ts';
import { fill, lookUp, readInOrder } from '../steps.ts';
import type { Bench, Step } from '../store.ts';
import { ValuePool } from '../values.ts';
import { VarveStore } from '../varve-store.ts';
import { sharesOf } from './stages.ts';

const KEY_SIZE = 16;
const VALUE_SIZE = 100;
const SEED = 301;
const INTERVAL_US = 100;
/** All blocks of a million entries. */
const CACHE_BYTES = 192 * 2 ** 20;
const OWNER = 'bench-account';
const help = `npm run bench -- account [--num N] [--db DIR]

Where the time of a put, a get, a miss and an entry of a scan goes, by stage. N entries (1000000).`;

const flags = {
  num: { type: 'string', default: '1000000' },
  db: { type: 'string', default: 'data/bench-account' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

interface Part {
  readonly title: string;
  /** Before the part, without a clock. */
  prepare?(store: VarveStore): Promise<void>;
  step(bench: Bench): Step;
}

const parts: readonly Part[] = [
  { title: 'put, keys in order', step: (bench) => fill(bench, 'sequential') },
  { title: 'put, keys at random', step: (bench) => fill(bench, 'random') },
  {
    title: 'get, cached and compacted',
    prepare: (store) => store.compact(),
    step: (bench) => lookUp(bench, {}),
  },
  { title: 'get of a missing key', step: (bench) => lookUp(bench, { missing: true }) },
  { title: 'entry of a scan by cursor, key and value', step: (bench) => readInOrder(bench, false, 'cursor') },
];

export async function account(args: readonly string[]): Promise<boolean> {
  const { values } = parse(args, flags);
  if (values.help) {
    console.log(help);
    return true;
  }
  const entries = integer('num', values.num, 1_000, 10_000_000);
  claimDirectory(values.db, OWNER);
  const db = await open(values.db, { memoryBytesMax: 2 * CACHE_BYTES, cacheBytesMax: CACHE_BYTES });
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US });
    const store = new VarveStore(db, db.keyspace('bench'));
    for (const part of parts) {
      await part.prepare?.(store);
      console.log(await accountOf(part, entries, store, session));
    }
  } finally {
    session.disconnect();
    await db.close();
    await removeDatabase(values.db, OWNER);
  }
  return true;
}

async function accountOf(part: Part, entries: number, store: VarveStore, session: Session): Promise<string> {
  const values = new ValuePool(VALUE_SIZE, new Random(SEED));
  const pass = async (): Promise<void> => {
    const random = new Random(SEED);
    const step = part.step({
      store,
      entries,
      keySize: KEY_SIZE,
      random,
      values,
      seekNexts: 0,
      writing: 'single',
    });
    await driveUntimed(step, entries, CHUNK);
    await step.close?.();
  };
  await pass();
  await session.post('Profiler.start');
  const before = threadTime();
  await pass();
  const nanoseconds = (threadTime() - before) / entries;
  const { profile } = await session.post('Profiler.stop');
  const rows = sharesOf(profile).map(([stage, share]) => {
    const cost = (share * nanoseconds).toFixed(0).padStart(7);
    return `  ${stage.padEnd(32)}${cost}  ${`${(share * 100).toFixed(0)} %`.padStart(5)}`;
  });
  return [
    `${part.title}: ${nanoseconds.toFixed(0)} ns`,
    ...rows.filter((row) => !row.endsWith(' 0 %')),
    '',
  ].join('\n');
}

/** Nanoseconds that the processor gave this thread; of the whole process where the runtime can not say. */
function threadTime(): number {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return (user + system) * 1000;
}
