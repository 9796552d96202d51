/**
 * What every command works with: the streams, the options that all commands share, and how arguments are taken apart.
 *
 * The database comes first among the arguments (`varve get ./data KEY`) or by `--db PATH`; `takeArguments` is the one
 * place that knows. One session per call of `run`.
 */
import type { Output, OutputStream } from './output.ts';

/** Where a run reads and writes. */
export interface CliStreams {
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
}

/** Options that stand before or after any command. */
export interface GlobalOptions {
  readonly db?: string;
  readonly json?: boolean;
  readonly recovery?: 'strict' | 'prefix' | 'salvage';
}

export interface Session {
  readonly streams: CliStreams;
  readonly out: Output;
  /** Set before any command runs. */
  options: GlobalOptions;
  exitCode: number;
}

/** The command line is wrong: exit code 2, with the usage of the command. */
export class UsageError extends Error {
  readonly usage: string | undefined;

  constructor(message: string, usage?: string) {
    super(message);
    this.name = 'UsageError';
    this.usage = usage;
  }
}

/** Not there: exit code 1, nothing on stdout. */
export class NotFoundError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotFoundError';
  }
}

/** A file that a database consists of went away while it was read. */
export class FileGoneError extends Error {
  readonly file: string;
  /** A program has the database open, and has probably replaced the file. */
  readonly isLocked: boolean;

  constructor(file: string, isLocked: boolean, cause: unknown) {
    const why = isLocked
      ? 'the program that has the database open replaced it meanwhile'
      : 'a file of the database';
    super(`${file} is not there: ${why}`, { cause });
    this.name = 'FileGoneError';
    this.file = file;
    this.isLocked = isLocked;
  }
}

/** What a command was given: the database and the values behind it. */
export interface TakenArguments {
  readonly path: string;
  readonly values: readonly string[];
}

/**
 * Splits arguments into the database and `names`; a name that ends in '?' may be missing.
 * Throws UsageError for too few or too many.
 */
export function takeArguments(
  session: Session,
  command: string,
  given: readonly string[],
  names: readonly string[],
): TakenArguments {
  const shown = names.map((name) => (name.endsWith('?') ? `[${name.slice(0, -1)}]` : `<${name}>`)).join(' ');
  const usage = `varve ${command} <db> ${shown}`.trimEnd();
  const rest = [...given];
  const path = session.options.db ?? rest.shift();
  if (path === undefined || path === '') throw new UsageError('no database given', usage);
  const needed = names.filter((name) => !name.endsWith('?'));
  if (rest.length < needed.length) {
    const missing = needed.slice(rest.length).join(' and ');
    throw new UsageError(`${missing} missing: '${path}' was taken as the database`, usage);
  }
  if (rest.length > names.length) {
    const extra = rest.slice(names.length).map((value) => `'${value}'`);
    throw new UsageError(`too many arguments: ${extra.join(', ')}`, usage);
  }
  return { path, values: rest };
}

/** A whole number from an option; UsageError for anything else. */
export function wholeNumber(name: string, text: string, min = 0): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw new UsageError(`${name} takes a whole number of at least ${min}, got '${text}'`);
}
