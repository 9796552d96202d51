/**
 * What db_bench's benchmark `stats` says about bytes written since it opened the database:
 *
 *   Flush(GB): cumulative 0.094, interval 0.047
 *   Cumulative compaction: 0.15 GB write, 32.17 MB/s write, 0.07 GB read, 15.02 MB/s read, 1.6 seconds
 *   Cumulative writes: 1000K writes, 1000K keys, 1000K commit groups, ... ingest: 0.12 GB, 25.97 MB/s
 *   Cumulative WAL: 1000K writes, 0 syncs, 1000000.00 writes per sync, written: 0.12 GB, 25.97 MB/s
 *
 * "Compaction" has the flushes in it: it is the sum over the levels, level 0 included. GB are 2^30 bytes. So they are known
 * to 5 MB; statistics by counter would be exact but slow the writes down (--statistics), and so they are left alone.
 */

const GIB = 2 ** 30;

export interface RocksWritten {
  readonly logBytes: number;
  /** Flushes included. */
  readonly tableBytes: number;
}

/** Of the last report in `output`; undefined when there is none. */
export function parseWritten(output: string): RocksWritten | undefined {
  const tables = lastNumber(output, /^Cumulative compaction: ([\d.]+) GB write/gm);
  const log = lastNumber(output, /^Cumulative WAL: .* written: ([\d.]+) GB/gm);
  return tables === undefined || log === undefined
    ? undefined
    : { logBytes: log * GIB, tableBytes: tables * GIB };
}

function lastNumber(text: string, pattern: RegExp): number | undefined {
  const last = [...text.matchAll(pattern)].at(-1);
  return last === undefined ? undefined : Number(last[1]);
}
