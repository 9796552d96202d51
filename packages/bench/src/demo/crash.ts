/**
 * The crash of the demo: starts a second process that writes (writer.ts) and kills it with SIGKILL, which no process
 * can catch, while it is writing. The database must not be open here meanwhile.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Runs the writer until it has confirmed `batches` batches, kills it, and returns the last number it confirmed. */
export async function crashWriter(path: string, batches: number, timeoutMs = 30_000): Promise<number> {
  const child = fork(writerScript(), [path], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  // Messages on their way arrive before the channel closes.
  const ended = Promise.all([once(child, 'close'), once(child, 'disconnect')]);
  const errors: Buffer[] = [];
  child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk));
  const deadline = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  let confirmed = 0;
  child.on('message', (number) => {
    confirmed = Number(number);
    if (confirmed >= batches) child.kill('SIGKILL');
  });
  await ended;
  clearTimeout(deadline);
  if (confirmed < batches) {
    throw new Error(
      `The writing process confirmed only ${confirmed} of ${batches} batches. ${Buffer.concat(errors).toString().trim()}`,
    );
  }
  return confirmed;
}

/** writer.ts beside this file, or what it was built into. */
function writerScript(): string {
  const source = fileURLToPath(new URL('./writer.ts', import.meta.url));
  return import.meta.url.endsWith('.ts') ? source : source.replace(/\.ts$/, '.js');
}
