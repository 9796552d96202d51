/**
 * Where a worker entry is: the source file when this module runs from source (tests, development), else its built twin.
 * One place, because `new URL(...)` is not an import and the compiler does not rewrite it.
 */

/** URL of `name` (path without extension, relative to the module at `base`). */
export function workerEntry(name: string, base: string): URL {
  const extension = base.endsWith('.ts') ? '.ts' : '.js';
  return new URL(`${name}${extension}`, base);
}
