/**
 * Input of commands: a file or stdin, as bytes, as lines.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type CliStreams, NotFoundError, UsageError } from './session.ts';

/** An input that is being read: how far, and of how much (0 when that is not known). */
export interface Input {
  readonly name: string;
  readonly bytesTotal: number;
  bytesRead: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Opens a file, or stdin for '-'. Throws NotFoundError, UsageError for a directory, else the system's error. */
export async function openInput(streams: CliStreams, file: string): Promise<Input> {
  const bytesTotal = file === '-' ? 0 : await sizeOf(file);
  const source: AsyncIterable<Uint8Array | string> = file === '-' ? streams.stdin : createReadStream(file);
  const input: Input = {
    name: file === '-' ? 'stdin' : file,
    bytesTotal,
    bytesRead: 0,
    chunks: counted(),
  };
  async function* counted(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of source) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      input.bytesRead += bytes.length;
      yield bytes;
    }
  }
  return input;
}

async function sizeOf(file: string): Promise<number> {
  const status = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new NotFoundError(`there is no file ${file}`) : error;
  });
  if (status.isDirectory()) throw new UsageError(`${file} is a directory`);
  return status.size;
}

/** All of a stream. */
export async function readAll(source: AsyncIterable<Uint8Array | string>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  return Buffer.concat(chunks);
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** The lines of UTF-8 text with their numbers from 1; ends are LF or CRLF and nothing else, unlike in node:readline. */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ number: number; bytes: Uint8Array }, void, undefined> {
  let number = 0;
  let held: Uint8Array[] = [];
  const take = (last: Uint8Array): { number: number; bytes: Uint8Array } => {
    const bytes = held.length === 0 ? last : Buffer.concat([...held, last]);
    held = [];
    const length = bytes[bytes.length - 1] === RETURN ? bytes.length - 1 : bytes.length;
    return { number: ++number, bytes: bytes.subarray(0, length) };
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      yield take(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start < chunk.length) held.push(chunk.slice(start));
  }
  if (held.length > 0) yield take(new Uint8Array(0));
}
