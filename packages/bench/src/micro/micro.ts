/** Starts the benches of private structures in a process that sees the sources of the engine; resolves with whether it went well. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const micro = (args: readonly string[]): Promise<boolean> => fromSource('main.bench.ts', args);

/** What each kind of filter gains: filters/main.bench.ts. */
export const filters = (args: readonly string[]): Promise<boolean> =>
  fromSource('filters/main.bench.ts', args);

/** Compaction pickers against workloads, without I/O: simulate/main.ts. */
export const simulate = (args: readonly string[]): Promise<boolean> =>
  fromSource('../simulate/main.ts', args);

function fromSource(file: string, args: readonly string[]): Promise<boolean> {
  if (process.features.typescript === false || process.features.typescript === undefined) {
    console.error('bench: this runs the sources as they are, which needs Node 22.18 or newer.');
    return Promise.resolve(false);
  }
  // From src/micro and from dist/micro alike.
  const entry = fileURLToPath(new URL(`../../src/micro/${file}`, import.meta.url));
  const child = spawn(process.execPath, ['--conditions=varve-source', entry, ...args], { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code === 0));
  });
}
