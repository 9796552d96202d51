/** Medians of rounds as figures: what was asked of a ratio, the median of its rounds, and how far they lie apart. */
import { type Figure, atLeast, atMost, times } from '../large/figures.ts';

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** `lowest to highest` of the rounds. */
export function spread(numbers: readonly number[], unit: (value: number) => string): string {
  return `${unit(Math.min(...numbers))} to ${unit(Math.max(...numbers))}`;
}

export interface Ratio {
  readonly name: string;
  /** At least, or at most; neither: the figure is there to compare with. */
  readonly min?: number;
  readonly max?: number;
  /** One a round. */
  readonly rounds: readonly number[];
  readonly notes?: readonly string[];
}

export function ratio({ name, min, max, rounds, notes = [] }: Ratio): Figure {
  const all = [`${spread(rounds, times)} in ${rounds.length} rounds`, ...notes];
  return max === undefined
    ? atLeast(name, min, median(rounds), times, all)
    : atMost(name, max, median(rounds), times, all);
}

/** Round by round. */
export function quotients(above: readonly number[], below: readonly number[]): number[] {
  return above.map((value, i) => value / below[i]!);
}
