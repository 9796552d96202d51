/**
 * From an error to what the user sees: the exit code, the message, and what to try.
 *
 * Exit codes are a promise to scripts: 0 done, 1 not found, 2 wrong usage, 3 the database is in use, 4 corruption,
 * 5 anything else. With --json the failure is one JSON object on stderr.
 */
import { CommanderError } from 'commander';
import { VarveError } from 'varve';
import { escapeControls, toPlain } from './format.ts';
import { ImportError } from './import-source.ts';
import { FileGoneError, NotFoundError, UsageError } from './session.ts';

export const exitCodes = { ok: 0, notFound: 1, usage: 2, locked: 3, corruption: 4, other: 5 } as const;

export interface Failure {
  readonly exitCode: number;
  readonly code: string;
  readonly message: string;
  readonly context: Readonly<Record<string, unknown>>;
  readonly advice: string | undefined;
}

/** What to say about an error. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof UsageError) {
    const advice =
      error.usage === undefined ? undefined : `${error.usage}   (varve help ${error.usage.split(' ')[1]})`;
    return failure(exitCodes.usage, 'USAGE', error.message, {}, advice);
  }
  if (error instanceof NotFoundError) return failure(exitCodes.notFound, 'NOT_FOUND', error.message);
  if (error instanceof CommanderError) return failure(exitCodes.usage, 'USAGE', error.message);
  if (error instanceof FileGoneError) {
    const { file, isLocked } = error;
    return isLocked
      ? failure(
          exitCodes.locked,
          'CHANGED',
          error.message,
          { file },
          'run the command again, or close that program',
        )
      : failure(
          exitCodes.corruption,
          'FILE_MISSING',
          error.message,
          { file },
          'put the file back, or restore a copy',
        );
  }
  if (error instanceof VarveError) {
    return failure(exitCodeOf(error), error.code, error.message, error.context, adviceFor(error));
  }
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? 'UNEXPECTED';
  const message = error instanceof Error ? error.message : String(error);
  if (code === 'ENOENT') return failure(exitCodes.notFound, code, message, {}, 'check the path');
  // Errors of ours that carry no code of the system say all there is to say.
  const isBug = code === 'UNEXPECTED' && !(error instanceof ImportError);
  const advice = isBug ? 'this is a bug of varve; please report it with the command' : undefined;
  return failure(exitCodes.other, error instanceof ImportError ? 'INPUT' : code, message, {}, advice);
}

function failure(
  exitCode: number,
  code: string,
  message: string,
  context: Readonly<Record<string, unknown>> = {},
  advice?: string,
): Failure {
  return { exitCode, code, message, context, advice };
}

function exitCodeOf(error: VarveError): number {
  if (error.code === 'LOCKED') return exitCodes.locked;
  if (error.kind === 'corruption') return exitCodes.corruption;
  if (error.code.endsWith('NOT_FOUND')) return exitCodes.notFound;
  return error.kind === 'invalid' ? exitCodes.usage : exitCodes.other;
}

function adviceFor(error: VarveError): string | undefined {
  switch (error.code) {
    case 'LOCKED':
      return 'close the program that has it open; get, scan, count, export, stats, levels and verify only read';
    case 'KEYSPACE_NOT_FOUND':
      return 'name one with --keyspace; `varve stats <db>` lists them';
    case 'CODEC_UNAVAILABLE':
      return 'install the package that is named, or use --value-format hex';
    case 'DISK_FULL':
      return 'make room on the disk; nothing that was acknowledged is lost';
    case 'READ_ONLY':
      return 'this command writes, but the database or its directory can only be read';
    case 'KEY_INVALID':
    case 'VALUE_INVALID':
      return 'choose another --key-format or --value-format (text, hex, json)';
    case 'NAME_INVALID':
      return 'give --keyspace a name of 1 to 255 bytes';
    case 'NOT_FOUND':
      return 'check the path; `varve put` and `varve import` create a database';
    case 'LOG_TAIL_CUT':
      return 'without --recovery strict what is torn is left out, as after any crash';
    default:
      break;
  }
  if (error.kind === 'corruption') return adviceForDamage(error.context['file']);
  if (error.context['system'] === 'EACCES' || error.context['system'] === 'EPERM') {
    return 'check who owns the directory and its files';
  }
  return undefined;
}

/** What helps depends on the file: only of the log is there more to read behind damage. */
function adviceForDamage(file: unknown): string {
  const copy = 'copy the directory before anything else';
  const name = typeof file === 'string' ? file : '';
  if (name.endsWith('.wal')) return `${copy}; export what is left with --recovery salvage`;
  if (name.endsWith('.sst') || name.endsWith('.blob'))
    return `${copy}; \`varve verify <db>\` lists all damage, export can save other ranges`;
  return `${copy}; \`varve dump <file>\` shows what can be read`;
}

/** The lines for people. What the message says already is not said again. */
export function failureLines({ message, context, advice, code }: Failure): string[] {
  const lines = [`varve: ${message.split('\n').map(escapeControls).join('\n       ')}`];
  for (const [name, value] of Object.entries(context)) {
    if (name === 'problems' || name === 'holder' || value === undefined) continue;
    const shown = showContext(value);
    if (!message.includes(shown)) lines.push(`  ${name}: ${shown}`);
  }
  if (code !== 'USAGE' && code !== 'NOT_FOUND') lines.push(`  code: ${code}`);
  if (advice !== undefined) lines.push(`  ${code === 'USAGE' ? 'usage' : 'try'}: ${advice}`);
  return lines;
}

function showContext(value: unknown): string {
  return escapeControls(
    typeof value === 'string' ? value : (JSON.stringify(toPlain(value)) ?? String(value)),
  );
}

/** The object for programs. */
export function failureJson({ exitCode, code, message, context, advice }: Failure): unknown {
  return { error: { code, message, context: toPlain(context), advice, exitCode } };
}
