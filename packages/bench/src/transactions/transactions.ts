/**
 * `npm run bench -- transactions`: what a transaction costs over a bare get and put, what is left of it when many want the
 * same keys, and what lmdb and RocksDB's binding take for the nearest that they have. Each store in a process of its own.
 */
import { askChild } from '../child-process.ts';
import { formatCount } from '../format.ts';
import { atLeast, type Figure } from '../large/figures.ts';
import { formatFigures } from '../large/table.ts';
import { integer, parse } from '../options.ts';
import { claimDirectory, removeDatabase, removeStore } from '../own-directory.ts';
import { median, quotients, ratio, spread } from '../threads/ratio.ts';
import type { Job, Rates } from './job.ts';

const OWNER = 'bench-transactions';
const FEW_KEYS = 10_000;
const help = `npm run bench -- transactions [--keys N] [--hot N] [--writers N] [--ms MS] [--rounds R] [--db DIR]

Reads, changes and writes one key in a transaction, again and again, for MS milliseconds (1000) in each of R rounds (5), with
${formatCount(FEW_KEYS)} keys and with N (1000000), of 16 + 100 bytes; then N writers at once (16) on N keys (1000). Beside it lmdb and
@nxtedition/rocksdb, where they are installed.`;

const flags = {
  keys: { type: 'string', default: '1000000' },
  hot: { type: 'string', default: '1000' },
  writers: { type: 'string', default: '16' },
  ms: { type: 'string', default: '1000' },
  rounds: { type: 'string', default: '5' },
  db: { type: 'string', default: 'data/bench-transactions' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export async function transactions(args: readonly string[]): Promise<boolean> {
  const { values } = parse(args, flags);
  if (values.help) {
    console.log(help);
    return true;
  }
  const job = {
    hotKeys: integer('hot', values.hot, 100, 1_000_000),
    writers: integer('writers', values.writers, 1, 1000),
    ms: integer('ms', values.ms, 10, 600_000),
    rounds: integer('rounds', values.rounds, 1, 99),
    valueSize: 100,
    seed: 301,
  };
  const many = integer('keys', values.keys, FEW_KEYS, 100_000_000);
  claimDirectory(values.db, OWNER);
  const ask = async (store: Job['store'], keys: number): Promise<Rates> => {
    // Each in a directory of its own: files of one engine have names that another takes for its own.
    const path = `${values.db}/${store}-${keys}`;
    removeStore(path, OWNER);
    claimDirectory(path, OWNER);
    try {
      const made = { ...job, path, store, keys };
      return (await askChild('child', import.meta.url, [JSON.stringify(made)])) as Rates;
    } finally {
      removeStore(path, OWNER);
    }
  };
  for (const keys of [FEW_KEYS, many]) {
    console.log(`${formatCount(keys)} keys`);
    const own = await ask('varve', keys);
    const figures = ownFigures(own, keys === FEW_KEYS ? 300_000 : 150_000);
    for (const store of ['lmdb', 'rocksdb'] as const) {
      try {
        figures.push(...rivalFigures(own, store, await ask(store, keys)));
      } catch (error) {
        console.log(`${store} could not be measured: ${String(error)}`);
      }
    }
    console.log(`${formatFigures(figures)}\n`);
  }
  await removeDatabase(values.db, OWNER);
  return true;
}

const perSecond = (value: number): string => `${formatCount(Math.round(value))}/s`;

function ownFigures(own: Rates, min: number): Figure[] {
  const rates = (name: string): string =>
    `${perSecond(median(own[name]!))} (${spread(own[name]!, perSecond)})`;
  const overhead = (name: string): readonly number[] => quotients(own['bare']!, own[name]!);
  return [
    ratio({
      name: 'time of a transaction over get and put',
      max: 1.5,
      rounds: overhead('transaction'),
      notes: [`bare ${rates('bare')}`],
    }),
    ratio({ name: 'the same, begin and commit', rounds: overhead('begin'), notes: [rates('begin')] }),
    ratio({
      name: 'the same, snapshot isolation',
      rounds: overhead('snapshot isolation'),
      notes: [rates('snapshot isolation')],
    }),
    atLeast('transactions', min, median(own['transaction']!), perSecond, [
      spread(own['transaction']!, perSecond),
    ]),
    atLeast('transactions with getForUpdate', 100_000, median(own['getForUpdate']!), perSecond, [
      spread(own['getForUpdate']!, perSecond),
    ]),
    ratio({
      name: 'many writers on the same keys over keys of their own',
      min: 0.6,
      rounds: quotients(own['hot']!, own['apart']!),
      notes: [`${rates('hot')} over ${rates('apart')}`],
    }),
    ratio({
      name: 'gets beside a held snapshot over gets',
      min: 0.95,
      rounds: quotients(own['get, snapshot held']!, own['get']!),
      notes: [rates('get')],
    }),
  ];
}

function rivalFigures(own: Rates, store: string, rival: Rates): Figure[] {
  return Object.entries(rival).map(([form, rates]) =>
    ratio({
      name: `transactions over ${store}, ${form}`,
      min: 2,
      rounds: quotients(own['transaction']!, rates),
      notes: [perSecond(median(rates))],
    }),
  );
}
