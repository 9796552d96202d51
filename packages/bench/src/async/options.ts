/** The command line of `async`. */
import { resolve } from 'node:path';
import { integer, oneOf, parse, UsageError } from '../options.ts';

export interface AsyncOptions {
  readonly num: number;
  readonly valueSize: number;
  readonly gets: number;
  readonly atOnce: number;
  readonly reads: 'pread' | 'direct';
  readonly rounds: number;
  readonly db: string;
}

const flags = {
  num: { type: 'string', default: '2500000' },
  'value-size': { type: 'string', default: '400' },
  gets: { type: 'string', default: '4000' },
  'at-once': { type: 'string', default: '64' },
  reads: { type: 'string', default: 'direct' },
  rounds: { type: 'string', default: '1' },
  db: { type: 'string', default: 'data/bench-async' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export const asyncHelp: string = `Measures reads that do not hold up the event loop, beside those that do, each on a database that
was opened just before: nothing is in the block cache.

  npm run bench -- async
  npm run bench -- async --reads pread --num 500000

Options:
  --num N               entries (2500000: with the values, 1 GB)
  --value-size BYTES    values compress to half their size (400)
  --gets N              random gets (4000)
  --at-once N           gets that are under way at a time, and keys of a getMany (64)
  --reads MODE          direct: from the disk; pread: out of the system's page cache (direct)
  --rounds N            how often everything is measured (1)
  --db DIR              where the database goes; it is removed at the end (data/bench-async)
`;

/** Undefined: help is asked for. Throws `UsageError`. */
export function parseAsync(args: readonly string[]): AsyncOptions | undefined {
  const { values, positionals } = parse(args, flags);
  if (values.help) return undefined;
  if (positionals.length > 0) throw new UsageError(`async takes options only; got "${positionals[0]}".`);
  return {
    num: integer('num', values.num, 100, 2 ** 31 - 1),
    valueSize: integer('value-size', values['value-size'], 0, 2 ** 20),
    gets: integer('gets', values.gets, 1, 10_000_000),
    atOnce: integer('at-once', values['at-once'], 1, 100_000),
    reads: oneOf('reads', values.reads, ['pread', 'direct'] as const),
    rounds: integer('rounds', values.rounds, 1, 100),
    db: resolve(values.db),
  };
}
