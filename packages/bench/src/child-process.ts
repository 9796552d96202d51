/**
 * A question to a process of its own: forks a module, waits for its one message and for its end. So that no measurement
 * meets the heap, the caches, the threads or the compiled code of another one.
 */
import { fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const STDERR_MAX = 2_000;

export interface Asking {
  /** The child dies with it. */
  readonly signal?: AbortSignal | undefined;
  /** As soon as the child has answered it is ended by SIGKILL, which no process can catch. */
  readonly kill?: boolean;
}

/**
 * The message of the child `name` (a module without its suffix) beside the module `from`: the sources run unbuilt in
 * tests, the built files otherwise. Rejects when the child ends without a message; in either case it has ended by then.
 */
export function askChild(
  name: string,
  from: string,
  args: readonly string[],
  { signal, kill = false }: Asking = {},
): Promise<unknown> {
  const file = fileURLToPath(new URL(`${name}${extname(from)}`, from));
  const child = fork(file, args, {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    ...(signal !== undefined && { signal }),
  });
  let answer: { message: unknown } | undefined;
  let failure: string | undefined;
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_MAX);
  });
  child.on('message', (message) => {
    answer ??= { message };
    if (kill) child.kill('SIGKILL');
  });
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      failure = error.message;
      // Of one that did start the end is waited for, since its directory will be removed.
      if (child.pid === undefined) reject(error);
    });
    child.once('close', (code, ended) => {
      if (failure === undefined && answer !== undefined) resolve(answer.message);
      else {
        const how = ended === null ? `exit code ${code}` : ended;
        reject(new Error(failure ?? `the process ended with ${how}: ${stderr.trim()}`));
      }
    });
  });
}
