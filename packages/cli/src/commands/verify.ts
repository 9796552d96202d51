/**
 * `varve verify <db>`: reads everything and checks every checksum and order; exit code 4 when something is wrong.
 */
import type { Command } from 'commander';
import type { Database, OpenReport, VerifyReport } from 'varve';
import { exitCodes } from '../failure.ts';
import { withDatabase } from '../open-database.ts';
import { plural, showSize } from '../output.ts';
import { startProgress } from '../progress.ts';
import type { Session } from '../session.ts';
import { takeArguments } from '../session.ts';

const UPDATE_MS = 200;

export function addVerify(program: Command, session: Session): void {
  program
    .command('verify')
    .description('check every block of every file (opens read-only)')
    .usage('[options] <db>')
    .argument('[arguments...]', 'database')
    .option('--quick', 'log, manifest, and of each table what describes it: not every block')
    .action(async (given: string[], options: { quick?: boolean }) => {
      const { path } = takeArguments(session, 'verify', given, []);
      await withDatabase(session, path, 'read', async (database) => {
        const report = await watched(session, database, options.quick !== true);
        const { recovered } = database;
        // What a salvage open stepped over is not there to be verified any more, and is wrong all the same.
        if (session.options.recovery === 'salvage') {
          for (const message of recovered.warnings)
            report.problems.push({ file: path, code: 'SALVAGED', message });
        }
        if (session.options.json === true) session.out.json({ ...report, recovered });
        else for (const line of verifyLines(report, recovered)) session.out.line(line);
        if (report.problems.length > 0) session.exitCode = exitCodes.corruption;
      });
    });
}

/** Verification says nothing until it is done, so the bar shows what is read and for how long. */
async function watched(session: Session, database: Database, full: boolean): Promise<VerifyReport> {
  const { keyspaces } = database.stats();
  const bytes = Object.values(keyspaces).reduce((sum, keyspace) => sum + keyspace.bytes, 0);
  const progress = startProgress(session.streams.stderr, 'verify', 0);
  const note = `${showSize(bytes)} in ${plural(Object.keys(keyspaces).length, 'keyspace')}`;
  progress.update(0, note);
  const timer = setInterval(() => progress.update(0, note), UPDATE_MS);
  try {
    return await database.verify({ full });
  } finally {
    clearInterval(timer);
    progress.stop();
  }
}

/** The report for people. */
export function verifyLines({ files, bytes, entries, problems }: VerifyReport, log: OpenReport): string[] {
  const lines = problems.map(({ file, offset, code, message }) => {
    const at = offset === undefined ? '' : ` at ${offset}`;
    return `${file}${at}: ${message} (${code})`;
  });
  const tables = `${plural(files, 'table')}, ${showSize(bytes)}, ${plural(entries, 'entry', 'entries')}`;
  const read = `${tables}; log: ${plural(log.batches, 'record')}, ${showSize(log.bytes)}`;
  lines.push(problems.length === 0 ? `sound: ${read}` : `${plural(problems.length, 'problem')} in ${read}`);
  if (problems.some(({ code }) => code === 'IO_ERROR')) {
    lines.push('while a program has it open, files come and go: then close that and verify again');
  }
  if (problems.length > 0) lines.push('copy the directory before anything else is tried');
  return lines;
}
