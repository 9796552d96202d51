/**
 * What a study runs with, and its rounds: every way once in each round, the order reversed every other round, the first round not counted.
 */
import { median } from '../compare/results.ts';

/** What a study runs with. */
export interface StudyMeans {
  readonly rounds: number;
  /** An empty directory, which is removed afterwards. */
  readonly directory: string;
  readonly say: (line: string) => void;
}

/** The results of each way, in the order of `ways`. */
export async function inRounds<Way, Result>(
  ways: readonly Way[],
  rounds: number,
  measure: (way: Way) => Result | Promise<Result>,
): Promise<readonly (readonly Result[])[]> {
  const results = ways.map((): Result[] => []);
  for (let round = -1; round < rounds; round++) {
    const order = ways.map((_, index) => index);
    if (round % 2 !== 0) order.reverse();
    for (const index of order) {
      const result = await measure(ways[index]!);
      if (round >= 0) results[index]!.push(result);
    }
  }
  return results;
}

/** The median of one number of each result. */
export function middle<Result>(results: readonly Result[], pick: (result: Result) => number): number {
  return median(results.map(pick).toSorted((a, b) => a - b));
}

/** A line of a table: the first cell to the left, the others to the right. */
export function row(name: string, cells: readonly string[]): string {
  return `${name.padEnd(44)}${cells.map((cell) => cell.padStart(15)).join('')}`;
}
