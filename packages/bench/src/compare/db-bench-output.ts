/**
 * Reads what db_bench prints, a line per benchmark:
 *
 *   readrandom   :       1.732 micros/op 575705 ops/sec 0.035 seconds 20000 operations;   63.7 MB/s (20000 of 20000 found)
 *
 * and its warnings, which say for instance that this build of it has assertions.
 */

export interface DbBenchLine {
  readonly benchmark: string;
  readonly operations: number;
  readonly seconds: number;
  readonly opsPerSecond: number;
}

const LINE =
  /^(\w+)\s*:\s+[\d.]+ micros\/op\s+(?<rate>\d+) ops\/sec(?:\s+(?<seconds>[\d.]+) seconds\s+(?<operations>\d+) operations)?;/;

/** All results in their order. Versions of db_bench that print no count have 0 operations and seconds. */
export function parseLines(output: string): DbBenchLine[] {
  return output.split('\n').flatMap((line) => {
    const match = LINE.exec(line);
    if (match === null) return [];
    const { rate, seconds, operations } = match.groups!;
    return [
      {
        benchmark: match[1]!,
        opsPerSecond: Number(rate),
        seconds: Number(seconds ?? 0),
        operations: Number(operations ?? 0),
      },
    ];
  });
}

export function warnings(output: string): string[] {
  return output.split('\n').filter((line) => line.startsWith('WARNING:'));
}
