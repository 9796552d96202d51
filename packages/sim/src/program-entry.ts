/**
 * Where a program that runs in a process or thread of its own is, and with what flags Node runs it: the source file when
 * this code runs from source on a Node that strips types, else the built file.
 */
import { fileURLToPath } from 'node:url';

export interface ProgramEntry {
  readonly path: string;
  readonly execArgv: readonly string[];
}

/** `name` is a path without extension, relative to the module whose URL is `base`. */
export function programEntry(name: string, base: string): ProgramEntry {
  const path = fileURLToPath(new URL(name, base));
  if (!base.endsWith('.ts')) return { path: `${path}.js`, execArgv: [] };
  // Older type declarations and runtimes do not have the feature.
  const stripsTypes = Boolean((process.features as { typescript?: unknown }).typescript);
  if (stripsTypes) {
    return { path: `${path}.ts`, execArgv: ['--conditions=varve-source', '--no-warnings', ...preloads()] };
  }
  return { path: `${path.replace(/([\\/])src([\\/])(?!.*[\\/]src[\\/])/, '$1dist$2')}.js`, execArgv: [] };
}

/** What this process was told to load first, by `--import`: planted bugs are planted in the programs that it starts, too. */
function preloads(): string[] {
  return process.execArgv.flatMap((flag, i, all) => (flag === '--import' ? [flag, all[i + 1]!] : []));
}
