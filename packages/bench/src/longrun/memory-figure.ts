/** Resident memory over the process's baseline, held against the budget. */
import { formatBytes } from '../format.ts';
import { atMost, type Figure } from '../large/figures.ts';
import type { ResidentBytes } from './resident.ts';

/** Percent of the budget. */
const MAX = 110;

/** Of the process, and of what the engine accounts for, which the budget is about. */
export function memoryFigures(
  name: string,
  { bare, warm, most, accounted }: ResidentBytes,
  budgetBytes: number,
  notes: readonly string[] = [],
): Figure[] {
  const share = (baseline: number): number => (100 * (most - baseline)) / budgetBytes;
  const percent = (value: number): string => `${value.toFixed(0)} % of the budget`;
  return [
    atMost(`${name}: memory of the process`, MAX, share(bare), percent, [
      `${formatBytes(most)}, before opening ${formatBytes(bare)}, budget ${formatBytes(budgetBytes)}; ` +
        `over the process with its threads at work (${formatBytes(warm)}) ${percent(share(warm))}`,
      ...notes,
    ]),
    atMost(`${name}: memtables, cache, indexes`, MAX, (100 * accounted) / budgetBytes, percent, [
      formatBytes(accounted),
    ]),
  ];
}
