/**
 * Entry of the bench: `npm run bench -- fillrandom,readrandom --num 1000000`. Reads the command line, runs the
 * workloads one after the other and prints each as soon as it is done.
 *
 * Exit codes: 0 done; 1 the run failed; 2 the command line, or the directory it names, cannot be used.
 */
import { writeFileSync } from 'node:fs';
import { VarveError } from 'varve';
import { account } from './account/account.ts';
import { adapt } from './adapt/adapt.ts';
import { measureAsync } from './async/async.ts';
import { blobs } from './blobs/blobs.ts';
import { measurePast } from './past/past.ts';
import { measureChanges } from './changes/changes.ts';
import { check } from './check/check.ts';
import { compare } from './compare/compare.ts';
import { compareHelp, parseCompare } from './compare/options.ts';
import { formatCount } from './format.ts';
import { measureIngest } from './ingest/ingest.ts';
import { large } from './large/large.ts';
import { largeHelp, parseLarge } from './large/options.ts';
import { longrun } from './longrun/longrun.ts';
import { longrunHelp, parseLongrun } from './longrun/options.ts';
import { type MemoryResult, measureMemory } from './memory.ts';
import { measureMerge } from './merge/merge.ts';
import { mga } from './mga/mga.ts';
import { filters, micro, simulate } from './micro/micro.ts';
import { type BenchOptions, type Command, help, parseCommand, UsageError } from './options.ts';
import { ForeignDirectoryError } from './own-directory.ts';
import { formatColumns, formatHead, formatMemory, formatResult, thisMachine } from './report.ts';
import { NothingToReadError, Runner, type WorkloadResult } from './runner.ts';
import { parseThreads, threadsHelp } from './threads/options.ts';
import { threads } from './threads/threads.ts';
import { transactions } from './transactions/transactions.ts';

const machine = thisMachine();

/** The commands that are no workloads of one database; each resolves with whether all went well. */
const commands: Readonly<Record<string, (args: readonly string[]) => Promise<boolean>>> = {
  async compare(args) {
    const options = parseCompare(args);
    if (options === undefined) {
      console.log(compareHelp);
      return true;
    }
    return await compare(options, interrupted());
  },
  async large(args) {
    const options = parseLarge(args);
    if (options === undefined) {
      console.log(largeHelp);
      return true;
    }
    return await large(options, interrupted());
  },
  async longrun(args) {
    const options = parseLongrun(args);
    if (options === undefined) {
      console.log(longrunHelp);
      return true;
    }
    return await longrun(options, interrupted());
  },
  async threads(args) {
    const options = parseThreads(args);
    if (options === undefined) {
      console.log(threadsHelp);
      return true;
    }
    return await threads(options, interrupted());
  },
  account,
  adapt,
  async: measureAsync,
  blobs,
  changes: measureChanges,
  check,
  filters,
  ingest: measureIngest,
  merge: measureMerge,
  mga,
  micro,
  past: measurePast,
  simulate,
  transactions,
};

/** Aborted when the user presses Ctrl-C, so that databases are removed, no child is left and what there is gets printed. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => controller.abort());
  }
  return controller.signal;
}

async function main(command: Command): Promise<void> {
  if (command.kind === 'help') {
    console.log(help);
    return;
  }
  const { options } = command;
  const runner = new Runner(options);
  const results: (WorkloadResult | MemoryResult)[] = [];
  try {
    console.log(formatHead(machine, options, command.kind === 'memory' ? 'sync()' : `sync('os')`));
    if (command.kind === 'memory') {
      const result = await measureMemory(runner, options, showProgress(options.num));
      console.log(formatMemory(result));
      results.push(result);
    } else {
      console.log(formatColumns());
      for (const workload of command.workloads) {
        const result = await runner.run(workload);
        console.log(formatResult(result));
        results.push(result);
      }
    }
  } finally {
    await runner.close();
  }
  if (options.json !== undefined) writeJson(options.json, options, results);
}

function writeJson(
  path: string,
  options: BenchOptions,
  results: readonly (WorkloadResult | MemoryResult)[],
): void {
  const { db: _db, json: _json, ...settings } = options;
  writeFileSync(path, `${JSON.stringify({ machine, settings, results }, null, 2)}\n`);
}

/** A line that overwrites itself on a terminal; nothing elsewhere. */
function showProgress(total: number): (done: number) => void {
  if (!process.stderr.isTTY) return () => {};
  return (done) => {
    if (done % 100_000 === 0 || done === total) {
      process.stderr.write(done === total ? '\r\x1b[K' : `\r... ${formatCount(done)} entries`);
    }
  };
}

try {
  const [first, ...rest] = process.argv.slice(2);
  const command = first === undefined ? undefined : commands[first];
  if (command === undefined) await main(parseCommand(process.argv.slice(2)));
  else if (!(await command(rest))) process.exitCode = 1;
} catch (error) {
  const isUsage =
    error instanceof UsageError ||
    error instanceof ForeignDirectoryError ||
    error instanceof NothingToReadError;
  if (isUsage) {
    console.error(`bench: ${error.message}`);
    process.exitCode = 2;
  } else if (error instanceof VarveError) {
    console.error(`bench: ${error.code}: ${error.message}`, error.context);
    process.exitCode = 1;
  } else {
    throw error;
  }
}
