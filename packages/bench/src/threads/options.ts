/** The command line of `threads`. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { digitsFor } from '../keys.ts';
import { integer, parse, suggestion, UsageError } from '../options.ts';
import type { Sizes } from './sizes.ts';

export const partNames = ['read', 'beside', 'owner', 'write', 'attach', 'peers'] as const;
export type PartName = (typeof partNames)[number];

export interface ThreadsOptions {
  readonly parts: readonly PartName[];
  readonly sizes: Sizes;
  readonly db: string;
  readonly json: string | undefined;
}

/** What is asked for is asked for so many entries. */
export const NUM_ASKED = 1_000_000;
const NUM_MAX = 20_000_000;
const KEY_SIZE = 16;
const VALUE_SIZE = 100;
const MIB = 2 ** 20;

const full = { num: NUM_ASKED, rounds: 5, readMs: 600, writes: 300_000, attachments: 30, peerRounds: 3 };
const quick = { num: 50_000, rounds: 3, readMs: 200, writes: 20_000, attachments: 10, peerRounds: 1 };

const flags = {
  quick: { type: 'boolean', default: false },
  num: { type: 'string' },
  rounds: { type: 'string' },
  'read-ms': { type: 'string' },
  writes: { type: 'string' },
  'peer-rounds': { type: 'string' },
  parts: { type: 'string', default: partNames.join(',') },
  seed: { type: 'string', default: '301' },
  db: { type: 'string', default: 'data/bench-threads' },
  json: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export const threadsHelp: string = `Measures one database in several threads of a process, and says what is met.

  npm run bench -- threads
  npm run bench -- threads --quick --parts read,write

Parts (all; each in a process of its own, with a database of its own that is filled and compacted):
  read      two threads that read over one
  beside    reads of a thread while another writes as fast as it can
  owner     gets and puts of an attached thread over those of the owner, and over those before share()
  write     four threads that write over one
  attach    the time that attach takes
  peers     two threads on the same data: lmdb, @nxtedition/rocksdb

Options:
  --quick               fewer entries, shorter runs: to see that it works
  --num N               entries of 16 + 100 bytes (${full.num}; quick ${quick.num})
  --rounds N            rounds of which the median counts (${full.rounds}; quick ${quick.rounds})
  --read-ms N           how long a run of reads takes (${full.readMs}; quick ${quick.readMs})
  --writes N            entries of a run of writes (${full.writes}; quick ${quick.writes})
  --peer-rounds N       processes for each engine (${full.peerRounds}; quick ${quick.peerRounds})
  --parts a,b           (${partNames.join(',')})
  --seed N              seed of keys and values (301)
  --db DIR              where the databases go; they are removed at the end (data/bench-threads)
  --json FILE           also write the figures as JSON
`;

/** Undefined: help is asked for. Throws `UsageError`. */
export function parseThreads(args: readonly string[]): ThreadsOptions | undefined {
  const { values, positionals } = parse(args, flags);
  if (values.help) return undefined;
  if (positionals.length > 0) {
    throw new UsageError(`threads takes options only; "${positionals[0]}" goes behind --parts.`);
  }
  const sized = values.quick ? quick : full;
  const num = integer('num', values.num ?? String(sized.num), 1_000, NUM_MAX);
  const json = values.json === undefined ? undefined : resolve(values.json);
  if (json !== undefined && !existsSync(dirname(json))) {
    throw new UsageError(`--json: the directory ${dirname(json)} does not exist.`);
  }
  return {
    parts: chosenParts(values.parts),
    sizes: {
      num,
      keySize: Math.max(KEY_SIZE, digitsFor(num)),
      valueSize: VALUE_SIZE,
      cacheBytes: 192 * MIB,
      memtableBytes: 32 * MIB,
      rounds: integer('rounds', values.rounds ?? String(sized.rounds), 1, 99),
      readMs: integer('read-ms', values['read-ms'] ?? String(sized.readMs), 1, 60_000),
      writes: integer('writes', values.writes ?? String(sized.writes), 1, NUM_MAX),
      attachments: sized.attachments,
      tables: values.quick ? [10, 100] : [10, 1_000],
      peerRounds: integer('peer-rounds', values['peer-rounds'] ?? String(sized.peerRounds), 1, 99),
      seed: integer('seed', values.seed, 1, 1_000_000),
    },
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
