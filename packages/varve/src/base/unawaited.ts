/**
 * Promises of user code that was to give a value: a function was made `async` where nobody can wait for it. The caller refuses
 * them; that they reject as well must not end the process as an unhandled rejection. Any thread.
 */

/** Is it a promise? Then nobody is told when it rejects. */
export function isUnawaited(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { then } = value as { readonly then?: unknown };
  if (typeof then !== 'function') return false;
  // Also one of a foreign kind, which has a `then` and nothing else.
  Promise.resolve(value).catch(() => undefined);
  return true;
}
