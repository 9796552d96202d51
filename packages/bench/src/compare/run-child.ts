/** Runs a job of a Node engine in a child process of its own; never rejects: what goes wrong is an outcome. */
import { fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Job, Outcome } from './job.ts';

const STDERR_MAX = 2_000;

/** `path` is an empty directory for the database. The child dies with `signal`. */
export function runChild(job: Job, path: string, signal?: AbortSignal): Promise<Outcome> {
  // The sources run unbuilt in tests, the built files otherwise.
  const file = `child${extname(import.meta.url)}`;
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(job), path], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    ...(signal !== undefined && { signal }),
  });
  let outcome: Outcome | undefined;
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_MAX);
  });
  child.on('message', (message) => {
    outcome = message as Outcome;
  });
  return new Promise((resolve) => {
    child.once('error', (error) => {
      outcome = { kind: 'failed', reason: error.message };
      // Of one that did start the end is waited for, since its directory will be removed.
      if (child.pid === undefined) resolve(outcome);
    });
    child.once('close', (code, ended) => {
      const how = ended === null ? `exit code ${code}` : ended;
      resolve(outcome ?? { kind: 'failed', reason: `the process ended with ${how}: ${stderr.trim()}` });
    });
  });
}
