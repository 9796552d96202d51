/**
 * The socket behind a directory lock: listening under a name, and asking whether somebody listens under a name.
 *
 * The kernel answers for liveness: a connection is accepted into the backlog while the listener's process lives, even
 * when its event loop is blocked, and refused from the moment it died. Whoever listens answers each connection with one
 * line (its LockHolder as JSON) and then, if it is asked, with one more (lock-questions.ts). Nothing here keeps the process
 * alive but a question being asked.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { relative } from 'node:path';
import { ioError, systemCode } from '../base/errors.ts';
import { LOCK_INFO_NAME } from './file-names.ts';
import type { LockHolder, LockQuestion } from './file-system.ts';
import { type GiveAnswer, LockQuestions } from './lock-questions.ts';
import { systemFailure } from './system-error.ts';

/** A listener may be busy for long; how long to wait for its line before asking LOCK.info instead. */
const answerWaitMsMax = 300;
const answerBytesMax = 4096;
/** Linux cuts a socket path at 107 bytes, macOS at 103: beyond this we take another way. */
const socketPathBytesMax = 100;

export interface Listener {
  /** Whoever connects can ask this from now on. */
  answer(question: LockQuestion, give: GiveAnswer): void;
  /** Stops listening; resolves when the handle is gone. */
  close(): Promise<void>;
}

/** Listens at `address` and answers with `holder`. EADDRINUSE when the name is there. */
export function listen(address: string, path: string, holder: LockHolder): Promise<Listener> {
  const questions = new LockQuestions(holder);
  const server = createServer((socket) => questions.meet(socket));
  server.unref();
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      questions.hangUpAll();
    });
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(ioError('listen', path, error));
    server.once('error', fail);
    // Exclusive: in a worker of node:cluster the primary would listen instead, and outlive us.
    server.listen({ path: address, exclusive: true }, () => {
      server.off('error', fail);
      server.on('error', () => undefined);
      resolve({ close, answer: (question, give) => questions.answer(question, give) });
    });
  });
}

export type Answer =
  /** Nobody listens: the name is left over from a process that died. */
  | { readonly state: 'dead' }
  /** There is no such name. */
  | { readonly state: 'absent' }
  /** Somebody listens; who, unless no line came in time. */
  | { readonly state: 'alive'; readonly holder: LockHolder | undefined };

/** Asks whether somebody listens at `address`; waits for a holder's line only with `wantHolder`. */
export function ask(address: string, path: string, wantHolder: boolean): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let text = '';
    let timer: NodeJS.Timeout | undefined;
    let connected = false;
    const socket = createConnection({ path: address });
    const answer = (found: Answer): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(found);
    };
    const alive = (): void => answer({ state: 'alive', holder: parseHolder(text) });
    socket.on('connect', () => {
      connected = true;
      if (!wantHolder) alive();
      else timer = setTimeout(alive, answerWaitMsMax);
    });
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\n') || text.length > answerBytesMax) alive();
    });
    socket.on('end', alive);
    socket.on('error', (error) => {
      const code = systemCode(error);
      // A full backlog (EAGAIN) and a connection that broke after it stood both take a living listener.
      if (connected || code === 'EAGAIN' || code === 'EPIPE' || code === 'ECONNRESET') alive();
      else if (code === 'ENOENT') answer({ state: 'absent' });
      else if (code === 'ECONNREFUSED' || code === 'ENOTSOCK') answer({ state: 'dead' });
      else {
        socket.destroy();
        reject(ioError('connect', path, error));
      }
    });
  });
}

/** The holder in a line or in LOCK.info; undefined when it is not one. */
export function parseHolder(text: string): LockHolder | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { pid, host, since } = value as Record<string, unknown>;
  return {
    ...(typeof pid === 'number' ? { pid } : {}),
    ...(typeof host === 'string' ? { host } : {}),
    ...(typeof since === 'string' ? { since } : {}),
  };
}

/** The holder by LOCK.info, for when the owner's event loop is blocked: not proof of anything. */
export function readInfo(directory: string): LockHolder {
  try {
    return parseHolder(readFileSync(`${directory}/${LOCK_INFO_NAME}`, 'utf8')) ?? {};
  } catch {
    return {};
  }
}

/**
 * What to pass to listen and connect for `name` in `directory`, whose path may be longer than a socket's may be.
 * `descriptor` is an open descriptor of the directory.
 */
export function socketAddress(directory: string, name: string, descriptor: number): string {
  const path = `${directory}/${name}`;
  if (Buffer.byteLength(path) <= socketPathBytesMax) return path;
  const short =
    process.platform === 'linux' && existsSync('/proc/self/fd')
      ? `/proc/self/fd/${descriptor}/${name}`
      : relative(process.cwd(), path);
  if (Buffer.byteLength(short) > socketPathBytesMax) throw systemFailure('ENAMETOOLONG', 'listen', path);
  return short;
}

/** The same on Windows: a named pipe with the hash of the path, which is a real one. */
export function pipeAddress(directory: string): string {
  const hash = createHash('sha256').update(directory.toLowerCase()).digest('hex').slice(0, 32);
  return `\\\\.\\pipe\\varve-${hash}`;
}
