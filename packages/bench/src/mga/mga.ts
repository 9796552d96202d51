/**
 * `npm run bench -- mga`: an MGA index under the steps of the document that it follows (insert, search for what is there and what is
 * not, scans of a thousand entries), on disk and in memory, against four times that document's figures. Each in a process of its own.
 */
import { askChild } from '../child-process.ts';
import { formatCount } from '../format.ts';
import { atLeast, type Figure } from '../large/figures.ts';
import { formatFigures } from '../large/table.ts';
import { integer, parse } from '../options.ts';
import { claimDirectory, removeDatabase } from '../own-directory.ts';
import type { Job, Rates } from './job.ts';

const OWNER = 'bench-mga';
const help = `npm run bench -- mga [--num N] [--reads N] [--scans N] [--payload BYTES] [--rounds R] [--db DIR]

Puts N rows (1000000) under keys of 16 bytes in random order, a hundred a transaction, into an index on disk and into one in
memory; reads N keys (500000) that are there and that are not, scans a thousand entries N times (5000), before and after a vacuum.
Of R rounds (3) the median.`;

const flags = {
  num: { type: 'string', default: '1000000' },
  reads: { type: 'string', default: '500000' },
  scans: { type: 'string', default: '5000' },
  payload: { type: 'string', default: '0' },
  rounds: { type: 'string', default: '3' },
  db: { type: 'string', default: 'data/bench-mga' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Four times what the document says of its full version. */
const asked: Readonly<Record<string, number>> = {
  insert: 200_000,
  hit: 320_000,
  miss: 600_000,
  scan: 80_000,
};

export async function mga(args: readonly string[]): Promise<boolean> {
  const { values } = parse(args, flags);
  if (values.help) {
    console.log(help);
    return true;
  }
  const job = {
    num: integer('num', values.num, 10_000, 100_000_000),
    reads: integer('reads', values.reads, 100, 100_000_000),
    scans: integer('scans', values.scans, 10, 10_000_000),
    payload: integer('payload', values.payload, 0, 10_000),
    seed: 301,
  };
  const rounds = integer('rounds', values.rounds, 1, 99);
  for (const place of ['disk', 'memory']) {
    const results: Rates[] = [];
    for (let round = 0; round < rounds; round++) {
      claimDirectory(values.db, OWNER);
      const given: Job = { ...job, path: place === 'disk' ? values.db : ':memory:' };
      results.push((await askChild('child', import.meta.url, [JSON.stringify(given)])) as Rates);
      await removeDatabase(values.db, OWNER);
    }
    console.log(`${formatCount(job.num)} rows, ${place}\n${formatFigures(figuresOf(results))}\n`);
  }
  return true;
}

function figuresOf(results: readonly Rates[]): Figure[] {
  return Object.keys(results[0]!).map((name) => {
    const rates = results.map((result) => result[name]!).toSorted((a, b) => a.perSecond - b.perSecond);
    const { perSecond, p99 } = rates[rates.length >> 1]!;
    const unit = (value: number): string => `${formatCount(Math.round(value))}/s`;
    const spread = `${unit(rates[0]!.perSecond)} to ${unit(rates.at(-1)!.perSecond)}`;
    const notes = [p99 === 0 ? spread : `p99 ${(p99 / 1000).toFixed(1)} us; ${spread}`];
    return atLeast(name, asked[/^\w+/.exec(name)![0]], perSecond, unit, notes);
  });
}
