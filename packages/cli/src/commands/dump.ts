/**
 * `varve dump <file>`: the records of one file, a log segment (.wal), a table (.sst) or a MANIFEST, without its database.
 *
 * What comes before damage is printed; damage ends the listing with exit code 4.
 */
import type { Command } from 'commander';
import { type DumpLine, dumpFile } from 'varve';
import { decodeText, escapeControls, toHex, toPlain } from '../format.ts';
import type { Session } from '../session.ts';
import { UsageError, wholeNumber } from '../session.ts';

export function addDump(program: Command, session: Session): void {
  program
    .command('dump')
    .description('print the records of a .wal, .sst or MANIFEST file')
    .usage('[options] <file>')
    .argument('[arguments...]', 'file')
    .option('--limit <n>', 'at most so many records')
    .action(async (given: string[], options: { limit?: string }) => {
      const [file, ...others] = given;
      if (file === undefined || others.length > 0)
        throw new UsageError('dump takes one file', 'varve dump <file>');
      const limit =
        options.limit === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--limit', options.limit);
      const { out } = session;
      let lines = 0;
      for (const line of dumpFile(file)) {
        if (lines++ >= limit) break;
        if (session.options.json === true) out.json(dumpJson(line));
        else out.line(dumpText(line));
        if (out.isFull) await out.settle();
      }
    });
}

function dumpJson({ offset, kind, detail }: DumpLine): unknown {
  return { offset, kind, detail: toPlain(detail) };
}

/** '     120  put  keyspace=1 key="a" value="..."'. */
export function dumpText({ offset, kind, detail }: DumpLine): string {
  const members = Object.entries(detail)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${showDetail(value)}`);
  return `${String(offset).padStart(10)}  ${kind.padEnd(12)} ${members.join(' ')}`.trimEnd();
}

function showDetail(value: unknown): string {
  if (typeof value === 'string') return escapeControls(value);
  if (value instanceof Uint8Array) {
    const text = decodeText(value);
    return text === undefined ? `0x${toHex(value)}` : JSON.stringify(escapeControls(text));
  }
  return typeof value === 'number' ? String(value) : JSON.stringify(toPlain(value));
}
