/**
 * `varve import <db> <file>`: JSONL or CSV into a keyspace, in batches, on disk when the command returns.
 *
 * A wrong line stops the import and is named; the batches before it stay. Running the same import again is harmless.
 */
import type { Command } from 'commander';
import type { Database } from 'varve';
import { addKeyspaceOptions } from '../command-options.ts';
import { type FileFormat, fileFormatOf, fileFormatOption } from '../file-format.ts';
import { readEntries } from '../import-source.ts';
import type { KeyspaceChoice } from '../open-database.ts';
import { chooseKeyspace, withDatabase } from '../open-database.ts';
import { plural, showCount, showSize } from '../output.ts';
import { startProgress } from '../progress.ts';
import { type Input, openInput } from '../read-input.ts';
import type { Session } from '../session.ts';
import { takeArguments } from '../session.ts';

const BATCH_ENTRIES = 1000;
const BATCH_BYTES = 1024 * 1024;
/** In less time a rate says nothing. */
const RATED_MS = 500;

interface Options extends KeyspaceChoice {
  readonly format?: FileFormat;
  readonly keyField?: string;
}

export function addImport(program: Command, session: Session): void {
  const command = program
    .command('import')
    .description('load JSONL or CSV; creates database and keyspace when there are none')
    .usage('[options] <db> <file>')
    .argument('[arguments...]', "database, file ('-' for stdin)")
    .addOption(fileFormatOption())
    .option('--key-field <name>', 'this field is the key, the whole record as JSON the value');
  addKeyspaceOptions(command).action(async (given: string[], options: Options) => {
    const { path, values } = takeArguments(session, 'import', given, ['file']);
    const file = fileFormatOf(options.format, values[0]!);
    const input = await openInput(session.streams, values[0]!);
    await withDatabase(session, path, 'create', (database) => load(session, database, input, file, options));
  });
}

async function load(
  session: Session,
  database: Database,
  input: Input,
  file: FileFormat,
  options: Options,
): Promise<void> {
  const { keyspace, key, value } = chooseKeyspace(database, options, true);
  const progress = startProgress(session.streams.stderr, 'import', input.bytesTotal);
  const started = performance.now();
  const batch = database.batch();
  let entries = 0;
  let bytes = 0;
  try {
    for await (const entry of readEntries(input, { file, key, value, keyField: options.keyField })) {
      batch.put(keyspace, entry.key, entry.value);
      entries++;
      bytes += entry.key.length + entry.value.length;
      if (batch.count >= BATCH_ENTRIES || batch.bytes >= BATCH_BYTES) {
        await database.write(batch, { durability: 'os' });
        progress.update(input.bytesRead, plural(entries, 'entry', 'entries'));
      }
    }
    if (batch.count > 0) await database.write(batch, { durability: 'os' });
    await database.sync('disk');
  } catch (error) {
    progress.stop();
    const stored = entries - batch.count;
    session.streams.stderr.write(
      `varve: stopped; ${plural(stored, 'entry', 'entries')} before that are stored\n`,
    );
    await database.sync('disk').catch(() => undefined);
    throw error;
  }
  progress.stop();
  const ms = Math.round(performance.now() - started);
  if (session.options.json === true) session.out.json({ keyspace: keyspace.name, entries, bytes, ms });
  else {
    const what = `${plural(entries, 'entry', 'entries')} (${showSize(bytes)}) into '${keyspace.name}'`;
    const rate = ms < RATED_MS ? '' : `, ${showCount(Math.round((entries * 1000) / ms))} a second`;
    session.out.line(`imported ${what} in ${(ms / 1000).toFixed(1)} s${rate}`);
  }
}
