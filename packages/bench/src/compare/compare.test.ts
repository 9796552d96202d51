import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatSettings, type Means, type RunJob, runAll } from './compare.ts';
import type { Job, Outcome } from './job.ts';
import { type CompareOptions, parseCompare } from './options.ts';
import { runChild } from './run-child.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'varve-compare-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function options(...args: string[]): CompareOptions {
  return parseCompare(['--num', '200', '--rounds', '2', '--db', join(root, 'db'), ...args])!;
}

function means(run: RunJob, more: Partial<Means> = {}): Means {
  return { run, machineSpeed: () => 1, say: () => {}, ...more };
}

function done(job: Job): Outcome {
  const measurement = { state: 'written', operations: 200, seconds: 1, opsPerSecond: 200 } as const;
  return {
    kind: 'done',
    settings: [`opened ${job.engine}`],
    measurements: job.workloads.map((workload) => ({ workload, ...measurement })),
  };
}

test('an engine that is not there is skipped at once and said, the others go on', async () => {
  const ran: string[] = [];
  const run: RunJob = (job, path) => {
    ran.push(job.engine);
    expect(existsSync(path)).toBe(true);
    return Promise.resolve(
      job.engine === 'lmdb' ? { kind: 'unavailable', reason: 'not installed; run "npm install"' } : done(job),
    );
  };
  const said: string[] = [];
  const chosen = options('--workloads', 'fillbatch', '--peers', 'lmdb,sqlite');
  const result = await runAll(chosen, means(run, { say: (line) => said.push(line) }));
  expect(ran).toEqual(['varve', 'lmdb', 'sqlite', 'sqlite', 'varve']);
  expect(said).toContain('skipped  lmdb: not installed; run "npm install"');
  expect(formatSettings(result).split('\n')).toEqual([
    'varve          opened varve',
    'sqlite         opened sqlite',
    'lmdb           skipped: not installed; run "npm install"',
  ]);
  expect(result.samples).toHaveLength(4);
  expect(readdirSync(join(root, 'db'))).toEqual(['.made-by-varve-bench-compare']);
});

test('a job that fails is said and leaves the others running', async () => {
  const run: RunJob = (job) =>
    Promise.resolve(
      job.round === 0 && job.engine === 'varve' ? { kind: 'failed', reason: 'broken' } : done(job),
    );
  const result = await runAll(options('--workloads', 'fillbatch', '--peers', 'sqlite'), means(run));
  expect(result.failures).toEqual(['round 1  varve tick, fillbatch: broken']);
  expect(result.samples).toHaveLength(3);
});

test('after the signal no job starts and the one that ran does not count', async () => {
  const controller = new AbortController();
  let ran = 0;
  const run: RunJob = (job) => {
    if (++ran === 2) controller.abort();
    return Promise.resolve(ran === 2 ? { kind: 'failed', reason: 'aborted' } : done(job));
  };
  const chosen = options('--workloads', 'fillbatch', '--peers', 'sqlite');
  const result = await runAll(chosen, means(run, { signal: controller.signal }));
  expect([ran, result.samples.length, result.failures.length]).toEqual([2, 1, 0]);
});

test('a child process dies with the signal', async () => {
  const controller = new AbortController();
  const { sizes } = options('--num', '100000000');
  const job: Job = {
    engine: 'varve',
    mode: 'tick',
    group: 'fillseq',
    round: 0,
    workloads: ['fillseq'],
    sizes,
  };
  const outcome = runChild(job, root, controller.signal);
  controller.abort();
  expect(await outcome).toMatchObject({ kind: 'failed' });
});

test('a child process measures its group, sends the outcome and ends', async () => {
  const { sizes } = options();
  const job: Job = {
    engine: 'sqlite',
    mode: 'batch',
    group: 'reads',
    round: 0,
    // Both forms of a scan are one for a peer, so that of Varve does not run.
    workloads: ['readrandom', 'seekrandom', 'seekrandom-objects', 'readwhilewriting'],
    sizes: { ...sizes, readSecondsMin: 0 },
  };
  const outcome = await runChild(job, root);
  if (outcome.kind !== 'done') throw new Error(outcome.reason);
  expect(outcome.measurements.map(({ workload, state }) => `${workload} ${state}`)).toEqual([
    'readrandom loaded',
    'seekrandom loaded',
    'readrandom compacted',
    'seekrandom compacted',
    'readwhilewriting compacted',
  ]);
});

test('a child process that breaks is an outcome', async () => {
  const { sizes } = options();
  const job: Job = {
    engine: 'sqlite',
    mode: 'batch',
    group: 'fillseq',
    round: 0,
    workloads: ['fillseq'],
    sizes,
  };
  expect(await runChild(job, join(root, 'not', 'there'))).toMatchObject({ kind: 'failed' });
});
