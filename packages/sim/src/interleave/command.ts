/**
 * `npm run sim -- interleave`: starts the interleaving checker in a process that sees the sources of the engine, since it
 * checks structures that the package does not export. Resolves with the exit code.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export function runInterleave(args: readonly string[]): Promise<number> {
  if (process.features.typescript === false || process.features.typescript === undefined) {
    console.error('sim: interleave runs the sources as they are, which needs Node 22.18 or newer.');
    return Promise.resolve(2);
  }
  // From src/interleave and from dist/interleave alike.
  const entry = fileURLToPath(new URL('../../src/interleave/main.check.ts', import.meta.url));
  const flags = ['--conditions=varve-source', '--no-warnings', '--stack-size=4000'];
  const child = spawn(process.execPath, [...flags, entry, ...args], { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}
