/** Test helpers: runs the command line in this process, over directories that go with their test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { run } from './run.ts';

/** What one run of the command line did. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line in this process; with `watched`, stderr is a terminal. */
export async function cli(
  argv: readonly string[],
  stdin: Uint8Array | string = '',
  watched = false,
): Promise<Outcome> {
  const stdout = new Collector(false);
  const stderr = new Collector(watched);
  const code = await run(argv, { stdin: once(stdin), stdout, stderr });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** The same for a run that must succeed; returns stdout. */
export async function ok(argv: readonly string[], stdin: Uint8Array | string = ''): Promise<string> {
  const { code, stdout, stderr } = await cli(argv, stdin);
  if (code !== 0) throw new Error(`varve ${argv.join(' ')} ended with ${code}: ${stderr}`);
  return stdout;
}

class Collector extends Writable {
  readonly isTTY: boolean;
  readonly #chunks: Buffer[] = [];

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}

async function* once(content: Uint8Array | string): AsyncGenerator<Uint8Array | string, void, undefined> {
  yield await Promise.resolve(content);
}

/** A fresh directory; `remove` takes it away. */
export function temporaryDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'varve-cli-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
