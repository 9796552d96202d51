import { expect, test } from 'vitest';
import { runsOf } from './db-bench.ts';
import { parseLines, warnings } from './db-bench-output.ts';
import type { Sizes } from './job.ts';

const output = `RocksDB:    version 7.8.3
Keys:       16 bytes each (+ 0 bytes user-defined timestamp)
WARNING: Assertions are enabled; benchmarks unnecessarily slow
------------------------------------------------
DB path: [some/where]
filluniquerandom :       5.042 micros/op 198198 ops/sec 0.101 seconds 20000 operations;   21.9 MB/s
DB path: [some/where]
readrandom   :       1.732 micros/op 575705 ops/sec 0.035 seconds 20000 operations;   63.7 MB/s (20000 of 20000 found)

readmissing  :       1.558 micros/op 640614 ops/sec 0.031 seconds 20000 operations; (0 of 20000 found)
compact      :   36097.000 micros/op 27 ops/sec 0.036 seconds 1 operations;
waitforcompaction(some/where): finished
readseq      :       0.186 micros/op 5319148 ops/sec;  588.4 MB/s
`;

const sizes: Sizes = {
  num: 20_000,
  keySize: 16,
  valueSize: 100,
  ycsbNum: 1_000,
  cacheBytes: 2 ** 20,
  memtableBytes: 2 ** 20,
  seekNexts: 100,
  readSecondsMin: 0,
  seed: 1,
};

test('the lines of db_bench are read, with and without counts', () => {
  expect(parseLines(output)).toEqual([
    { benchmark: 'filluniquerandom', opsPerSecond: 198_198, seconds: 0.101, operations: 20_000 },
    { benchmark: 'readrandom', opsPerSecond: 575_705, seconds: 0.035, operations: 20_000 },
    { benchmark: 'readmissing', opsPerSecond: 640_614, seconds: 0.031, operations: 20_000 },
    { benchmark: 'compact', opsPerSecond: 27, seconds: 0.036, operations: 1 },
    { benchmark: 'readseq', opsPerSecond: 5_319_148, seconds: 0, operations: 0 },
  ]);
});

test('the warnings of db_bench are kept', () => {
  expect(warnings(output)).toEqual(['WARNING: Assertions are enabled; benchmarks unnecessarily slow']);
});

test('fills run as far as they are asked for', () => {
  const job = { engine: 'db_bench', mode: 'plain', group: 'fillrandom', round: 0, sizes } as const;
  expect(runsOf({ ...job, workloads: ['overwrite'] }).map(({ benchmarks }) => benchmarks)).toEqual([
    ['fillrandom', 'overwrite'],
  ]);
});

test('reads run in two states, and what needs its own flags in its own process, twice', () => {
  const job = { engine: 'db_bench', mode: 'plain', group: 'reads', round: 0, sizes } as const;
  const runs = runsOf({ ...job, workloads: ['readmissing', 'seekrandom', 'readwhilewriting'] });
  expect(runs.map(({ benchmarks, state, existing = false }) => [state, existing, ...benchmarks])).toEqual([
    ['loaded', false, 'filluniquerandom', 'readrandom', 'readmissing'],
    ['loaded', true, 'seekrandom', 'seekrandom'],
    ['compacted', true, 'compact', 'waitforcompaction', 'readrandom', 'readmissing'],
    ['compacted', true, 'seekrandom', 'seekrandom'],
    ['compacted', true, 'readrandom', 'readwhilewriting'],
  ]);
  expect(runs[1]!.flags).toEqual(['--seek_nexts=100', '--reads=200']);
});
