/**
 * `npm run bench -- blobs`: from which size of values on it pays to keep them in blob files. For each size a keyspace is filled
 * and overwritten at random, once with all values in tables and once with all in blob files, in alternating rounds, each in a process of its own.
 * Shows what writing a byte costs, how fast it is, how much of the disk is taken at the end and what reads cost; of rounds
 * the median.
 */
import { askChild } from '../child-process.ts';
import { formatBinaryBytes, formatBytes, formatCount } from '../format.ts';
import { integer, parse, UsageError } from '../options.ts';
import { claimDirectory, removeDatabase } from '../own-directory.ts';
import { type Job, type Mode, modes, type Result } from './study.ts';

const OWNER = 'bench-blobs';
const MIB = 2 ** 20;
const help = `npm run bench -- blobs [--sizes 256,1024,4096,16384] [--live MIB] [--overwrites N] [--memtables M]
                        [--rounds R] [--db DIR]

Fills a keyspace with MIB (32) of values of each size and overwrites them N times (4) in random order, with and without blob
files. The data is M memtables (16), and level 1 holds two of them. Rounds (1).`;

const flags = {
  sizes: { type: 'string', default: '256,1024,4096,16384' },
  live: { type: 'string', default: '32' },
  overwrites: { type: 'string', default: '4' },
  memtables: { type: 'string', default: '16' },
  rounds: { type: 'string', default: '1' },
  db: { type: 'string', default: 'data/bench-blobs' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export async function blobs(args: readonly string[]): Promise<boolean> {
  const { values } = parse(args, flags);
  if (values.help) {
    console.log(help);
    return true;
  }
  const sizes = values.sizes.split(',').map((size) => integer('sizes', size, 64, 16 * MIB));
  const liveBytes = integer('live', values.live, 1, 100_000) * MIB;
  const overwrites = integer('overwrites', values.overwrites, 1, 1000);
  const memtables = integer('memtables', values.memtables, 4, 10_000);
  const rounds = integer('rounds', values.rounds, 1, 100);
  if (sizes.some((size) => size * 100 > liveBytes)) {
    throw new UsageError('--live must hold at least 100 values of the largest of --sizes');
  }
  claimDirectory(values.db, OWNER);
  const rows: string[][] = [];
  for (const valueSize of sizes) {
    const results: Record<Mode, Result[]> = { tables: [], blobs: [] };
    for (let round = 0; round < rounds; round++) {
      for (const mode of round % 2 === 0 ? modes : modes.toReversed()) {
        await removeDatabase(values.db, OWNER);
        const job: Job = { mode, path: values.db, valueSize, liveBytes, overwrites, memtables };
        results[mode].push((await askChild('child', import.meta.url, [JSON.stringify(job)])) as Result);
      }
    }
    for (const mode of modes) rows.push(rowOf(valueSize, mode, results[mode]));
  }
  await removeDatabase(values.db, OWNER);
  console.log(
    `${formatBinaryBytes(liveBytes)} of values, overwritten ${overwrites} times, ${memtables} memtables, rounds ${rounds}\n`,
  );
  console.log(table(rows));
  return true;
}

const columns = [
  'value',
  'in',
  'written for a byte',
  'puts a second',
  'disk for a live byte',
  'get',
  'scan',
  'scan of keys',
];

function rowOf(valueSize: number, mode: Mode, results: readonly Result[]): string[] {
  const of = (value: (result: Result) => number): number => median(results.map(value));
  const us = (value: number): string => `${value.toFixed(1)} us`;
  return [
    formatBytes(valueSize),
    mode,
    of((result) => result.writeAmplification).toFixed(2),
    formatCount(of((result) => result.putsPerSecond)),
    of((result) => result.spaceAmplification).toFixed(2),
    us(of((result) => result.getUs)),
    us(of((result) => result.scanUs)),
    us(of((result) => result.keysUs)),
  ];
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = columns.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]!.length)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, at) => cell.padEnd(widths[at]!)).join('  ');
  return [columns, ...rows].map(line).join('\n');
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}
