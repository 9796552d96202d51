/**
 * Asks the owner of a directory a question over its lock (lock-questions.ts): from another process, or from its own.
 */
import * as nodeFs from 'node:fs';
import { createConnection } from 'node:net';
import { ioError, systemCode } from '../base/errors.ts';
import { LOCK_NAME } from './file-names.ts';
import type { LockHolder, LockQuestion } from './file-system.ts';
import { parseHolder, pipeAddress, readInfo, socketAddress } from './lock-socket.ts';

const ANSWER_CHARACTERS_MAX = 256 * 1024 * 1024;

export type LockAnswer =
  /** Nobody has the directory. */
  | { readonly state: 'nobody' }
  /** Somebody has it, and did not answer in time: its event loop is blocked. */
  | { readonly state: 'silent'; readonly holder: LockHolder }
  /** The owner does not know the question: it is of an older release. */
  | { readonly state: 'unknown'; readonly holder: LockHolder }
  /** What it answered; null for "not now": it is opening or closing, or has too many clients. */
  | { readonly state: 'answered'; readonly holder: LockHolder; readonly answer: unknown };

/** @throws VarveError of kind io for a directory that can not be looked at and a lock that may not be connected to */
export async function askLock(
  directory: string,
  question: LockQuestion,
  timeoutMs: number,
): Promise<LockAnswer> {
  if (process.platform === 'win32') {
    return converse(pipeAddress(nodeFs.realpathSync(directory)), directory, question, timeoutMs);
  }
  let descriptor: number;
  try {
    descriptor = nodeFs.openSync(directory, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return { state: 'nobody' };
    throw ioError('open', directory, error);
  }
  try {
    return await converse(socketAddress(directory, LOCK_NAME, descriptor), directory, question, timeoutMs);
  } finally {
    nodeFs.closeSync(descriptor);
  }
}

function converse(
  address: string,
  directory: string,
  question: string,
  timeoutMs: number,
): Promise<LockAnswer> {
  return new Promise((resolve, reject) => {
    let text = '';
    let isConnected = false;
    const socket = createConnection({ path: address });
    const end = (answer: LockAnswer): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const holder = (): LockHolder =>
      parseHolder(text.slice(0, text.indexOf('\n') + 1)) ?? readInfo(directory);
    const timer = setTimeout(() => end({ state: 'silent', holder: holder() }), timeoutMs);
    // Who has said that it knows the question, or has said nothing yet, is closing or has too many clients.
    const hungUp = (): void => {
      const isKnown = text === '' || knows(text, question);
      end(
        isKnown
          ? { state: 'answered', holder: holder(), answer: null }
          : { state: 'unknown', holder: holder() },
      );
    };
    socket.on('connect', () => {
      isConnected = true;
      socket.write(`${question}\n`);
    });
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > ANSWER_CHARACTERS_MAX) return hungUp();
      const first = text.indexOf('\n');
      if (first < 0 || !text.endsWith('\n') || first === text.length - 1) return;
      const answer = parseAnswer(text.slice(first + 1));
      if (answer === undefined) hungUp();
      else end({ state: 'answered', holder: holder(), ...answer });
    });
    socket.on('end', hungUp);
    socket.on('error', (error) => {
      const code = systemCode(error);
      if (isConnected || code === 'ECONNRESET' || code === 'EPIPE') hungUp();
      else if (code === 'EAGAIN') end({ state: 'silent', holder: holder() });
      else if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK') end({ state: 'nobody' });
      else {
        clearTimeout(timer);
        reject(ioError('connect', `${directory}/${LOCK_NAME}`, error));
      }
    });
  });
}

/** Does the first line name the question among those that are answered? */
function knows(text: string, question: string): boolean {
  const line = parseAnswer(text.slice(0, text.indexOf('\n') + 1))?.answer;
  const answers = (line as { answers?: unknown } | null | undefined)?.answers;
  return Array.isArray(answers) && answers.includes(question);
}

function parseAnswer(line: string): { answer: unknown } | undefined {
  try {
    return { answer: JSON.parse(line) as unknown };
  } catch {
    return undefined;
  }
}
