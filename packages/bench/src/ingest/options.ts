/** The command line of `ingest`. */
import { resolve } from 'node:path';
import { integer, parse, UsageError } from '../options.ts';

export interface IngestBenchOptions {
  readonly num: number;
  readonly valueSize: number;
  readonly batch: number;
  readonly rounds: number;
  readonly db: string;
}

const flags = {
  num: { type: 'string', default: '1000000' },
  'value-size': { type: 'string', default: '100' },
  batch: { type: 'string', default: '1000' },
  rounds: { type: 'string', default: '3' },
  db: { type: 'string', default: 'data/bench-ingest' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export const ingestHelp: string = `Measures db.ingest beside batches of the same sorted entries (fillseq), by turns, each into a database
of its own, up to where everything is on disk and nothing is left to flush or compact.

  npm run bench -- ingest
  npm run bench -- ingest --num 200000 --rounds 1

Options:
  --num N               entries (1000000)
  --value-size BYTES    values compress to half their size (100)
  --batch N             puts in a batch of the other way (1000)
  --rounds N            how often both are measured (3)
  --db DIR              where the databases go; removed at the end (data/bench-ingest)
`;

/** Undefined: help is asked for. Throws `UsageError`. */
export function parseIngest(args: readonly string[]): IngestBenchOptions | undefined {
  const { values, positionals } = parse(args, flags);
  if (values.help) return undefined;
  if (positionals.length > 0) throw new UsageError(`ingest takes options only; got "${positionals[0]}".`);
  return {
    num: integer('num', values.num, 1, 2 ** 31 - 1),
    valueSize: integer('value-size', values['value-size'], 0, 2 ** 20),
    batch: integer('batch', values.batch, 1, 1_000_000),
    rounds: integer('rounds', values.rounds, 1, 100),
    db: resolve(values.db),
  };
}
