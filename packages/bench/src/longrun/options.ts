/** The command line of `longrun`. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { digitsFor } from '../keys.ts';
import { integer, parse, suggestion, UsageError } from '../options.ts';
import type { Sizes } from './sizes.ts';

export const partNames = [
  'throughput',
  'writeamp',
  'space',
  'deletes',
  'seek',
  'foreground',
  'loop',
  'overload',
  'mixed',
] as const;
export type PartName = (typeof partNames)[number];

export interface LongrunOptions {
  readonly parts: readonly PartName[];
  readonly sizes: Sizes;
  /** What is asked is asked for the full sizes. */
  readonly isFull: boolean;
  readonly db: string;
  readonly svg: string | undefined;
  readonly json: string | undefined;
}

const MIB = 2 ** 20;
const NUM_MAX = 1_000_000_000;
const MINUTE_MS = 60_000;

const full = {
  puts: 20_000_000,
  keys: 5_000_000,
  overwrites: 5,
  deletes: 1_000_000,
  rounds: 5,
  readMs: 5_000,
  overloadMinutes: 10,
  mixedMinutes: 30,
  returnMs: 60_000,
  restMs: 3_000,
  memtableMib: 32,
};
const quick: typeof full = {
  puts: 200_000,
  keys: 50_000,
  overwrites: 2,
  deletes: 20_000,
  rounds: 1,
  readMs: 200,
  overloadMinutes: 0.05,
  mixedMinutes: 0.1,
  returnMs: 3_000,
  restMs: 300,
  memtableMib: 2,
};

const flags = {
  quick: { type: 'boolean', default: false },
  puts: { type: 'string' },
  keys: { type: 'string' },
  deletes: { type: 'string' },
  rounds: { type: 'string' },
  minutes: { type: 'string' },
  seed: { type: 'string', default: '301' },
  db: { type: 'string', default: 'data/bench-longrun' },
  samples: { type: 'string' },
  svg: { type: 'string' },
  json: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export const longrunHelp: string = `Measures what is asked of flush and compaction over hours, and says what is met.

  npm run bench -- longrun
  npm run bench -- longrun writeamp
  npm run bench -- longrun overload,mixed --minutes 2 --svg mixed.svg

Parts (all; each in a process of its own, with a database of its own that is removed):
  throughput   what one thread merges, without compression and with lz4
  writeamp     bytes written for random puts, beside db_bench where it is installed
  space        bytes kept after every key was overwritten again and again, for each strategy
  deletes      space that comes back by itself after deleting nine of ten keys
  seek         a seek over keys that were just deleted, and after compaction
  foreground   random gets while compacting
  loop         the event loop under awaited writes
  overload     a writer faster than the disk, for each kind of pressure: memory, waits, what is whole afterwards
  mixed        everything at once; looked at each second

Options:
  --quick               few entries, short runs: to see that it works
  --puts N              random puts of writeamp (${full.puts}; quick ${quick.puts})
  --keys N              entries of the other parts (${full.keys}; quick ${quick.keys})
  --deletes N           deletes before a seek (${full.deletes}; quick ${quick.deletes})
  --rounds N            repetitions of which the median counts (${full.rounds}; quick ${quick.rounds})
  --minutes N           of the mixed run, and of overload for each kind of pressure (${full.mixedMinutes} and ${full.overloadMinutes}; quick ${quick.mixedMinutes} and ${quick.overloadMinutes})
  --seed N              seed of keys and values (301)
  --db DIR              where the databases go; they are removed at the end (data/bench-longrun)
  --samples FILE        the seconds of the mixed run, a JSON object a line
  --svg FILE            the plot of the mixed run
  --json FILE           also write the figures as JSON
`;

/** Undefined: help is asked for. Throws `UsageError`. */
export function parseLongrun(args: readonly string[]): LongrunOptions | undefined {
  const { values, positionals } = parse(args, flags);
  if (values.help) return undefined;
  const sized = values.quick ? quick : full;
  const keys = integer('keys', values.keys ?? String(sized.keys), 1_000, NUM_MAX);
  const puts = integer('puts', values.puts ?? String(sized.puts), 1_000, NUM_MAX);
  const minutes = values.minutes === undefined ? undefined : positive('minutes', values.minutes);
  return {
    parts: chosenParts(positionals),
    sizes: {
      keySize: Math.max(16, digitsFor(Math.max(keys, puts))),
      valueSize: 100,
      memtableBytes: sized.memtableMib * MIB,
      cacheBytes: 128 * MIB,
      puts,
      keys,
      overwrites: sized.overwrites,
      deletes: integer('deletes', values.deletes ?? String(sized.deletes), 1_000, NUM_MAX),
      rounds: integer('rounds', values.rounds ?? String(sized.rounds), 1, 99),
      readMs: sized.readMs,
      overloadMs: (minutes ?? sized.overloadMinutes) * MINUTE_MS,
      mixedMs: (minutes ?? sized.mixedMinutes) * MINUTE_MS,
      returnMs: sized.returnMs,
      restMs: sized.restMs,
      samples: fileIn('samples', values.samples),
      seed: integer('seed', values.seed, 1, 1_000_000),
    },
    isFull: !values.quick && puts >= full.puts && keys >= full.keys && minutes === undefined,
    db: resolve(values.db),
    svg: fileIn('svg', values.svg),
    json: fileIn('json', values.json),
  };
}

/** In the order in which they run; none named: all. */
function chosenParts(positionals: readonly string[]): readonly PartName[] {
  const names = positionals.flatMap((text) => text.split(',')).filter((name) => name !== '');
  for (const name of names) {
    if (partNames.some((part) => part === name)) continue;
    throw new UsageError(
      `Unknown part "${name}".${suggestion(name, partNames, '')}\nKnown parts: ${partNames.join(', ')}.`,
    );
  }
  return names.length === 0 ? partNames : partNames.filter((part) => names.includes(part));
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new UsageError(`--${name} ${text}: give a number above 0.`);
}

function fileIn(name: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const file = resolve(path);
  if (!existsSync(dirname(file))) {
    throw new UsageError(`--${name}: the directory ${dirname(file)} does not exist.`);
  }
  return file;
}
