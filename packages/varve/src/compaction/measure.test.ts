import { expect, test } from 'vitest';
import { type CompactionOption, resolveCompaction } from '../options/compaction-settings.ts';
import { parseKeyspace } from './picker.suite.ts';
import { measureOf, type PlanMeasure } from './measure.ts';
import { RunningSet } from './running-set.ts';
import { pickCompaction, type PickerSettings } from './strategy.ts';

const MIB = 1024 * 1024;

function measure(
  compaction: CompactionOption,
  ...lines: string[]
): (PlanMeasure & { why: string }) | undefined {
  const keyspace = parseKeyspace(lines);
  const settings: PickerSettings = {
    compaction: resolveCompaction(compaction),
    levelRatio: 10,
    tableBytes: () => 8 * MIB,
  };
  const plan = pickCompaction(keyspace, new RunningSet(), settings, 0)!;
  const found = measureOf(keyspace, settings, plan);
  return found && { why: plan.reason, ...found };
}

const flushes = (count: number, size: string): string =>
  `L0: ${Array.from({ length: count }, (_, i) => `${count - i}[a-z]=${size}`).join(' ')}`;

test('level 0 had so many files of as many as start a compaction', () => {
  expect(measure({ strategy: 'leveled' }, flushes(6, '1M'))).toEqual({
    why: 'level0-files',
    had: 6,
    limit: 4,
    unit: 'files',
  });
});

test('a level had so many bytes of its target', () => {
  expect(measure({ strategy: 'leveled' }, 'L5: 1[a-m]=60M 2[n-z]=40M', 'L6: 3[a-z]=640M')).toEqual({
    why: 'level-size',
    had: 100 * MIB,
    limit: 64 * MIB,
    unit: 'bytes',
  });
});

test('hybrid counts bytes of level 0 on the way down, and files of it before', () => {
  const hybrid = { strategy: 'hybrid', level0Bytes: 8 * MIB } as const;
  expect(measure(hybrid, flushes(3, '4M'))).toMatchObject({
    why: 'level0-files',
    had: 12 * MIB,
    limit: 8 * MIB,
  });
  expect(measure(hybrid, flushes(5, '1M'))).toMatchObject({
    why: 'run-size',
    had: 5,
    limit: 4,
    unit: 'runs',
  });
});

test('tiered counts runs, and bytes over the oldest one also when all lie in level 0', () => {
  expect(measure({ strategy: 'tiered', runs: 4 }, flushes(5, '1M'))).toMatchObject({
    why: 'run-size',
    had: 5,
    limit: 4,
  });
  const space = 'L0: 3[a-z]=90M 2[a-z]=60M 1[a-z]=100M';
  expect(measure({ strategy: 'tiered' }, space)).toEqual({
    why: 'space',
    had: 150 * MIB,
    limit: 75 * MIB,
    unit: 'bytes',
  });
});

test('fifo counts all bytes', () => {
  expect(measure({ strategy: 'fifo', bytesMax: 2 * MIB }, flushes(3, '1M'))).toMatchObject({
    why: 'bytes',
    had: 3 * MIB,
    limit: 2 * MIB,
  });
});
