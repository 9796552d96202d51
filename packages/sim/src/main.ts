/**
 * The simulation's commands:
 *
 *   npm run sim -- --seconds 60              explores fresh seeds for a time (the default: 60 s)
 *   npm run sim -- --seed 12                 replays one
 *   npm run sim -- --seeds 2000 --from 1     runs a set
 *   npm run sim -- kill --rounds 200         SIGKILLs a writing process again and again (real files)
 *   npm run sim -- mutate --positions 5000   flips one bit at a time in the files of a database
 *
 * `kill` and `mutate` take `--reads direct` or `--reads mmap`: tables on disk are then read in that way.
 *
 * Exit code 0 when everything held, 1 when something did not, 2 for a wrong call.
 */
import { parseArgs } from 'node:util';
import type { ReadMode } from 'varve/testing';
import { explore } from './explore.ts';
import { runKillRounds } from './kill/command.ts';
import { runMutateCommand } from './mutate/command.ts';
import type { Mutation } from './mutate/judge.ts';

const usage = `usage: npm run sim -- [--seconds S | --seed N | --seeds COUNT --from FIRST] [--stop]
       npm run sim -- kill [--rounds N] [--seed N] [--reads pread|direct|mmap]
       npm run sim -- mutate [--positions N] [--seed N] [--reads pread|direct|mmap]
       npm run sim -- mutate --seed N --specimen NAME --file NAME --offset N --bit N`;

const options = {
  seconds: { type: 'string' },
  seed: { type: 'string' },
  seeds: { type: 'string' },
  from: { type: 'string' },
  stop: { type: 'boolean' },
  rounds: { type: 'string' },
  positions: { type: 'string' },
  specimen: { type: 'string' },
  file: { type: 'string' },
  offset: { type: 'string' },
  bit: { type: 'string' },
  reads: { type: 'string' },
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

function reads(): { reads?: ReadMode } {
  const mode = values['reads'];
  if (mode === undefined) return {};
  if (mode === 'pread' || mode === 'direct' || mode === 'mmap') return { reads: mode };
  return wrongCall(`--reads takes pread, direct or mmap; got ${String(mode)}`);
}

const fresh = Math.floor(Math.random() * 2 ** 31);
if (command === 'kill') {
  const { failed } = await runKillRounds({
    rounds: number('rounds', 200),
    seed: number('seed', fresh),
    ...reads(),
    log,
  });
  process.exitCode = failed === 0 ? 0 : 1;
} else if (command === 'mutate') {
  const { failed } = await runMutateCommand({
    positions: number('positions', 5000),
    seed: number('seed', fresh),
    ...onlyOne(),
    ...reads(),
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
    stopAtFailure: values['stop'] === true,
    log,
  });
  process.exitCode = failed === 0 ? 0 : 1;
} else wrongCall(`there is no command '${command}'`);
