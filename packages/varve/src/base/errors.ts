/**
 * The one error class of the engine and the helpers that raise it.
 *
 * `kind` says what the caller should do, `code` is the stable name that tests and programs match on, `context` holds
 * the facts (file, offset, expected, got, holder) as plain data. Messages say what was got and what was wanted.
 * Everything that crosses the public API as a failure is a VarveError; system errors are wrapped with `cause`.
 */

/** What the caller should do about a failure: fix the call, reopen, retry, free something, restore, or report. */
export type ErrorKind = 'invalid' | 'closed' | 'conflict' | 'busy' | 'corruption' | 'io' | 'internal';

/**
 * Every failure of Varve.
 *
 * @example
 * try { users.put('x'.repeat(70_000), user) } catch (error) {
 *   if (error instanceof VarveError && error.code === 'KEY_TOO_LARGE') console.log(error.context);
 * }
 */
export class VarveError extends Error {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(
    kind: ErrorKind,
    code: string,
    message: string,
    context: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'VarveError';
    this.kind = kind;
    this.code = code;
    this.context = context;
  }
}

type Context = Readonly<Record<string, unknown>>;

/** The call itself is wrong: a type, a range, an option, a state that the caller controls. */
export function invalid(code: string, message: string, context?: Context, cause?: unknown): VarveError {
  return new VarveError('invalid', code, message, context, cause === undefined ? undefined : { cause });
}

/** Bytes that were stored are not what was written. `context` names the file and the offset. */
export function corruption(message: string, context: Context, cause?: unknown): VarveError {
  return new VarveError(
    'corruption',
    'CORRUPTION',
    message,
    context,
    cause === undefined ? undefined : { cause },
  );
}

/** The database, snapshot or cursor was closed before the call. */
export function closed(what: string, context?: Context): VarveError {
  return new VarveError('closed', 'CLOSED', `${what} is closed`, context);
}

/** The resource is taken or full for now; the same call may succeed later. */
export function busy(code: string, message: string, context?: Context, cause?: unknown): VarveError {
  return new VarveError('busy', code, message, context, cause === undefined ? undefined : { cause });
}

/** A state that the engine promised can not happen. Always a bug of ours. */
export function internal(message: string, context?: Context): VarveError {
  return new VarveError('internal', 'INTERNAL', message, context);
}

/** Wraps a system error of a file operation; keeps the system's own code (`EIO`, `ENOENT` ...) in the context. */
export function ioError(operation: string, path: string, cause: unknown): VarveError {
  const system = systemCode(cause);
  return new VarveError(
    'io',
    'IO_ERROR',
    `${operation} failed on ${path}${system === '' ? '' : ` (${system})`}`,
    { operation, file: path, system },
    { cause },
  );
}

/** The system's own code of an error (`ENOENT`), also through our wrapping; '' when it has none. */
export function systemCode(error: unknown): string {
  if (error instanceof VarveError && typeof error.context['system'] === 'string')
    return error.context['system'];
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && !(error instanceof VarveError) ? code : '';
}

/** What was thrown, as an Error: user code and hosts may throw anything. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error
    ? thrown
    : internal(`something that is no error was thrown: ${String(thrown)}`);
}
