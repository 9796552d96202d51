/** The command line of `compare`. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { digitsFor, entriesMax } from '../keys.ts';
import { integer, parse, suggestion, UsageError } from '../options.ts';
import { workloadNames } from './groups.ts';
import { type Engine, engines, type Sizes } from './job.ts';

export interface CompareOptions {
  readonly rounds: number;
  readonly workloads: readonly string[];
  /** Varve is always among them, as the first. */
  readonly engines: readonly Engine[];
  readonly sizes: Sizes;
  /** Where the databases go, one after the other. */
  readonly db: string;
  readonly json: string | undefined;
  readonly svg: string | undefined;
}

const flags = {
  num: { type: 'string', default: '1000000' },
  rounds: { type: 'string', default: '3' },
  workloads: { type: 'string' },
  peers: { type: 'string' },
  'ycsb-num': { type: 'string', default: '1000000' },
  'key-size': { type: 'string', default: '16' },
  'value-size': { type: 'string', default: '100' },
  'cache-bytes': { type: 'string', default: String(192 * 2 ** 20) },
  'memtable-bytes': { type: 'string', default: String(32 * 2 ** 20) },
  'seek-nexts': { type: 'string', default: '100' },
  seed: { type: 'string', default: '301' },
  db: { type: 'string', default: 'data/bench-compare' },
  json: { type: 'string' },
  svg: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const READ_SECONDS_MIN = 0.25;
const KEY_SIZE_MIN = 10;
const KEY_SIZE_MAX = 1_978;
const VALUE_SIZE_MAX = 2 ** 20;
const GIB = 2 ** 30;

export const compareHelp: string = `Runs Varve and its peers in turn on the same keys and values and prints how many times faster Varve is.

  npm run bench -- compare
  npm run bench -- compare --num 100000 --workloads fillrandom,readrandom --peers db_bench,lmdb
  npm run bench -- compare --num 20000000 --workloads fillrandom,readrandom --rounds 1

Options:
  --num N               entries, and operations per workload (1000000)
  --rounds N            runs of everything; the median counts (3)
  --workloads a,b       ${wrap(workloadNames)} (all)
  --peers a,b           ${engines.filter((engine) => engine !== 'varve').join(', ')} (all that can be loaded)
  --ycsb-num N          records and requests of YCSB, 1 KB each (1000000)
  --key-size BYTES      (16)
  --value-size BYTES    values compress to half their size (100)
  --cache-bytes N       block cache of every engine (192 MiB)
  --memtable-bytes N    memtable of every engine that can set it (32 MiB)
  --seek-nexts N        entries read after each seek (100)
  --seed N              seed of keys and values (301)
  --db DIR              where the databases go; each is removed when its process has ended (data/bench-compare)
  --json FILE           also write every measurement as JSON
  --svg DIR             also write bar charts there
`;

function wrap(names: readonly string[]): string {
  const lines: string[][] = [];
  for (let i = 0; i < names.length; i += 6) lines.push(names.slice(i, i + 6));
  return lines.map((line) => line.join(', ')).join(`,\n${' '.repeat(24)}`);
}

/** Undefined: help is asked for. Throws `UsageError`. */
export function parseCompare(args: readonly string[]): CompareOptions | undefined {
  const { values, positionals } = parse(args, flags);
  if (values.help) return undefined;
  if (positionals.length > 0) {
    throw new UsageError(
      `compare takes options only; "${positionals[0]}" goes behind --workloads or --peers.`,
    );
  }
  const sizes: Sizes = {
    num: integer('num', values.num, 1, entriesMax),
    ycsbNum: integer('ycsb-num', values['ycsb-num'], 2, entriesMax),
    keySize: integer('key-size', values['key-size'], KEY_SIZE_MIN, KEY_SIZE_MAX),
    valueSize: integer('value-size', values['value-size'], 1, VALUE_SIZE_MAX),
    cacheBytes: integer('cache-bytes', values['cache-bytes'], 2 ** 20, 4 * GIB - 1),
    memtableBytes: integer('memtable-bytes', values['memtable-bytes'], 2 ** 20, GIB),
    seekNexts: integer('seek-nexts', values['seek-nexts'], 1, 100_000),
    readSecondsMin: READ_SECONDS_MIN,
    seed: integer('seed', values.seed, 0, 1_000_000),
  };
  if (sizes.keySize < digitsFor(sizes.num)) {
    throw new UsageError(`--key-size ${sizes.keySize} is too small for ${sizes.num} keys.`);
  }
  const json = values.json === undefined ? undefined : resolve(values.json);
  if (json !== undefined && !existsSync(dirname(json))) {
    throw new UsageError(`--json: the directory ${dirname(json)} does not exist.`);
  }
  return {
    rounds: integer('rounds', values.rounds, 1, 99),
    workloads: chosen('workload', values.workloads, workloadNames),
    engines: ['varve', ...chosen('peer', values.peers, engines).filter((engine) => engine !== 'varve')],
    sizes,
    db: resolve(values.db),
    json,
    svg: values.svg === undefined ? undefined : resolve(values.svg),
  };
}

/** The names of a list, in the order in which they are known; all of them when there is none. */
function chosen<T extends string>(what: string, list: string | undefined, known: readonly T[]): readonly T[] {
  if (list === undefined) return known;
  const names = list.split(',').filter((name) => name !== '');
  for (const name of names) {
    if (known.some((one) => one === name)) continue;
    throw new UsageError(
      `Unknown ${what} "${name}".${suggestion(name, known, '')}\nKnown ${what}s: ${known.join(', ')}.`,
    );
  }
  if (names.length === 0) throw new UsageError(`Name at least one ${what}.`);
  return known.filter((name) => names.includes(name));
}
