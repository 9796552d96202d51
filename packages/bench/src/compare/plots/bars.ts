/** A bar chart for the terminal: a block per workload, a bar per engine, the fastest of a block as long as the line. */
import { formatRate } from '../../format.ts';

export interface Bar {
  readonly label: string;
  readonly value: number;
}

export interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;
const FULL = '█';

/** `width` is the length of the longest bar in characters. */
export function terminalBars(groups: readonly BarGroup[], width = 40): string {
  const labelWidth = Math.max(0, ...groups.flatMap(({ bars }) => bars.map(({ label }) => label.length)));
  return groups
    .map(({ title, bars }) => {
      const most = Math.max(...bars.map(({ value }) => value));
      const lines = bars.map(
        ({ label, value }) =>
          `  ${label.padEnd(labelWidth)} ${bar(value / most, width)} ${formatRate(value)}`,
      );
      return [title, ...lines].join('\n');
    })
    .join('\n');
}

/** Blocks for `share` of `width`, in eighths; a value above nothing shows something. */
function bar(share: number, width: number): string {
  const eighths = Math.max(share > 0 ? 1 : 0, Math.round(share * width * EIGHTHS.length));
  return FULL.repeat(Math.floor(eighths / EIGHTHS.length)) + EIGHTHS[eighths % EIGHTHS.length]!;
}
