/**
 * The names in a database directory. PERSISTED: every released version must go on finding these.
 *
 *   MANIFEST-000001   version edits             000002.wal   log segment
 *   OPTIONS-000004    settings in force         000003.sst   table        000005.idx   secondary index segment
 *   000007.blob       values of tables           000002-000003.sst   table 3, kept for feeds by log segment 2
 *   CACHE-000006      blocks that were in use, a hint
 *   LOCK              socket of the owner       LOCK.info    who that is  LOCK.<id>    an opener that competes
 *   archive/          log segments kept for point-in-time recovery
 *
 * Numbers come from one counter per database, are at least 1, never reused, and written with at least six digits; a
 * name that is not exactly what `format...` would write is foreign and is left alone.
 */

export type NumberedFile = 'manifest' | 'options' | 'cache' | 'log' | 'table' | 'index' | 'blob';

export type FileName =
  | { readonly kind: NumberedFile; readonly number: number }
  /** The lock itself, its description, or an opener's own socket. */
  | { readonly kind: 'lock' }
  | { readonly kind: 'archive' }
  /** A second name of an ingested table, good as long as the log segment that names the table is there. */
  | { readonly kind: 'kept'; readonly segment: number; readonly table: number };

export const LOCK_NAME = 'LOCK';
export const LOCK_INFO_NAME = 'LOCK.info';
export const ARCHIVE_NAME = 'archive';

export function manifestName(number: number): string {
  return `MANIFEST-${digits(number)}`;
}

export function optionsName(number: number): string {
  return `OPTIONS-${digits(number)}`;
}

export function cacheName(number: number): string {
  return `CACHE-${digits(number)}`;
}

export function logName(number: number): string {
  return `${digits(number)}.wal`;
}

export function tableName(number: number): string {
  return `${digits(number)}.sst`;
}

export function keptTableName(segment: number, table: number): string {
  return `${digits(segment)}-${digits(table)}.sst`;
}

export function indexName(number: number): string {
  return `${digits(number)}.idx`;
}

export function blobName(number: number): string {
  return `${digits(number)}.blob`;
}

/** `name` in `directory`. */
export function inDirectory(directory: string, name: string): string {
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`;
}

const prefixed: Readonly<Record<string, NumberedFile>> = {
  MANIFEST: 'manifest',
  OPTIONS: 'options',
  CACHE: 'cache',
};
const suffixed: Readonly<Record<string, NumberedFile>> = {
  wal: 'log',
  sst: 'table',
  idx: 'index',
  blob: 'blob',
};

/** What a name (without its directory) is; undefined when it is not ours. */
export function parseFileName(name: string): FileName | undefined {
  if (name === LOCK_NAME || name.startsWith(`${LOCK_NAME}.`)) return { kind: 'lock' };
  if (name === ARCHIVE_NAME) return { kind: 'archive' };
  const kept = /^(\d{6,16})-(\d{6,16})\.sst$/.exec(name);
  if (kept !== null) {
    const [segment, table] = [Number(kept[1]), Number(kept[2])];
    const isOurs = segment > 0 && table > 0 && keptTableName(segment, table) === name;
    return isOurs ? { kind: 'kept', segment, table } : undefined;
  }
  const match = /^(?:(MANIFEST|OPTIONS|CACHE)-(\d{6,16})|(\d{6,16})\.(wal|sst|idx|blob))$/.exec(name);
  if (match === null) return undefined;
  const kind = match[1] === undefined ? suffixed[match[4]!] : prefixed[match[1]];
  const text = match[2] ?? match[3]!;
  const number = Number(text);
  if (kind === undefined || !Number.isSafeInteger(number) || number < 1 || digits(number) !== text)
    return undefined;
  return { kind, number };
}

function digits(number: number): string {
  return String(number).padStart(6, '0');
}
