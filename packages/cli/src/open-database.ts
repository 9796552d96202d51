/**
 * Opening for one command: read-only for all commands that only read, so that they change nothing on disk and work while
 * another program has the database open; always closed.
 *
 * The keyspace is opened as plain bytes whatever its codecs are; formats come from the codec names that are stored
 * (format.ts). A reader takes no lock, so tables may be replaced under it: then it begins again, or FileGoneError says so.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Bytes, Database, DatabaseOptions, Keyspace } from 'varve';
import { open, VarveError } from 'varve';
import type { Format, FormatName } from './format.ts';
import { chooseFormat } from './format.ts';
import { plural } from './output.ts';
import { FileGoneError, NotFoundError, type Session } from './session.ts';

/** How often a reader opens a database anew whose files were replaced before anything was printed. */
const ATTEMPTS_MAX = 10;

/** How a command opens its database. */
export type Access = 'read' | 'write' | 'create';

/** Opens, works, closes. The first error wins; what the recovery found goes to stderr. */
export async function withDatabase(
  session: Session,
  path: string,
  access: Access,
  work: (database: Database) => Promise<void> | void,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await openAndWork(session, path, access, work);
      return;
    } catch (error) {
      const gone = goneFile(error);
      if (gone === undefined) throw error;
      // LOCK is there while a program has the database open; after a crash, too, until the next open.
      const isLocked = access === 'read' && existsSync(join(path, 'LOCK'));
      if (isLocked && attempt < ATTEMPTS_MAX && session.out.isUntouched) continue;
      throw new FileGoneError(gone, isLocked, error);
    }
  }
}

/** The file of the database whose absence is the reason of an error. */
function goneFile(error: unknown): string | undefined {
  if (!(error instanceof VarveError)) return undefined;
  const { file, system } = error.context;
  if (typeof file !== 'string' || (error.kind !== 'corruption' && system !== 'ENOENT')) return undefined;
  return existsSync(file) ? undefined : file;
}

async function openAndWork(
  session: Session,
  path: string,
  access: Access,
  work: (database: Database) => Promise<void> | void,
): Promise<void> {
  const { recovery } = session.options;
  const options: DatabaseOptions = {
    createIfMissing: access === 'create',
    readOnly: access === 'read',
    ...(recovery === undefined ? {} : { recovery }),
  };
  const database = await open(path, options);
  try {
    const { warnings, cutBytes } = database.recovered;
    for (const warning of warnings) session.streams.stderr.write(`varve: warning: ${warning}\n`);
    if (cutBytes > 0) {
      const what = `the log ends in ${plural(cutBytes, 'byte')} of unfinished records, which are left out`;
      session.streams.stderr.write(`varve: warning: ${what}\n`);
    }
    await work(database);
  } catch (error) {
    // The work's own error tells more than whatever closing adds to it.
    await database.close().catch(() => undefined);
    throw error;
  }
  await database.close();
}

/** Options of commands that touch one keyspace. */
export interface KeyspaceChoice {
  readonly keyspace: string;
  readonly keyFormat?: FormatName;
  readonly valueFormat?: FormatName;
}

export interface ChosenKeyspace {
  readonly keyspace: Keyspace<Bytes, Bytes>;
  readonly key: Format;
  readonly value: Format;
}

/** The keyspace of a command with its formats. Without `create`, one that is not there is NotFoundError. */
export function chooseKeyspace(database: Database, choice: KeyspaceChoice, create = false): ChosenKeyspace {
  const names = database.keyspaces();
  if (!create && !names.includes(choice.keyspace)) {
    const known = names.length === 0 ? 'it has none yet' : `it has ${names.join(', ')}`;
    throw new NotFoundError(`no keyspace '${choice.keyspace}' in ${database.path}; ${known}`);
  }
  const codecs = storedCodecs(database, choice.keyspace);
  return {
    keyspace: database.keyspace(choice.keyspace),
    key: chooseFormat(choice.keyFormat, codecs.key),
    value: chooseFormat(choice.valueFormat, codecs.value),
  };
}

/** The codec names that are stored; 'bytes' for a keyspace that is not there yet. */
function storedCodecs(database: Database, name: string): { key: string; value: string } {
  const stated = database.stats().keyspaces[name];
  return { key: stated?.keyCodec ?? 'bytes', value: stated?.valueCodec ?? 'bytes' };
}
