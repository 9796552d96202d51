import { expect, test } from 'vitest';
import { parseWritten } from './rocks-output.ts';

const report = (tables: string, log: string): string => `
Uptime(secs): 4.8 total, 1.8 interval
Flush(GB): cumulative 0.094, interval 0.047
Cumulative compaction: ${tables} GB write, 32.17 MB/s write, 0.07 GB read, 15.02 MB/s read, 1.6 seconds
Interval compaction: 0.10 GB write, 59.69 MB/s write, 0.07 GB read, 40.44 MB/s read, 1.0 seconds

** DB Stats **
Cumulative writes: 1000K writes, 1000K keys, 1000K commit groups, 1.0 writes per commit group, ingest: 0.12 GB, 25.97 MB/s
Cumulative WAL: 1000K writes, 0 syncs, 1000000.00 writes per sync, written: ${log} GB, 25.97 MB/s
Interval WAL: 364K writes, 0 syncs, 364238.00 writes per sync, written: 0.04 GB, 25.42 MB/s
`;

test('the bytes of the last report are read', () => {
  expect(parseWritten(report('0.15', '0.12') + report('20.5', '2.5'))).toEqual({
    tableBytes: 20.5 * 2 ** 30,
    logBytes: 2.5 * 2 ** 30,
  });
});

test('an output without a report gives nothing', () => {
  expect(parseWritten('readrandom   :       1.732 micros/op 575705 ops/sec;')).toBeUndefined();
});
