/**
 * The simulation's commands:
 *
 *   npm run sim -- --seconds 60              explores fresh seeds for a time (the default: 60 s)
 *   npm run sim -- --seed 12                 replays one
 *   npm run sim -- --seeds 2000 --from 1     runs a set
 *   npm run sim -- --feed --seeds 500        with consumers of the change feed
 *   npm run sim -- kill --rounds 200         SIGKILLs a writing process again and again (real files)
 *   npm run sim -- mutate --positions 5000   flips one bit at a time in the files of a database
 *   npm run sim -- threads --rounds 2000     terminates threads that share a database (real files and threads)
 *   npm run sim -- keyspaces --count 10000   that many keyspaces on disk with the default memory
 *   npm run sim -- isolation --seeds 1000    overlapping transactions, and what their isolation forbids
 *   npm run sim -- bank --seeds 1000         transfers by many tasks with crashes, looked at from every side
 *   npm run sim -- interleave [--help]       every order of the atomic steps of the shared algorithms, on small instances
 *
 * The simulation draws for each life how tables are read (a copy, past the cache, out of a mapping) and the structure of
 * memtables. `kill`, `mutate` and `keyspaces` take `--reads pread|direct|mmap` and `--memtable btree|skiplist` for the whole
 * run; `mutate` judges copies in memory when no `--reads` is given.
 *
 * Exit code 0 when everything held, 1 when something did not, 2 for a wrong call.
 */
import { parseArgs } from 'node:util';
import { explore } from './explore.ts';
import { runInterleave } from './interleave/command.ts';
import { checkBanks } from './bank/command.ts';
import { checkIsolation } from './isolation/command.ts';
import { runKeyspaces } from './keyspaces/command.ts';
import { runKillRounds } from './kill/command.ts';
import { runMutateCommand } from './mutate/command.ts';
import type { Mutation } from './mutate/judge.ts';
import { runThreadsCommand } from './threads/command.ts';
import type { Variants } from './variants.ts';

const usage = `usage: npm run sim -- [--seconds S | --seed N | --seeds COUNT --from FIRST] [--stop] [--feed]
       npm run sim -- kill [--rounds N] [--seed N] [VARIANT]
       npm run sim -- mutate [--positions N] [--seed N] [VARIANT]
       npm run sim -- mutate --seed N --specimen NAME --file NAME --offset N --bit N [VARIANT]
       npm run sim -- threads [--rounds N] [--from SEED] [--workers N]
       npm run sim -- keyspaces [--count N] [VARIANT]
       npm run sim -- isolation [--seeds N] [--from SEED] [--stop]
       npm run sim -- bank [--seeds N] [--from SEED] [--stop]
       npm run sim -- interleave [--algorithm NAME] [--deep] [--help]
       VARIANT: [--reads pread|direct|mmap] [--memtable btree|skiplist]`;

const options = {
  seconds: { type: 'string' },
  seed: { type: 'string' },
  seeds: { type: 'string' },
  from: { type: 'string' },
  stop: { type: 'boolean' },
  feed: { type: 'boolean' },
  rounds: { type: 'string' },
  positions: { type: 'string' },
  specimen: { type: 'string' },
  file: { type: 'string' },
  offset: { type: 'string' },
  bit: { type: 'string' },
  reads: { type: 'string' },
  memtable: { type: 'string' },
  count: { type: 'string' },
  workers: { type: 'string' },
} as const;

function wrongCall(why: string): never {
  console.error(`${why}\n${usage}`);
  process.exit(2);
}

function read(): { command: string; values: Record<string, string | boolean | undefined> } {
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    return { command: positionals[0] ?? 'explore', values };
  } catch (error) {
    return wrongCall(error instanceof Error ? error.message : String(error));
  }
}

// It has options of its own.
if (process.argv[2] === 'interleave') process.exit(await runInterleave(process.argv.slice(3)));
const { command, values } = read();
const log = (line: string): void => console.log(line);

/** A whole number given on the command line, or `otherwise`. */
function number(name: keyof typeof options, otherwise: number): number {
  const text = values[name];
  if (text === undefined) return otherwise;
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= 0
    ? value
    : wrongCall(`--${name} takes a whole number; got ${String(text)}`);
}

/** The one bit that a replay of `mutate` judges. */
function onlyOne(): { only?: Mutation } {
  const { specimen, file } = values;
  if (typeof specimen !== 'string' || typeof file !== 'string') return {};
  return { only: { specimen, file, offset: number('offset', 0), bit: number('bit', 0) } };
}

/** One of a few words given on the command line; undefined when it is not given. */
function word<W extends string>(name: keyof typeof options, words: readonly W[]): W | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  return (
    words.find((each) => each === text) ??
    wrongCall(`--${name} takes one of ${words.join(', ')}; got ${String(text)}`)
  );
}

const variants = (): Variants => ({
  reads: word('reads', ['pread', 'direct', 'mmap']),
  memtable: word('memtable', ['btree', 'skiplist']),
});

const fresh = Math.floor(Math.random() * 2 ** 31);
if (command === 'kill') {
  const { failed } = await runKillRounds({
    rounds: number('rounds', 200),
    seed: number('seed', fresh),
    ...variants(),
    log,
  });
  process.exitCode = failed === 0 ? 0 : 1;
} else if (command === 'mutate') {
  const { failed } = await runMutateCommand({
    positions: number('positions', 5000),
    seed: number('seed', fresh),
    ...onlyOne(),
    ...variants(),
    log,
  });
  process.exitCode = failed === 0 ? 0 : 1;
} else if (command === 'threads') {
  const { failed } = await runThreadsCommand({
    rounds: number('rounds', 200),
    from: number('from', fresh),
    writers: number('workers', 4),
    log,
  });
  process.exitCode = failed === 0 ? 0 : 1;
} else if (command === 'keyspaces') {
  await runKeyspaces({ count: number('count', 10_000), ...variants(), log });
} else if (command === 'isolation') {
  const { failed } = await checkIsolation({
    from: number('from', fresh),
    count: number('seeds', 1000),
    stopAtFailure: values['stop'] === true,
    log,
  });
  process.exitCode = failed === 0 ? 0 : 1;
} else if (command === 'bank') {
  const { failed } = await checkBanks({
    from: number('from', fresh),
    count: number('seeds', 1000),
    stopAtFailure: values['stop'] === true,
    log,
  });
  process.exitCode = failed === 0 ? 0 : 1;
} else if (command === 'explore') {
  const isOne = values['seed'] !== undefined;
  const count = isOne ? 1 : number('seeds', Number.POSITIVE_INFINITY);
  const seconds = number('seconds', count === Number.POSITIVE_INFINITY ? 60 : Number.POSITIVE_INFINITY);
  const from = isOne ? number('seed', 0) : number('from', fresh);
  const { failed } = await explore({
    from,
    count,
    limitMs: seconds * 1000,
    withFollowers: values['feed'] === true,
    stopAtFailure: values['stop'] === true,
    log,
  });
  process.exitCode = failed === 0 ? 0 : 1;
} else wrongCall(`there is no command '${command}'`);
