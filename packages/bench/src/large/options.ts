/** The command line of `large`. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { digitsFor } from '../keys.ts';
import { integer, oneOf, parse, suggestion, UsageError } from '../options.ts';
import type { Sizes } from './tasks/results.ts';

export const partNames = ['fill', 'read', 'iterate', 'open', 'replay', 'memory'] as const;
export type PartName = (typeof partNames)[number];

export interface LargeOptions {
  readonly parts: readonly PartName[];
  readonly sizes: Sizes;
  readonly fills: number;
  readonly rounds: number;
  /** With the file of blocks in use, and as many without. */
  readonly openings: number;
  readonly db: string;
  readonly json: string | undefined;
}

/** What is asked for is asked for so many entries. */
export const NUM_ASKED = 20_000_000;
const NUM_MAX = 1_000_000_000;
const KEY_SIZE = 16;
const VALUE_SIZE = 100;
const MIB = 2 ** 20;
const READS_MAX = 1_000_000;
/** Longer than any one job of the background takes: with few entries none takes long. */
const REST_MS = 3_000;
const REST_MS_SMALL = 300;
const SMALL = 100_000;

const flags = {
  num: { type: 'string', default: String(NUM_ASKED) },
  parts: { type: 'string', default: partNames.join(',') },
  fills: { type: 'string', default: '1' },
  rounds: { type: 'string', default: '3' },
  openings: { type: 'string', default: '5' },
  'cache-bytes': { type: 'string', default: String(256 * MIB) },
  'memtable-bytes': { type: 'string', default: String(32 * MIB) },
  reads: { type: 'string', default: 'pread' },
  'log-bytes': { type: 'string', default: String(64 * MIB) },
  seed: { type: 'string', default: '301' },
  db: { type: 'string', default: 'data/bench-large' },
  json: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export const largeHelp: string = `Measures what is asked of a large database, beside db_bench where it is installed, and says what is met.

  npm run bench -- large
  npm run bench -- large --num 2000000 --parts fill,open

Parts (all; each makes the database that it needs):
  fill      single puts, each key once and without order: throughput, longest put, p99.9, write amplification
  read      random gets with a cache that the database does not fit in
  iterate   10,000 entries by cursor, out of the cache
  open      opening in a fresh process, with and without the file of blocks that were in use
  replay    opening after a crash with a long log
  memory    beyond cache and memtables

Options:
  --num N               entries of 16 + 100 bytes (20000000)
  --parts a,b           (${partNames.join(',')})
  --fills N             fills of each engine; the median counts, and the longest put of all (1)
  --rounds N            rounds of read and replay; the median counts (3)
  --openings N          processes that open, with the file of blocks in use and without (5)
  --cache-bytes N       block cache of both engines (256 MiB)
  --memtable-bytes N    memtable of both engines (32 MiB)
  --reads MODE          how Varve reads tables: pread, direct or mmap (pread)
  --log-bytes N         log that is replayed (64 MiB)
  --seed N              seed of keys and values (301)
  --db DIR              where the databases go; they are removed at the end (data/bench-large)
  --json FILE           also write the figures as JSON
`;

/** Undefined: help is asked for. Throws `UsageError`. */
export function parseLarge(args: readonly string[]): LargeOptions | undefined {
  const { values, positionals } = parse(args, flags);
  if (values.help) return undefined;
  if (positionals.length > 0) {
    throw new UsageError(`large takes options only; "${positionals[0]}" goes behind --parts.`);
  }
  const num = integer('num', values.num, 1_000, NUM_MAX);
  const sizes: Sizes = {
    num,
    keySize: Math.max(KEY_SIZE, digitsFor(num)),
    valueSize: VALUE_SIZE,
    cacheBytes: integer('cache-bytes', values['cache-bytes'], MIB, 2_048 * MIB),
    memtableBytes: integer('memtable-bytes', values['memtable-bytes'], MIB, 1_024 * MIB),
    readMode: oneOf('reads', values.reads, ['pread', 'direct', 'mmap']),
    reads: Math.min(num, READS_MAX),
    logBytes: integer('log-bytes', values['log-bytes'], MIB, 256 * MIB),
    restMs: num < SMALL ? REST_MS_SMALL : REST_MS,
    seed: integer('seed', values.seed, 1, 1_000_000),
  };
  const json = values.json === undefined ? undefined : resolve(values.json);
  if (json !== undefined && !existsSync(dirname(json))) {
    throw new UsageError(`--json: the directory ${dirname(json)} does not exist.`);
  }
  return {
    parts: chosenParts(values.parts),
    sizes,
    fills: integer('fills', values.fills, 1, 9),
    rounds: integer('rounds', values.rounds, 1, 99),
    openings: integer('openings', values.openings, 1, 99),
    db: resolve(values.db),
    json,
  };
}

/** In the order in which they run. */
function chosenParts(list: string): readonly PartName[] {
  const names = list.split(',').filter((name) => name !== '');
  for (const name of names) {
    if (partNames.some((part) => part === name)) continue;
    throw new UsageError(
      `Unknown part "${name}".${suggestion(name, partNames, '')}\nKnown parts: ${partNames.join(', ')}.`,
    );
  }
  if (names.length === 0) throw new UsageError('Name at least one part.');
  return partNames.filter((part) => names.includes(part));
}
