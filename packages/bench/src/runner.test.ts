import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { measureMemory } from './memory.ts';
import { parseCommand } from './options.ts';
import { ForeignDirectoryError } from './own-directory.ts';
import { NothingToReadError, Runner, type WorkloadResult } from './runner.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'varve-bench-'));
});
afterEach(() => rmSync(root, { recursive: true }));

async function bench(names: string, ...more: string[]): Promise<WorkloadResult[]> {
  const command = parseCommand([names, '--num', '3000', '--db', join(root, 'db'), ...more]);
  if (command.kind !== 'workloads') throw new Error(command.kind);
  const runner = new Runner(command.options);
  const results: WorkloadResult[] = [];
  try {
    for (const workload of command.workloads) results.push(await runner.run(workload));
  } finally {
    await runner.close();
  }
  return results;
}

test('after fillseq every workload finds what it should', async () => {
  const names = 'fillseq,overwrite,readrandom,readmissing,readseq,readreverse,seekrandom';
  const results = await bench(names);
  expect(results.map(({ name, operations, found }) => [name, operations, found])).toEqual([
    ['fillseq', 3_000, undefined],
    ['overwrite', 3_000, undefined],
    ['readrandom', 3_000, 3_000],
    ['readmissing', 3_000, 0],
    ['readseq', 3_000, undefined],
    ['readreverse', 3_000, undefined],
    ['seekrandom', 3_000, 3_000],
  ]);
  for (const { seconds, latencyNs, written } of results) {
    expect(seconds).toBeGreaterThan(0);
    expect(latencyNs.max).toBeGreaterThan(0);
    if (written !== undefined) expect(written.data).toBe(3_000 * 116);
  }
});

test('deletions, other reads and upkeep are workloads too', async () => {
  const reads = 'readhot,multireadrandom,compact,readseq-objects';
  const results = await bench(`filluniquerandom,flush,${reads},deleterandom,readwhilewriting`);
  expect(results.map(({ name, operations, found }) => [name, operations, found])).toEqual([
    ['filluniquerandom', 3_000, undefined],
    ['flush', 1, undefined],
    ['readhot', 3_000, 3_000],
    ['multireadrandom', 3_000, 3_000],
    ['compact', 1, undefined],
    ['readseq-objects', 3_000, undefined],
    ['deleterandom', 3_000, undefined],
    ['readwhilewriting', 3_000, expect.toSatisfy((found: number) => found > 900 && found < 1_700)],
  ]);
});

test('seekrandom reads on from each key as far as it is told', async () => {
  const [, seek, objects] = await bench('fillseq,seekrandom,seekrandom-objects', '--seek-nexts', '50');
  for (const result of [seek!, objects!]) {
    expect(result.operations).toBe(60);
    expect(result.found).toBe(60);
  }
});

test('a fill starts from a fresh database, also one that an earlier run left', async () => {
  await bench('fillseq');
  const [, read] = await bench('fillrandom,readseq');
  expect(read!.operations).toBeLessThan(2_100);
  expect(read!.operations).toBeGreaterThan(1_700);
});

test('reads go on with the database of an earlier run', async () => {
  await bench('fillseq');
  expect((await bench('readrandom'))[0]!.found).toBe(3_000);
});

test('puts can be awaited at a durability', async () => {
  const [fill, read] = await bench('fillrandom,readrandom', '--durability', 'os');
  expect(fill!.latencyNs.timed).toBe(3_000);
  expect(read!.found).toBeGreaterThan(1_700);
});

test('reads of an empty database are refused with what to do', async () => {
  await expect(bench('readrandom')).rejects.toThrow(NothingToReadError);
});

test('a directory that the bench did not make is refused before anything happens', async () => {
  await expect(bench('fillseq', '--db', tmpdir())).rejects.toThrow(ForeignDirectoryError);
});

test('the memory measurement stores each entry once', async () => {
  const command = parseCommand(['memory', '--num', '3000', '--db', join(root, 'db')]);
  if (command.kind !== 'memory') throw new Error(command.kind);
  const runner = new Runner(command.options);
  const progress: number[] = [];
  const result = await measureMemory(runner, command.options, (done) => progress.push(done));
  await runner.close();
  expect(result.rssBytes).toBeGreaterThan(0);
  expect(progress).toEqual([1_000, 2_000, 3_000]);
  expect((await bench('readseq'))[0]!.operations).toBe(3_000);
});
