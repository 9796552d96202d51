/**
 * The command line of the bench: names, defaults, checks and help in one place.
 * Everything that is wrong with a command line is a `UsageError`; main.ts prints it and exits with 2.
 */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { digitsFor, entriesMax } from './keys.ts';
import { nearestName } from './nearest.ts';
import { type Workload, workloads } from './workloads.ts';

export const durabilities = ['memory', 'os', 'disk'] as const;
const codecs = ['none', 'lz4', 'zstd'] as const;
const KEY_SIZE_MAX = 65_535;
const VALUE_SIZE_MAX = 64 * 2 ** 20;
/** The name of the memory measurement, which is no workload of db_bench and runs alone. */
export const MEMORY = 'memory';

export interface BenchOptions {
  num: number;
  keySize: number;
  valueSize: number;
  db: string;
  json: string | undefined;
  seed: number;
  memtableBytes: number | undefined;
  compression: (typeof codecs)[number] | undefined;
  durability: (typeof durabilities)[number];
  /** Entries that seekrandom reads after each seek. */
  seekNexts: number;
}

/** What a command line asks for. */
export type Command =
  | { kind: 'help' }
  | { kind: 'memory'; options: BenchOptions }
  | { kind: 'workloads'; workloads: readonly Workload[]; options: BenchOptions };

/** A command line that cannot be run; the message is complete. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const flags = {
  num: { type: 'string', default: '1000000' },
  'key-size': { type: 'string', default: '16' },
  'value-size': { type: 'string', default: '100' },
  db: { type: 'string', default: 'data/bench' },
  json: { type: 'string' },
  seed: { type: 'string', default: '301' },
  'memtable-bytes': { type: 'string' },
  compression: { type: 'string' },
  durability: { type: 'string', default: 'memory' },
  'seek-nexts': { type: 'string', default: '0' },
  workloads: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export const help: string = `Measures Varve with the workloads of LevelDB's db_bench.

  npm run bench -- fillrandom,readrandom,readseq --num 1000000
  npm run bench -- memory --num 5000000
  npm run bench -- compare --help      Varve beside its peers
  npm run bench -- large --help        20 M entries: what is asked, what is met
  npm run bench -- transactions --help what a transaction costs, alone and among others
  npm run bench -- threads --help      one database in several threads
  npm run bench -- longrun --help      what is asked of flush and compaction over hours
  npm run bench -- simulate --help     compaction pickers against workloads, without a database
  npm run bench -- check --help        against the stored baseline
  npm run bench -- account --help      where the nanoseconds of an operation go
  npm run bench -- adapt --help        what an adaptive memory budget gains
  npm run bench -- async --help        reads that do not hold up the event loop
  npm run bench -- blobs --help        from which size on values pay in blob files
  npm run bench -- changes --help      catching up by the change feed, and its live tail
  npm run bench -- past --help         what it costs to keep the past, and how fast it is read
  npm run bench -- merge --help        counting by merge, beside update
  npm run bench -- ingest --help       sorted entries into tables at once, beside batches
  npm run bench -- micro --help        single structures, and studies behind decisions
  npm run bench -- filters --help      what each kind of filter gains

Workloads, run in the order given; reads use what the writes before them left:
${[
  ...workloads,
  { name: MEMORY, summary: 'put N distinct entries, sync, print the memory in use; runs alone' },
]
  .map(({ name, summary }) => `  ${name.padEnd(20)} ${summary}`)
  .join('\n')}

Options:
  --num N               entries and operations per workload (1000000)
  --key-size BYTES      keys are zero-padded decimal numbers (16)
  --value-size BYTES    values compress to half their size (100)
  --db DIR              where the database goes; a fill deletes the bench's earlier one there (data/bench)
  --durability CLASS    memory: plain puts, closed by one sync('os'); os, disk: every put awaited (memory)
  --seek-nexts N        entries that seekrandom reads from each key on (0: only the one at the key)
  --compression CODEC   none, lz4 or zstd (the engine's default)
  --memtable-bytes N    size at which a memtable is written out as a table (the engine's default)
  --seed N              seed of keys and values (301)
  --json FILE           also write the results as JSON
  --workloads, --help   print this
`;

/** Reads the arguments behind the program's name. Throws `UsageError`. */
export function parseCommand(args: readonly string[]): Command {
  const { values, positionals } = parse(args, flags);
  if (values.help || values.workloads) return { kind: 'help' };
  const names = positionals.flatMap((text) => text.split(',')).filter((name) => name !== '');
  if (names.length === 0) throw new UsageError(`Name at least one workload.\n\n${help}`);

  const options: BenchOptions = {
    num: integer('num', values.num, 1, entriesMax),
    keySize: integer('key-size', values['key-size'], 2, KEY_SIZE_MAX),
    valueSize: integer('value-size', values['value-size'], 0, VALUE_SIZE_MAX),
    db: resolve(values.db),
    json: values.json === undefined ? undefined : resolve(values.json),
    seed: integer('seed', values.seed, 0, 2 ** 31 - 1),
    memtableBytes:
      values['memtable-bytes'] === undefined
        ? undefined
        : integer('memtable-bytes', values['memtable-bytes'], 1, Number.MAX_SAFE_INTEGER),
    compression:
      values.compression === undefined ? undefined : oneOf('compression', values.compression, codecs),
    durability: oneOf('durability', values.durability, durabilities),
    seekNexts: integer('seek-nexts', values['seek-nexts'], 0, entriesMax),
  };
  if (options.keySize < digitsFor(options.num)) {
    throw new UsageError(
      `--key-size ${options.keySize} is too small: ${options.num} keys need ${digitsFor(options.num)} digits.`,
    );
  }
  if (options.json !== undefined && !existsSync(dirname(options.json))) {
    throw new UsageError(`--json: the directory ${dirname(options.json)} does not exist.`);
  }
  if (names.includes(MEMORY)) {
    if (names.length > 1) throw new UsageError(`"${MEMORY}" measures the whole process, so it runs alone.`);
    if (options.durability !== 'memory') {
      throw new UsageError(`"${MEMORY}" measures plain puts: leave --durability out.`);
    }
    return { kind: 'memory', options };
  }
  const chosen = names.map(knownWorkload);
  const own = chosen.find(({ kind, order }) => kind === 'write' && order === undefined);
  if (own !== undefined && options.durability !== 'memory') {
    throw new UsageError(`"${own.name}" waits for its writes in its own way: leave --durability out.`);
  }
  return { kind: 'workloads', workloads: chosen, options };
}

