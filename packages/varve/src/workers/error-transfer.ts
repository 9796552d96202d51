/**
 * Errors across threads. Structured clone keeps only the message and stack of an Error; code, kind and context of a
 * VarveError, which callers match on, travel as data and are put together again on the other side.
 */
import { type ErrorKind, systemCode, VarveError } from '../base/errors.ts';

export interface TransferredError {
  readonly message: string;
  readonly stack: string | undefined;
  readonly varve: { kind: ErrorKind; code: string; context: Readonly<Record<string, unknown>> } | undefined;
  readonly system: string;
  readonly cause: TransferredError | undefined;
}

export function packError(error: unknown): TransferredError {
  const wrapped = error instanceof Error ? error : new Error(String(error));
  return {
    message: wrapped.message,
    stack: wrapped.stack,
    varve:
      wrapped instanceof VarveError
        ? { kind: wrapped.kind, code: wrapped.code, context: wrapped.context }
        : undefined,
    system: systemCode(wrapped),
    cause: wrapped.cause === undefined ? undefined : packError(wrapped.cause),
  };
}

export function reviveError(packed: TransferredError): Error {
  const options = packed.cause === undefined ? undefined : { cause: reviveError(packed.cause) };
  const error =
    packed.varve === undefined
      ? Object.assign(new Error(packed.message, options), packed.system === '' ? {} : { code: packed.system })
      : new VarveError(packed.varve.kind, packed.varve.code, packed.message, packed.varve.context, options);
  if (packed.stack !== undefined) error.stack = packed.stack;
  return error;
}
