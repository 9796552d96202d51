/**
 * `varve export <db> [file]`: a range as JSONL or CSV, at one point of history, to a file or stdout.
 *
 * JSONL loses nothing: bytes that are not text stand as {"$hex": ...}, and import takes them back. CSV has no such form, so
 * there they are refused with the advice to use hex.
 */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Command } from 'commander';
import type { Database } from 'varve';
import { addRangeOptions, rangeOf, type RangeChoice } from '../command-options.ts';
import { csvRecord } from '../csv.ts';
import { type FileFormat, fileFormatOf, fileFormatOption } from '../file-format.ts';
import { decodeText, type Format } from '../format.ts';
import { chooseKeyspace, withDatabase } from '../open-database.ts';
import { Output, plural } from '../output.ts';
import { startProgress } from '../progress.ts';
import type { Session } from '../session.ts';
import { takeArguments, UsageError } from '../session.ts';

const ENTRIES_PER_UPDATE = 5000;

interface Options extends RangeChoice {
  readonly format?: FileFormat;
  readonly force?: boolean;
}

export function addExport(program: Command, session: Session): void {
  const command = program
    .command('export')
    .description('write a range as JSONL or CSV (opens read-only)')
    .usage('[options] <db> [file]')
    .argument('[arguments...]', 'database, file (default: stdout)')
    .addOption(fileFormatOption())
    .option('--force', 'replace a file that exists');
  addRangeOptions(command).action(async (given: string[], options: Options) => {
    const { path, values } = takeArguments(session, 'export', given, ['file?']);
    const file = values[0] ?? '-';
    const format = fileFormatOf(options.format, file);
    await withDatabase(session, path, 'read', async (database) => {
      if (file === '-') {
        await write(session, database, session.out, format, options);
        return;
      }
      const entries = await writeFile(session, database, file, format, options);
      if (session.options.json === true) session.out.json({ file, entries });
      else session.out.line(`exported ${plural(entries, 'entry', 'entries')} to ${file}`);
    });
  });
}

async function writeFile(
  session: Session,
  database: Database,
  file: string,
  format: FileFormat,
  options: Options,
): Promise<number> {
  const stream = createWriteStream(file, { flags: options.force === true ? 'w' : 'wx' });
  try {
    await once(stream, 'open');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new UsageError(`${file} exists already; --force replaces it`);
  }
  const out = new Output(stream);
  try {
    return await write(session, database, out, format, options);
  } finally {
    await out.end();
    stream.end();
    await finished(stream);
  }
}

async function write(
  session: Session,
  database: Database,
  out: Output,
  format: FileFormat,
  options: Options,
): Promise<number> {
  const { keyspace, key, value } = chooseKeyspace(database, options);
  const range = rangeOf(options, key);
  // A bar over a terminal that also shows the entries would only disturb.
  const quiet = out.isTerminal ? { ...session.streams.stderr, isTTY: false } : session.streams.stderr;
  const estimate = database.stats().keyspaces[keyspace.name]?.entries ?? 0;
  const progress = startProgress(quiet, 'export', estimate);
  const cursor = keyspace.range(range).cursor();
  let entries = 0;
  try {
    if (format === 'csv') out.line('key,value');
    while (cursor.next()) {
      if (format === 'csv')
        out.line(csvRecord([csvText(key, cursor.key, 'key'), csvText(value, cursor.value, 'value')]));
      else out.json({ key: key.toJson(cursor.key), value: value.toJson(cursor.value) });
      entries++;
      if (out.isFull) await out.settle();
      if (entries % ENTRIES_PER_UPDATE === 0) progress.update(entries, plural(entries, 'entry', 'entries'));
    }
  } finally {
    cursor.close();
    progress.stop();
  }
  return entries;
}

/** A field that `parse` of the same format reads back. */
function csvText(format: Format, bytes: Uint8Array, what: string): string {
  if (format.name === 'json') return JSON.stringify(format.toJson(bytes));
  if (format.name === 'hex') return format.show(bytes);
  const text = decodeText(bytes);
  if (text !== undefined) return text;
  throw new UsageError(`the ${what} ${format.show(bytes)} is not text; use --${what}-format hex, or JSONL`);
}
