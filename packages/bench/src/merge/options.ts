/** The command line of `merge`. */
import { resolve } from 'node:path';
import { integer, parse, UsageError } from '../options.ts';

export interface MergeBenchOptions {
  readonly num: number;
  readonly keys: number;
  readonly rounds: number;
  readonly db: string;
}

const flags = {
  num: { type: 'string', default: '500000' },
  keys: { type: 'string', default: '10000' },
  rounds: { type: 'string', default: '3' },
  db: { type: 'string', default: 'data/bench-merge' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export const mergeHelp: string = `Counts by keyspace.merge with the operator counter, beside update() and put() on the same random keys, by turns,
each in a database of its own; then what a get costs by how many operands lie on its key.

  npm run bench -- merge
  npm run bench -- merge --num 100000 --rounds 1

Options:
  --num N               operations (500000)
  --keys N              different keys (10000)
  --rounds N            how often all are measured (3)
  --db DIR              where the databases go; removed at the end (data/bench-merge)
`;

/** Undefined: help is asked for. Throws `UsageError`. */
export function parseMerge(args: readonly string[]): MergeBenchOptions | undefined {
  const { values, positionals } = parse(args, flags);
  if (values.help) return undefined;
  if (positionals.length > 0) throw new UsageError(`merge takes options only; got "${positionals[0]}".`);
  return {
    num: integer('num', values.num, 1, 2 ** 31 - 1),
    keys: integer('keys', values.keys, 1, 2 ** 31 - 1),
    rounds: integer('rounds', values.rounds, 1, 100),
    db: resolve(values.db),
  };
}
