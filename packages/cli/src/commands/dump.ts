/**
 * `varve dump <file>`: the records of one file, a log segment (.wal), a table (.sst), a blob file (.blob) or a MANIFEST, without its database.
 *
 * What comes before damage is printed. In a log the listing goes on behind it, in a table or a MANIFEST it ends there; exit
 * code 4 in both cases.
 */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { type DumpLine, dumpFile } from 'varve';
import { exitCodes } from '../failure.ts';
import { escapeControls, toPlain } from '../format.ts';
import type { Session } from '../session.ts';
import { NotFoundError, UsageError, wholeNumber } from '../session.ts';

/** The longest kinds are 'segment-start' and 'history-floor'. */
const KIND_WIDTH = 13;

export function addDump(program: Command, session: Session): void {
  program
    .command('dump')
    .description('print the records of a .wal, .sst, .blob or MANIFEST file')
    .usage('[options] <file>')
    .argument('[arguments...]', 'file')
    .option('--limit <n>', 'at most so many lines')
    .action(async (given: string[], options: { limit?: string }) => {
      const [file, ...others] = given;
      if (file === undefined || others.length > 0)
        throw new UsageError('dump takes one file', 'varve dump <file>');
      const limit =
        options.limit === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--limit', options.limit);
      if (!existsSync(file)) throw new NotFoundError(`there is no file ${file}`);
      const { out } = session;
      let lines = 0;
      for (const line of dumpFile(file)) {
        if (lines++ >= limit) break;
        if (line.kind === 'damage') session.exitCode = exitCodes.corruption;
        if (session.options.json === true) out.json(dumpJson(line));
        else out.line(dumpText(line));
        if (out.isFull) await out.settle();
      }
    });
}

function dumpJson({ offset, kind, detail }: DumpLine): unknown {
  return { offset, kind, detail: toPlain(detail) };
}

/** '       485  put           keyspace=1 key=a value=1'. */
export function dumpText({ offset, kind, detail }: DumpLine): string {
  const members = Object.entries(detail)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${showDetail(name, value)}`);
  return `${String(offset).padStart(10)}  ${kind.padEnd(KIND_WIDTH)} ${members.join(' ')}`.trimEnd();
}

/** Text as it is; in quotes when that would not tell where it ends. */
function showDetail(name: string, value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(toPlain(value));
  // A value is the last member of its line.
  const isClear = name === 'value' || (value !== '' && !/^"|\s/.test(value));
  return isClear ? escapeControls(value) : JSON.stringify(value);
}
