/**
 * What the owner of a directory says to whoever connects to its lock. On each connection
 *
 *   owner to client   who it is: its LockHolder and the questions it knows (`answers`) as one line of JSON, at once
 *   client to owner   nothing, or one question: a line of at most 64 bytes
 *   owner to client   the answer to a question that it knows, one line of JSON; `null` while it can not be answered
 *
 * and the owner hangs up: behind the answer, at once for anything that is no question of its own, else after a second. The
 * first line does not wait for a question, so that whoever only asks for the holder hears of it as always; owners of older releases
 * name no questions, and hang up behind that line.
 *
 * An answer is made piece by piece, some milliseconds in a turn of the event loop and no faster than it is taken, so that neither
 * the loop nor memory is held by it. Clients are not trusted: what they send is bounded, who takes nothing for a second is
 * hung up on, and beyond CONNECTIONS_MAX at a time they are told the holder only. None keeps the process alive, but while a
 * piece is on its way to one who does not take it. Owner's thread.
 */
import type { Socket } from 'node:net';
import type { LockHolder, LockQuestion } from './file-system.ts';

const QUESTION_BYTES_MAX = 64;
const HANG_UP_MS = 1000;
/** However slowly an answer is taken. */
const TALK_MS_MAX = 10_000;
/** As much of an answer in one turn, whichever comes first. */
const TURN_CHARACTERS = 64 * 1024;
const TURN_MS = 2;
const CONNECTIONS_MAX = 32;
const NEWLINE = 0x0a;
const NOT_NOW = 'null\n';

const questions: readonly LockQuestion[] = ['levels'];

/** The answer as JSON without line ends, in pieces; undefined or an error: not now. */
export type GiveAnswer = () => Iterable<string> | undefined;

export class LockQuestions {
  readonly #holder: string;
  readonly #answers: Map<string, GiveAnswer> = new Map(questions.map((each) => [each, () => undefined]));
  readonly #open = new Set<Socket>();

  constructor(holder: LockHolder) {
    this.#holder = lineOf({ ...holder, answers: questions });
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
    socket.setTimeout(HANG_UP_MS, () => socket.destroy());
    const limit = setTimeout(() => socket.destroy(), TALK_MS_MAX).unref();
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(limit);
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
      const give =
        length > QUESTION_BYTES_MAX ? undefined : this.#answers.get(line.toString('latin1').trimEnd());
      if (give === undefined) hangUp(socket, '');
      else tell(socket, give);
    };
    socket.on('data', hear);
  }
}

function tell(socket: Socket, give: GiveAnswer): void {
  let pieces: Iterator<string> | undefined;
  try {
    pieces = give()?.[Symbol.iterator]();
  } catch {
    // It is being closed, or has a bug that whoever asks in the process itself gets to see.
  }
  if (pieces === undefined) hangUp(socket, NOT_NOW);
  else tellSome(socket, pieces, true);
}

/** One turn's worth of an answer; goes on when that was taken. */
function tellSome(socket: Socket, pieces: Iterator<string>, isFirst: boolean): void {
  if (socket.destroyed) return;
  const until = performance.now() + TURN_MS;
  let text = '';
  try {
    do {
      const next = pieces.next();
      if (next.done === true) {
        hangUp(socket, `${text}\n`);
        return;
      }
      text += next.value;
    } while (text.length < TURN_CHARACTERS && performance.now() < until);
  } catch {
    // Of half an answer whoever asked sees that it does not end.
    hangUp(socket, isFirst ? NOT_NOW : '');
    return;
  }
  const goOn = (): void => void setImmediate(() => tellSome(socket, pieces, false)).unref();
  if (socket.write(text)) goOn();
  else socket.once('drain', goOn);
}

function hangUp(socket: Socket, last: string): void {
  socket.end(last, () => socket.destroy());
}

function lineOf(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
