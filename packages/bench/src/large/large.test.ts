import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runParts } from './large.ts';
import { type LargeOptions, parseLarge } from './options.ts';
import type { Rocks } from './rocks.ts';

/** Nine processes, one after the other, on a machine that may be busy. */
const TIMEOUT_MS = 120_000;

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'varve-large-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const absent: Rocks = { fill: () => Promise.resolve(undefined), read: () => Promise.resolve(undefined) };

function options(...args: string[]): LargeOptions {
  const small = ['--num', '3000', '--rounds', '1', '--openings', '1', '--log-bytes', String(2 ** 20)];
  return parseLarge([...small, '--db', join(root, 'db'), ...args])!;
}

test(
  'every part measures a small database, and nothing is left of it',
  async () => {
    const { figures, failures } = await runParts(options(), absent, new AbortController().signal, () => {});
    expect(failures).toEqual([]);
    expect(figures.map(({ name, verdict }) => (verdict === '-' ? `${name}: no verdict` : name))).toEqual([
      'fillrandom, single puts: no verdict',
      'longest single put',
      'p99.9 of single puts',
      'write amplification: no verdict',
      'readrandom, cache 256 MiB: no verdict',
      '3000 entries by cursor',
      '3000 entries by cursor, moves alone: no verdict',
      'open, with CACHE file',
      'open, without',
      'open with 1.0 MB of log',
      'memory per 1 M keys',
      "by the engine's accounting: no verdict",
    ]);
    expect(readdirSync(join(root, 'db'))).toEqual(['.made-by-varve-bench-large']);
  },
  TIMEOUT_MS,
);

test(
  'a part that fails is said, and the others go on',
  async () => {
    const broken: Rocks = { ...absent, fill: () => Promise.reject(new Error('broken')) };
    const chosen = options('--parts', 'fill,replay');
    const { figures, failures } = await runParts(chosen, broken, new AbortController().signal, () => {});
    expect(failures).toEqual(['fill: broken']);
    expect(figures).toHaveLength(1);
  },
  TIMEOUT_MS,
);

test('after the signal nothing is measured any more, and the databases are gone', async () => {
  const controller = new AbortController();
  const said: string[] = [];
  const running = runParts(options('--num', '100000000'), absent, controller.signal, (line) => {
    said.push(line);
    controller.abort();
  });
  expect(await running).toEqual({ figures: [], failures: [] });
  expect(said).toHaveLength(1);
  expect(readdirSync(join(root, 'db'))).toEqual(['.made-by-varve-bench-large']);
});
