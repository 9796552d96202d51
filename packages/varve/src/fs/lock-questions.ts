/**
 * What the owner of a directory says to whoever connects to its lock. On each connection
 *
 *   owner to client   who it is: its LockHolder as one line of JSON, at once
 *   client to owner   nothing, or one question: a line of at most 64 bytes
 *   owner to client   the answer to a question that it knows, one line of JSON; `null` while it can not be answered
 *
 * and the owner hangs up: behind the answer, at once for anything that is no question of its own, else after a second. The
 * first line does not wait for a question, so that whoever only asks for the holder sees what it always saw, and an owner
 * of an older release is told by its hanging up behind that line.
 *
 * Clients are not trusted: what they send is bounded, what they do not take within the second is dropped, and beyond
 * CONNECTIONS_MAX at a time they are told the holder only. None keeps the process alive, but for that second while an answer
 * is on its way. Owner's thread.
 */
import type { Socket } from 'node:net';
import type { LockHolder, LockQuestion } from './file-system.ts';

const QUESTION_BYTES_MAX = 64;
const HANG_UP_MS = 1000;
const CONNECTIONS_MAX = 32;
const NEWLINE = 0x0a;

const questions: readonly LockQuestion[] = ['levels'];

/** Plain data, or undefined: not now. */
export type GiveAnswer = () => unknown;

export class LockQuestions {
  readonly #holder: string;
  readonly #answers: Map<string, GiveAnswer> = new Map(questions.map((each) => [each, () => undefined]));
  readonly #open = new Set<Socket>();

  constructor(holder: LockHolder) {
    this.#holder = lineOf(holder);
  }

  /** From now on `question` is answered so. */
  answer(question: LockQuestion, give: GiveAnswer): void {
    this.#answers.set(question, give);
  }

  /** Serves a client that has just connected. */
  meet(socket: Socket): void {
    const isCrowded = this.#open.size >= CONNECTIONS_MAX;
    this.#open.add(socket);
    socket.unref();
    const timer = setTimeout(() => socket.destroy(), HANG_UP_MS).unref();
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(timer);
      this.#open.delete(socket);
    });
    if (isCrowded) hangUp(socket, this.#holder);
    else {
      socket.write(this.#holder);
      this.#listenTo(socket);
    }
  }

  hangUpAll(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #listenTo(socket: Socket): void {
    let line = Buffer.alloc(0);
    const hear = (chunk: Buffer): void => {
      const end = chunk.indexOf(NEWLINE);
      const length = line.length + (end < 0 ? chunk.length : end + 1);
      if (length <= QUESTION_BYTES_MAX) line = Buffer.concat([line, chunk.subarray(0, length - line.length)]);
      if (end < 0 && length <= QUESTION_BYTES_MAX) return;
      socket.off('data', hear);
      socket.pause();
      hangUp(socket, end < 0 || length > QUESTION_BYTES_MAX ? '' : this.#answerTo(line.toString('latin1')));
    };
    socket.on('data', hear);
  }

  /** The line that answers; '' for what is no question. */
  #answerTo(line: string): string {
    const give = this.#answers.get(line.trimEnd());
    if (give === undefined) return '';
    let answer: unknown;
    try {
      answer = give();
    } catch {
      // It is being closed, or has a bug that whoever asks in the process itself gets to see.
    }
    return lineOf(answer ?? null);
  }
}

function hangUp(socket: Socket, last: string): void {
  socket.end(last, () => socket.destroy());
}

function lineOf(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
