/**
 * One run of the command line: parses the arguments, runs the command, turns every outcome into an exit code.
 *
 * `run` never throws, never ends the process and touches no global state, so tests call it in process. One file per
 * command in commands/; what they share is in session.ts, open-database.ts, command-options.ts, format.ts, output.ts.
 */
import { Command, CommanderError, Option } from 'commander';
import { addCount } from './commands/count.ts';
import { addDelete } from './commands/delete.ts';
import { addDump } from './commands/dump.ts';
import { addExport } from './commands/export.ts';
import { addGet } from './commands/get.ts';
import { addImport } from './commands/import.ts';
import { addLevels } from './commands/levels.ts';
import { addPut } from './commands/put.ts';
import { addScan } from './commands/scan.ts';
import { addStats } from './commands/stats.ts';
import { addVerify } from './commands/verify.ts';
import { describeFailure, exitCodes, failureJson, failureLines } from './failure.ts';
import { Output } from './output.ts';
import type { CliStreams, GlobalOptions, Session } from './session.ts';
import { cliVersion } from './version.ts';

const helpEnd = `
The database is the first argument or --db PATH. get, scan, count, export, stats, levels and verify
open it read-only; put and import create it when there is none.

Exit codes: 0 done, 1 not found, 2 wrong usage, 3 in use by another process, 4 corruption, 5 other.

  varve put ./data ada '{"name":"Ada"}'
  varve get ./data ada
  varve scan ./data --prefix a --limit 10
  varve import ./data people.csv --key-field id
  varve levels ./data`;

/** Runs `varve` with these arguments (without node and script); resolves with the exit code. */
export async function run(argv: readonly string[], streams: CliStreams): Promise<number> {
  const session: Session = { streams, out: new Output(streams.stdout), options: {}, exitCode: exitCodes.ok };
  // Failures before the options are parsed should be in the form that was asked for, too.
  session.options = { json: argv.includes('--json') };
  try {
    await makeProgram(session).parseAsync([...argv], { from: 'user' });
  } catch (error) {
    session.exitCode = report(session, error);
  }
  try {
    await session.out.end();
  } catch (error) {
    session.exitCode = report(session, error);
  }
  return session.exitCode;
}

function makeProgram(session: Session): Command {
  const program = new Command('varve')
    .description('Look into, change and check a Varve database.')
    .version(cliVersion)
    .option('--db <path>', 'directory of the database, instead of the first argument')
    .option('--json', 'output for programs: JSON, one object a line')
    .addOption(
      new Option('--recovery <mode>', 'a torn end of the log').choices(['strict', 'prefix', 'salvage']),
    )
    .addHelpText('after', helpEnd)
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: (command) => `${command.name()} ${command.usage().replace('[options] ', '')}`,
    })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => session.out.line(text.trimEnd()),
      writeErr: (text) => session.streams.stderr.write(text),
      outputError: () => undefined,
    })
    .hook('preAction', (_, command) => {
      session.options = command.optsWithGlobals<GlobalOptions>();
    });
  for (const add of [
    addPut,
    addGet,
    addDelete,
    addScan,
    addCount,
    addImport,
    addExport,
    addStats,
    addLevels,
    addVerify,
    addDump,
  ]) {
    add(program, session);
  }
  return program;
}

/** Says what went wrong and returns the exit code. */
function report(session: Session, error: unknown): number {
  if (error instanceof CommanderError && error.code !== 'commander.help' && error.exitCode === 0)
    return exitCodes.ok;
  if (error instanceof CommanderError && error.code === 'commander.help') return exitCodes.usage;
  const failure = describeFailure(error);
  const { stderr } = session.streams;
  if (session.options.json === true) stderr.write(`${JSON.stringify(failureJson(failure))}\n`);
  else stderr.write(`${failureLines(failure).join('\n')}\n`);
  return failure.exitCode;
}
