/** The command line of `changes`. */
import { resolve } from 'node:path';
import { integer, parse, UsageError } from '../options.ts';

export interface ChangesBenchOptions {
  readonly num: number;
  readonly live: number;
  readonly rounds: number;
  readonly db: string;
}

const flags = {
  num: { type: 'string', default: '1000000' },
  live: { type: 'string', default: '2000' },
  rounds: { type: 'string', default: '5' },
  db: { type: 'string', default: 'data/bench-changes' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export const changesHelp: string = `Measures the change feed: how fast a consumer catches up with single puts of 16 + 100 bytes, as bytes, with
a filter and with codecs, and how long after a put the live tail shows it.

  npm run bench -- changes
  npm run bench -- changes --num 200000 --rounds 1

Options:
  --num N       puts to catch up with (1000000)
  --live N      puts for each latency (2000)
  --rounds N    how often everything is measured; medians of them (5)
  --db DIR      where the database goes; removed at the end (data/bench-changes)
`;

/** Undefined: help is asked for. Throws `UsageError`. */
export function parseChanges(args: readonly string[]): ChangesBenchOptions | undefined {
  const { values, positionals } = parse(args, flags);
  if (values.help) return undefined;
  if (positionals.length > 0) throw new UsageError(`changes takes options only; got "${positionals[0]}".`);
  return {
    num: integer('num', values.num, 1, 2 ** 31 - 1),
    live: integer('live', values.live, 1, 1_000_000),
    rounds: integer('rounds', values.rounds, 1, 100),
    db: resolve(values.db),
  };
}
