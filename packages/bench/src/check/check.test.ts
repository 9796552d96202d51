import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UsageError } from '../options.ts';
import { type Baseline, compareWithBaseline, readBaseline, writeBaseline } from './baseline.ts';
import { Calibration } from '../calibration.ts';
import { formatFindings, toleranceOf } from './check.ts';

const baseline: Baseline = {
  machine: 'some machine',
  entries: 1_000,
  scores: { fillrandom: 50, readrandom: 100, readseq: 900 },
};

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-check-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('a workload that is slower than its tolerance is named, others are not', () => {
  const findings = compareWithBaseline(
    baseline,
    { fillrandom: 40, readrandom: 60, readseq: 1_000 },
    () => 0.3,
  );
  expect(findings.filter(({ slower }) => slower).map(({ name }) => name)).toEqual(['readrandom']);
  const text = formatFindings(baseline, findings);
  expect(text).toMatch(/^readrandom +60\.00 +100\.0 +-40 % {2}TOO SLOW$/m);
  expect(text).toMatch(/^readseq +1000 +900\.0 +\+11 %$/m);
  expect(text).toContain('check: slower than the baseline allows: readrandom.');
});

test('within the tolerance nothing is named', () => {
  const findings = compareWithBaseline(baseline, { fillrandom: 36, readrandom: 71 }, () => 0.3);
  expect(formatFindings(baseline, findings)).toContain('check: nothing is slower than the baseline allows');
});

test('a workload that the baseline does not know is new and passes', () => {
  const [finding] = compareWithBaseline(baseline, { readhot: 1 }, () => 0.3);
  expect(finding).toMatchObject({ name: 'readhot', change: undefined, slower: false });
});

test('writes may vary more than reads', () => {
  expect(toleranceOf('fillrandom')).toBeGreaterThan(toleranceOf('readrandom'));
});

test('a baseline is read as it was written', () => {
  const path = join(directory, 'baseline.json');
  writeBaseline(path, baseline);
  expect(readBaseline(path)).toEqual(baseline);
});

test('no baseline, or a broken one, says how to make one', () => {
  const path = join(directory, 'baseline.json');
  for (const content of [undefined, '{', '{}', '{"machine":"m","entries":1,"scores":{"a":0}}']) {
    if (content !== undefined) writeFileSync(path, content);
    expect(() => readBaseline(path)).toThrow(UsageError);
    expect(() => readBaseline(path)).toThrow('make one with "npm run bench -- check --update"');
  }
});

test('the calibration gives a rate', () => {
  expect(new Calibration().measure()).toBeGreaterThan(0);
});
