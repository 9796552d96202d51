/** The command line of `past`. */
import { resolve } from 'node:path';
import { integer, parse, UsageError } from '../options.ts';

export interface PastBenchOptions {
  readonly num: number;
  readonly rounds: number;
  readonly db: string;
}

const flags = {
  num: { type: 'string', default: '1000000' },
  rounds: { type: 'string', default: '5' },
  db: { type: 'string', default: 'data/bench-past' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export const pastHelp: string = `Measures time travel: puts into a keyspace that keeps its past beside one that does not, gets of a past state
beside gets of now, the difference of two states, and the versions of a key.

  npm run bench -- past
  npm run bench -- past --num 100000 --rounds 1

Options:
  --num N       entries (1000000)
  --rounds N    how often everything is measured; medians of them (5)
  --db DIR      where the database goes; removed at the end (data/bench-past)
`;

/** Undefined: help is asked for. Throws `UsageError`. */
export function parsePast(args: readonly string[]): PastBenchOptions | undefined {
  const { values, positionals } = parse(args, flags);
  if (values.help) return undefined;
  if (positionals.length > 0) throw new UsageError(`past takes options only; got "${positionals[0]}".`);
  return {
    num: integer('num', values.num, 1, 2 ** 31 - 1),
    rounds: integer('rounds', values.rounds, 1, 100),
    db: resolve(values.db),
  };
}
