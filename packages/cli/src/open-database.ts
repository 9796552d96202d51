/**
 * Opening for one command: read-only for all commands that only read, so that they change nothing on disk; always closed.
 *
 * Writing commands open with a single worker and no wish for a large cache; the keyspace is opened as plain bytes
 * whatever its codecs are, and formats come from the codec names that are stored (format.ts).
 */
import type { Bytes, Database, DatabaseOptions, Keyspace } from 'varve';
import { open } from 'varve';
import type { Format, FormatName } from './format.ts';
import { chooseFormat } from './format.ts';
import { NotFoundError, type Session } from './session.ts';

/** How a command opens its database. */
export type Access = 'read' | 'write' | 'create';

/** Opens, works, closes. The first error wins; warnings of the recovery go to stderr. */
export async function withDatabase(
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
    for (const warning of database.recovered.warnings)
      session.streams.stderr.write(`varve: warning: ${warning}\n`);
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

/** The codec names that the statistics state; 'bytes' where they state none. */
function storedCodecs(database: Database, name: string): { key: string; value: string } {
  const stated = database.stats().keyspaces[name] as { keyCodec?: unknown; valueCodec?: unknown } | undefined;
  const text = (value: unknown): string => (typeof value === 'string' ? value : 'bytes');
  return { key: text(stated?.keyCodec), value: text(stated?.valueCodec) };
}
