import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { UsageError } from '../options.ts';
import { parseSimulate } from './options.ts';
import { findStrategy, pickerOf } from './picker.ts';
import { formatTable, panelsOf } from './report.ts';
import { parseWorkload, workloads } from './workload.ts';
import { simulate } from './simulation.ts';

const directory = mkdtempSync(join(tmpdir(), 'varve-simulate-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('without arguments random puts meet leveled compaction at its defaults', () => {
  const options = parseSimulate([])!;
  expect(options.workloads.map(({ name }) => name)).toEqual(['fillrandom']);
  expect(options.variants).toEqual([
    {
      label: 'leveled',
      picker: 'leveled',
      settings: {},
    },
  ]);
});

test('lists of settings are swept, each with each, by the pickers that have them, and only they are in the labels', () => {
  const line =
    'overwrite --picker leveled,tiered --set levelRatio=4,10 --set level1Bytes=64MiB,1GiB --set runs=6';
  const { variants } = parseSimulate(line.split(' '))!;
  expect(variants.map(({ label }) => label)).toEqual([
    'leveled, levelRatio 4, level1Bytes 64MiB',
    'leveled, levelRatio 4, level1Bytes 1GiB',
    'leveled, levelRatio 10, level1Bytes 64MiB',
    'leveled, levelRatio 10, level1Bytes 1GiB',
    'tiered',
  ]);
  expect(variants[1]!.settings).toEqual({ levelRatio: 4, level1Bytes: 2 ** 30 });
  expect(variants[4]!.settings).toEqual({ runs: 6 });
});

test('what can not be simulated is refused with what to give instead', () => {
  expect(() => parseSimulate(['overwrit'])).toThrow('Did you mean overwrite?');
  expect(() => parseSimulate(['--set', 'levelRatio=1'])).toThrow(
    '--set levelRatio=1: give a number from 2 to 100.',
  );
  expect(() => parseSimulate(['--set', 'levelRatio'])).toThrow('give a name and values');
  expect(() => parseSimulate(['--set', 'levelRatio=many'])).toThrow('many is no number');
  expect(() => parseSimulate(['--set', 'runs=4'])).toThrow('none of these pickers has it');
  expect(() => parseSimulate(['--workload', join(directory, 'none.json')])).toThrow('there is no such file');
});

test('a workload can come from a file, and its mistakes are named', () => {
  const given = {
    name: 'mine',
    summary: 'my own',
    phases: [{ operations: 2, keys: 'zipfian', deletes: 0.5 }],
  };
  expect(parseWorkload(JSON.stringify(given), 'mine.json')).toEqual(given);
  for (const own of workloads) expect(parseWorkload(JSON.stringify(own), 'own.json')).toEqual(own);
  const refused = (phase: object): string => {
    try {
      parseWorkload(JSON.stringify({ phases: [{ operations: 1, keys: 'uniform', ...phase }] }), 'x');
    } catch (error) {
      if (error instanceof UsageError) return error.message;
    }
    return 'not refused';
  };
  expect(refused({ keys: 'sideways' })).toBe(
    'x: phase 0: keys is sideways; give one of sequential, scattered, uniform, zipfian.',
  );
  expect(refused({ deletes: 2 })).toBe('x: phase 0: deletes is 2; give a share from 0 to 1.');
  expect(refused({ rangeDeletes: { every: 0, width: 1, where: 'here' } })).toMatch('rangeDeletes has every');
  expect(() => parseWorkload('{', 'x')).toThrow('x: no JSON');
  expect(() => parseWorkload('{"phases":[]}', 'x')).toThrow('x: a workload is {');
});

test('a picker of a module is the one that the engine would take', async () => {
  const path = join(directory, 'picker.mjs');
  writeFileSync(
    path,
    `export const picker = {
      name: 'all at once',
      pick: ({ levels, isBusy }) =>
        levels[0].length < 2 || levels.flat().some(isBusy) ? undefined : { files: levels.flat(), outputLevel: 6 },
    };`,
  );
  const strategy = await findStrategy(path);
  const {
    workloads: chosen,
    sizes,
    rates,
  } = parseSimulate(['fillrandom', '--num', '1000000', '--scale', '1000'])!;
  const [workload] = chosen;
  const picker = pickerOf({ strategy, settings: {} });
  const outcome = simulate({ workload: workload!, picker, sizes, rates, seed: 1, verify: true });
  expect(outcome.merges).toBeGreaterThan(1);
  expect(outcome.levels.slice(1, 6)).toEqual([0, 0, 0, 0, 0]);
  expect(outcome.runsMax).toBeLessThan(4);
  await expect(findStrategy('levelled')).rejects.toThrow('Did you mean leveled?');
  await expect(findStrategy(join(directory, 'none.mjs'))).rejects.toThrow(UsageError);
});

test('the table has a row for each variant, also for those that came to nothing', () => {
  const { workloads: chosen, variants, sizes, rates } = parseSimulate(['fillseq', '--num', '1000000'])!;
  const [variant] = variants;
  const input = {
    workload: chosen[0]!,
    picker: pickerOf({ strategy: 'leveled', settings: variant!.settings }),
    sizes,
    rates,
    seed: 1,
    verify: false,
  };
  const outcomes = [
    { variant: variant!, outcome: simulate(input) },
    { variant: { ...variant!, label: 'broken' }, outcome: 'the picker gives no plan' },
  ];
  expect(formatTable(chosen[0]!, outcomes, true).split('\n')).toEqual([
    'fillseq: every key once, ascending',
    '',
    '| picker | written | space, end | space, most | runs, mean | runs, most | level 0, most | waited | took | merges | moves, drops |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    '| leveled | 1.00 | 1.00 | 1.00 | 0.5 | 1.0 | 4 | 0 s | 3 s | 0 | 2 |',
    '| broken | the picker gives no plan |',
    '',
  ]);
  expect(panelsOf(outcomes).map(({ lines }) => lines.map(({ label }) => label))).toEqual(
    Array.from({ length: 4 }, () => ['leveled']),
  );
});
