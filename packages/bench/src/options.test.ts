import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseCommand, UsageError } from './options.ts';

const complaint = (...args: string[]): string => {
  try {
    parseCommand(args);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error(`accepted: ${args.join(' ')}`);
};

describe('the command line of the bench', () => {
  test('takes workloads separated by commas, in order, with the defaults of db_bench', () => {
    const command = parseCommand(['fillseq,readrandom', 'fillseq']);
    if (command.kind !== 'workloads') throw new Error(command.kind);
    expect(command.workloads.map(({ name }) => name)).toEqual(['fillseq', 'readrandom', 'fillseq']);
    expect(command.options).toMatchObject({
      num: 1_000_000,
      keySize: 16,
      valueSize: 100,
      durability: 'memory',
      memtableBytes: undefined,
      compression: undefined,
    });
  });

  test('takes every option', () => {
    const json = join(tmpdir(), 'out.json');
    const command = parseCommand(
      `fillseq --num 5_000 --key-size=20 --value-size 1 --db here --seed 3 --memtable-bytes 1000000
       --compression lz4 --durability disk --json ${json}`.split(/\s+/),
    );
    expect(command).toMatchObject({
      options: {
        num: 5_000,
        keySize: 20,
        valueSize: 1,
        seed: 3,
        memtableBytes: 1_000_000,
        compression: 'lz4',
        durability: 'disk',
        json,
      },
    });
  });

  test('names the nearest workload and lists the known ones', () => {
    const message = complaint('fillrnadom');
    expect(message).toContain('Unknown workload "fillrnadom". Did you mean fillrandom?');
    expect(message).toMatch(/Known workloads: fillseq, fillrandom, .*, readmissing, .*, compact, memory\.$/);
  });

  test.each([
    ['fillrnd', 'fillrandom'],
    ['READSEQ', 'readseq'],
    ['read-random', 'readrandom'],
    ['memroy', 'memory'],
  ])('takes %s for %s', (given, meant) => {
    expect(complaint(given)).toContain(`Did you mean ${meant}?`);
  });

  test('makes no guess at a name that resembles nothing', () => {
    expect(complaint('xyz')).toMatch(/^Unknown workload "xyz"\.\n/);
  });

  test('names the nearest option', () => {
    expect(complaint('fillseq', '--valuesize', '3')).toBe(
      'Unknown option --valuesize. Did you mean --value-size?',
    );
  });

  test.each([
    [['fillseq', '--num', 'many'], '--num many: give a whole number from 1 to 2147483647.'],
    [['fillseq', '--num', '0'], '--num 0: give a whole number'],
    [['fillseq', '--num', '1.5'], '--num 1.5: give a whole number'],
    [['fillseq', '--num=-1'], '--num -1: give a whole number'],
    [['fillseq', '--key-size', '5'], '--key-size 5 is too small: 1000000 keys need 6 digits.'],
    [['fillseq', '--compression', 'gzip'], '--compression gzip: give one of none, lz4, zstd.'],
    [['fillseq', '--durability', 'replicated'], '--durability replicated: give one of memory, os, disk.'],
    [['fillseq', '--json', '/nowhere/at/all.json'], 'the directory /nowhere/at does not exist'],
    [['memory', '--durability', 'os'], '"memory" measures plain puts: leave --durability out.'],
    [['fillsync', '--durability', 'disk'], '"fillsync" waits for its writes in its own way'],
    [['memory,fillseq'], '"memory" measures the whole process, so it runs alone.'],
    [[], 'Name at least one workload.'],
  ])('refuses %j', (args, message) => {
    expect(complaint(...args)).toContain(message);
  });

  test('shows help without a workload', () => {
    expect(parseCommand(['--help'])).toEqual({ kind: 'help' });
    expect(parseCommand(['--workloads'])).toEqual({ kind: 'help' });
  });
});
