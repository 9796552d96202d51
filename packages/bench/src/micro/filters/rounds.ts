/** Timing for measurements that stand beside each other: rounds in turn, so that what disturbs one disturbs all. */

/** Before the first round that counts. */
const WARM_ROUNDS = 10;

/** One way of doing the same thing: `run` does `operations` of it and returns something that depends on all of them. */
export interface Way {
  readonly name: string;
  readonly operations: number;
  run(): number;
}

/** Processor time of one operation in nanoseconds, the median of the rounds, for each way. */
export function nanosecondsEach(ways: readonly Way[], rounds: number): number[] {
  const times = ways.map((): number[] => []);
  let used = 0;
  for (const way of ways) for (let warm = 0; warm < WARM_ROUNDS; warm++) used += way.run();
  for (let round = 0; round < rounds; round++) {
    ways.forEach((way, i) => {
      const before = process.cpuUsage();
      used += way.run();
      const { user, system } = process.cpuUsage(before);
      times[i]!.push(((user + system) * 1000) / way.operations);
    });
  }
  if (Number.isNaN(used)) console.log('');
  return times.map((list) => list.toSorted((a, b) => a - b)[list.length >>> 1]!);
}

/** A row of cells under columns of the widths that the head has. */
export function row(cells: readonly string[]): string {
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(30) : cell.padStart(16))).join('');
}
