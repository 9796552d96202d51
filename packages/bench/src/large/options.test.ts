import { describe, expect, test } from 'vitest';
import { UsageError } from '../options.ts';
import { parseLarge } from './options.ts';

const complaint = (...args: string[]): string => {
  try {
    parseLarge(args);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error(`accepted: ${args.join(' ')}`);
};

describe('the command line of large', () => {
  test('asks for 20 million entries and all parts when nothing is said', () => {
    expect(parseLarge([])).toMatchObject({
      parts: ['fill', 'read', 'iterate', 'open', 'replay', 'memory'],
      fills: 1,
      rounds: 3,
      sizes: {
        num: 20_000_000,
        keySize: 16,
        valueSize: 100,
        cacheBytes: 256 * 2 ** 20,
        memtableBytes: 32 * 2 ** 20,
        reads: 1_000_000,
        logBytes: 64 * 2 ** 20,
      },
    });
  });

  test('takes parts in any order and runs them in its own', () => {
    expect(parseLarge(['--parts', 'replay,fill'])?.parts).toEqual(['fill', 'replay']);
  });

  test('reads no more keys than there are', () => {
    expect(parseLarge(['--num', '5_000'])?.sizes.reads).toBe(5_000);
  });

  test('shows help', () => {
    expect(parseLarge(['--help'])).toBeUndefined();
  });

  test.each([
    [['--parts', 'opn'], 'Unknown part "opn". Did you mean open?'],
    [['--parts', ','], 'Name at least one part.'],
    [['open'], 'large takes options only; "open" goes behind --parts.'],
    [['--num', '999'], '--num 999: give a whole number from 1000'],
    [['--rounds', '0'], '--rounds 0: give a whole number from 1'],
    [['--round', '3'], 'Unknown option --round. Did you mean --rounds?'],
    [['--json', '/nowhere/at/all.json'], 'the directory /nowhere/at does not exist'],
  ])('refuses %j', (args, message) => {
    expect(complaint(...args)).toContain(message);
  });
});
