/**
 * What a call was refused with. Every failure of the public API is a VarveError; anything else fails the test.
 */
import { type ErrorKind, VarveError } from 'varve';
import { expect } from 'vitest';

/** The error of `act`, thrown or rejected. */
export async function refusal(act: () => unknown): Promise<VarveError> {
  let result: unknown;
  try {
    result = await act();
  } catch (error) {
    if (error instanceof VarveError) return error;
    throw error;
  }
  throw new Error(`should have been refused, gave ${String(result)}`);
}

/** Expects `act` to be refused with this code and kind, and these facts in the context. */
export async function expectRefusal(
  act: () => unknown,
  code: string,
  kind: ErrorKind,
  context: Readonly<Record<string, unknown>> = {},
): Promise<VarveError> {
  const error = await refusal(act);
  if (error.code !== code || error.kind !== kind) {
    throw new Error(`should be ${kind} ${code}, is ${error.kind} ${error.code}`, { cause: error });
  }
  expect(error.context).toMatchObject(context);
  expect(error.message).not.toBe('');
  return error;
}
