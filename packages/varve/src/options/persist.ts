/**
 * The text of an `OPTIONS-n` file: what a database was opened with, for people and for tools.
 *
 *   # Varve options, format 1              PERSISTED: first line; a higher format is refused
 *   [database]                             then one line per persisted setting, after its documentation:
 *   # bytes, default 64 MiB. Memory of ...
 *   memtableBytesMax = 67108864            name = value as JSON
 *   [keyspace "users"]                     name as JSON; the same for every keyspace
 *
 * Written by the engine at open; read back by tools. Settings that say how to open, and
 * components (file system, clock), are not stored. Invariant: parse(format(x)) gives the persisted part of x.
 */
import { corruption, invalid } from '../base/errors.ts';
import type { ResolvedDatabaseOptions } from './database-settings.ts';
import { databaseSettings } from './database-settings.ts';
import type { ResolvedKeyspaceSettings } from './keyspace-settings.ts';
import { keyspaceSettings } from './keyspace-settings.ts';
import type { Setting } from './setting.ts';

const FORMAT = 1;
const FIRST_LINE = '# Varve options, format ';

/** What an OPTIONS file says: plain values, not yet checked against this release's declarations. */
export interface StoredOptions {
  readonly database: Readonly<Record<string, unknown>>;
  readonly keyspaces: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

/** The text for these options. `keyspaces` maps names to settings; they are written in the order of the map. */
export function formatOptions(
  database: ResolvedDatabaseOptions,
  keyspaces: ReadonlyMap<string, ResolvedKeyspaceSettings>,
): string {
  const lines = [`${FIRST_LINE}${FORMAT}`, '', '[database]'];
  addSettings(lines, databaseSettings, database);
  let first = true;
  for (const [name, settings] of keyspaces) {
    lines.push('', `[keyspace ${JSON.stringify(name)}]`);
    addSettings(lines, keyspaceSettings, settings, first);
    first = false;
  }
  lines.push('');
  return lines.join('\n');
}

/**
 * Reads such a text. Unknown names are kept: a later release may have written them.
 *
 * @throws VarveError `CORRUPTION` with file and line for text that `formatOptions` never writes, `UNSUPPORTED_VERSION`
 *   (kind invalid) for a higher format.
 */
export function parseOptions(text: string, file: string): StoredOptions {
  const lines = text.split('\n');
  const format = lines[0]!.startsWith(FIRST_LINE) ? Number(lines[0]!.slice(FIRST_LINE.length)) : Number.NaN;
  if (!Number.isInteger(format)) throw corruption(`${file} is not an options file`, { file, line: 1 });
  if (format > FORMAT) {
    throw invalid('UNSUPPORTED_VERSION', `${file} has format ${format}, this release reads up to ${FORMAT}`, {
      file,
      expected: FORMAT,
      got: format,
    });
  }
  const database: Record<string, unknown> = {};
  const keyspaces = new Map<string, Record<string, unknown>>();
  let section: Record<string, unknown> | undefined;
  for (const [index, line] of lines.entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const damaged = (cause?: unknown): Error =>
      corruption(`${file}, line ${index + 1}: not a setting`, { file, line: index + 1 }, cause);
    const keyspace = /^\[keyspace (".*")\]$/.exec(line);
    if (line === '[database]') section = database;
    else if (keyspace !== null) {
      section = {};
      keyspaces.set(readJson(keyspace[1]!, damaged) as string, section);
    } else {
      const pair = /^([A-Za-z0-9]+) = (.*)$/.exec(line);
      if (pair === null || section === undefined) throw damaged();
      Object.defineProperty(section, pair[1]!, {
        value: readJson(pair[2]!, damaged),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
  }
  return { database, keyspaces };
}

function addSettings(
  lines: string[],
  table: { readonly [name: string]: Setting<unknown> },
  values: object,
  documented = true,
): void {
  for (const [name, declared] of Object.entries(table)) {
    const value = (values as Record<string, unknown>)[name];
    if (!declared.persisted || value === undefined) continue;
    if (documented) {
      const unit = declared.unit === undefined ? '' : `${declared.unit}, `;
      lines.push(`# ${unit}default ${declared.defaultText}. ${declared.doc}`);
    }
    lines.push(`${name} = ${JSON.stringify(value)}`);
  }
}

function readJson(text: string, damaged: (cause: unknown) => Error): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw damaged(error);
  }
}
