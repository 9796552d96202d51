import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UsageError } from '../options.ts';
import { parseThreads, type ThreadsOptions } from './options.ts';
import { type Measured, peerFigures } from './peers.ts';
import { quotients, ratio } from './ratio.ts';
import { runParts } from './threads.ts';

/** Several processes with threads, one after the other, on a machine that may be busy. */
const TIMEOUT_MS = 120_000;

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'varve-threads-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function options(...args: string[]): ThreadsOptions {
  const small = ['--quick', '--num', '2000', '--rounds', '1', '--read-ms', '5', '--writes', '2000'];
  const { sizes, ...rest } = parseThreads([...small, '--db', join(root, 'db'), ...args])!;
  return { ...rest, sizes: { ...sizes, attachments: 2, tables: [3] } };
}

test(
  'every part measures a small database, and nothing is left of it',
  async () => {
    const chosen = options('--parts', 'read,beside,owner,write,attach');
    const { figures, failures } = await runParts(chosen, new AbortController().signal, () => {});
    expect(failures).toEqual([]);
    expect(figures.map(({ name, verdict }) => (verdict === '-' ? `${name}: no verdict` : name))).toEqual([
      'two reading threads over one, random gets, cached',
      'two reading threads over one, entries by cursor',
      'reads beside a writer over reads without one',
      'the same over reads straight after the writes: no verdict',
      'the same by processor time of the reader: no verdict',
      "attached get over the owner's",
      "attached get over the owner's before share(): no verdict",
      "owner's get over its own before share(): no verdict",
      "attached put over the owner's",
      "attached put over the owner's before share()",
      "owner's put over its own before share(): no verdict",
      'four writing threads over one',
      'attach and one get, 3 tables or more',
    ]);
    for (const { value } of figures) expect(value).toBeGreaterThan(0);
    expect(readdirSync(join(root, 'db'))).toEqual(['.made-by-varve-bench-threads']);
  },
  TIMEOUT_MS,
);

test(
  'peers open their data in two threads, or are skipped with the reason',
  async () => {
    const { figures, skipped, failures } = await runParts(
      options('--parts', 'peers'),
      new AbortController().signal,
      () => {},
    );
    expect(failures).toEqual([]);
    const engines = skipped.map((line) => line.split(':')[0]);
    expect(figures).toHaveLength(engines.includes('lmdb') && engines.includes('rocksdb') ? 0 : 3);
  },
  TIMEOUT_MS,
);

test('the better peer is what a figure is held against, like for like', () => {
  const measured: Measured = {
    varve: [{ get: 600, put: 90 }],
    lmdb: [{ get: 300, put: 10, 'get-borrowed': 900 }],
    rocksdb: [{ get: 200, put: 20 }],
  };
  const figures = peerFigures(measured);
  expect(figures.map(({ name, measured: value, verdict }) => [name, value, verdict])).toEqual([
    ['random gets by two threads, over the better peer (lmdb)', '2.00x', 'met'],
    ['single puts by two threads, over the better peer (rocksdb)', '4.50x', 'met'],
  ]);
  expect(peerFigures({ ...measured, lmdb: [], rocksdb: [] })).toEqual([]);
});

test('a ratio is the median of its rounds, held against its limit', () => {
  const rounds = quotients([1, 4, 9], [1, 2, 3]);
  expect(ratio({ name: 'r', min: 2, rounds })).toMatchObject({ measured: '2.00x', verdict: 'met' });
  expect(ratio({ name: 'r', min: 2.1, rounds })).toMatchObject({ asked: '>= 2.10x', verdict: 'MISSED' });
  expect(ratio({ name: 'r', max: 1.9, rounds })).toMatchObject({ asked: '<= 1.90x', verdict: 'MISSED' });
  expect(ratio({ name: 'r', rounds }).notes).toEqual(['1.00x to 3.00x in 3 rounds']);
});

test('a wrong command line is said', () => {
  expect(parseThreads(['--help'])).toBeUndefined();
  expect(() => parseThreads(['--parts', 'reed'])).toThrow('Unknown part "reed". Did you mean read?');
  expect(() => parseThreads(['read'])).toThrow(UsageError);
  expect(() => parseThreads(['--rounds', '0'])).toThrow('give a whole number from 1 to 99');
});
