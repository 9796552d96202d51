/** Runs a checker in a process of its own, with a planted bug in the engine's sources: for the tests that prove it is found. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const register = new URL('./register.ts', import.meta.url).href;
/** A run that finds nothing in time is ended, and not left behind by its test. */
const RUN_MS = 115_000;

/** What its tests may take. */
export const PLANTED_MS = 120_000;

export interface PlantedRun {
  readonly code: number;
  readonly output: string;
}

/** @param main source file of the checker's command */
export async function runPlanted(main: URL, args: readonly string[], bug: string): Promise<PlantedRun> {
  const flags = ['--conditions=varve-source', '--no-warnings', '--import', register];
  const env = { ...process.env, PLANTED_BUG: bug };
  const command = [...flags, fileURLToPath(main), ...args];
  try {
    const { stdout, stderr } = await run(process.execPath, command, { env, timeout: RUN_MS });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}
