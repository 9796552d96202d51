import { expect, test } from 'vitest';
import { parseCompare } from './options.ts';
import { planJobs } from './plan.ts';

function planned(...args: string[]): string[] {
  const options = parseCompare(args)!;
  return planJobs(options).map(({ round, engine, mode, group, workloads }) =>
    [round, engine, mode, group, ...workloads].join(' '),
  );
}

test('fills run in every mode, reads in one, and every other round backwards', () => {
  expect(planned('--rounds', '2', '--peers', 'lmdb', '--workloads', 'readseq,overwrite')).toEqual([
    '0 varve tick fillrandom overwrite',
    '0 varve put fillrandom overwrite',
    '0 lmdb batch fillrandom overwrite',
    '0 lmdb single fillrandom overwrite',
    '0 varve tick reads readseq',
    '0 lmdb batch reads readseq',
    '1 lmdb single fillrandom overwrite',
    '1 lmdb batch fillrandom overwrite',
    '1 varve put fillrandom overwrite',
    '1 varve tick fillrandom overwrite',
    '1 lmdb batch reads readseq',
    '1 varve tick reads readseq',
  ]);
});

test('db_bench has no YCSB', () => {
  expect(planned('--rounds', '1', '--peers', 'db_bench', '--workloads', 'ycsb-a')).toEqual([
    '0 varve tick ycsb ycsb-a',
  ]);
});

test.each([
  [['--peers', 'lmbd'], 'Unknown peer "lmbd". Did you mean lmdb?'],
  [['--workloads', 'readsq'], 'Unknown workload "readsq". Did you mean readseq?'],
  [['--rounds', '0'], '--rounds 0: give a whole number from 1 to 99.'],
  [['--num', '20000000000'], '--num 20000000000: give a whole number'],
  [['fillseq'], 'compare takes options only; "fillseq" goes behind --workloads or --peers.'],
  [['--json', '/nowhere/at/all.json'], 'the directory /nowhere/at does not exist'],
  [['--worklods', 'a'], 'Unknown option --worklods. Did you mean --workloads?'],
])('refuses %j', (args, message) => {
  expect(() => parseCompare(args)).toThrow(message);
});

test('shows help', () => {
  expect(parseCompare(['--help'])).toBeUndefined();
});
