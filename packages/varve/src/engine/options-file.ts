/**
 * `OPTIONS-n`: what the database was opened with, for people and tools. Nothing is read from it at open, so a failure to
 * write it is no failure of the open.
 */
import { VarveError } from '../base/errors.ts';
import { inDirectory, optionsName } from '../fs/file-names.ts';
import { type FileSystem, writeFully } from '../fs/file-system.ts';
import { formatOptions } from '../options/persist.ts';
import type { ResolvedDatabaseOptions } from '../options/resolve.ts';
import type { EngineState } from './state.ts';

/** Writes `OPTIONS-number` and removes the ones before it. */
export function writeOptionsFile(
  fs: FileSystem,
  state: EngineState,
  options: ResolvedDatabaseOptions,
  number: number,
  older: readonly number[],
): void {
  const keyspaces = new Map([...state.trees.values()].map((tree) => [tree.name, tree.settings]));
  const text = new TextEncoder().encode(formatOptions(options, keyspaces));
  try {
    const file = fs.open(inDirectory(state.path, optionsName(number)), 'create');
    try {
      writeFully(file, text, 0, text.length, 0);
    } finally {
      file.close();
    }
    for (const old of older) fs.remove(inDirectory(state.path, optionsName(old)));
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
  }
}