/** `parseArgs` with a `UsageError` that names the nearest option. */
export function parse<T extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  known: T,
): ReturnType<typeof parseArgs<{ args: string[]; options: T; allowPositionals: true }>> {
  try {
    return parseArgs({ args: [...args], options: known, allowPositionals: true });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const unknown = /^Unknown option '--([^']+)'/.exec(message);
    if (unknown === null) throw new UsageError(message);
    throw new UsageError(
      `Unknown option --${unknown[1]}.${suggestion(unknown[1]!, Object.keys(known), '--')}`,
    );
  }
}

function knownWorkload(name: string): Workload {
  const workload = workloads.find((known) => known.name === name);
  if (workload !== undefined) return workload;
  const names = [...workloads.map((known) => known.name), MEMORY];
  throw new UsageError(
    `Unknown workload "${name}".${suggestion(name, names, '')}\nKnown workloads: ${names.join(', ')}.`,
  );
}

export function suggestion(given: string, names: readonly string[], prefix: string): string {
  const nearest = nearestName(given, names);
  return nearest === undefined ? '' : ` Did you mean ${prefix}${nearest}?`;
}

export function integer(name: string, text: string, min: number, max: number): number {
  const value = /^\d[\d_]*$/.test(text) ? Number(text.replaceAll('_', '')) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`--${name} ${text}: give a whole number from ${min} to ${max}.`);
}

export function oneOf<T extends string>(name: string, text: string, known: readonly T[]): T {
  const value = known.find((candidate) => candidate === text);
  if (value !== undefined) return value;
  throw new UsageError(`--${name} ${text}: give one of ${known.join(', ')}.`);
}
