/** Sustained single puts: throughput, the longest of them, their tail, and what was written for them. */
import { median } from '../../compare/results.ts';
import { formatBytes, formatCount } from '../../format.ts';
import { atLeastRival, atMost, atMostRival, type Figure, milliseconds, times } from '../figures.ts';
import type { Fills, Session } from '../session.ts';
import type { Sizes } from '../tasks/results.ts';

const RATIO = 1;
const LONGEST_MS_MAX = 200;
const TAIL_MS_MAX = 5;

export async function measureFill(session: Session): Promise<Figure[]> {
  return fillFigures(await session.filled(), session.sizes);
}

/** Medians over the rounds, and of the longest puts the longest. */
export function fillFigures(fills: readonly Fills[], sizes: Sizes): Figure[] {
  const middle = (pick: (fill: Fills) => number): number => median(fills.map(pick).toSorted((a, b) => a - b));
  const last = fills.at(-1)!;
  const data = sizes.num * (sizes.keySize + sizes.valueSize);
  const hasRocks = fills.every(({ rocks }) => rocks !== undefined);
  const hasWritten = fills.every(({ rocks }) => rocks?.written !== undefined);
  const { pressure, written, levels, restSeconds } = last.varve;
  return [
    atLeastRival(
      'fillrandom, single puts',
      RATIO,
      middle(({ varve }) => varve.opsPerSecond),
      hasRocks ? middle(({ rocks }) => rocks!.opsPerSecond) : undefined,
      (rate) => `${formatCount(rate)}/s`,
      [
        `each key once, without order; writes under pressure: ${formatCount(pressure.delayed)} delayed, ` +
          `${formatCount(pressure.blocked)} blocked, ${formatCount(pressure.waitMs)} ms in all`,
      ],
    ),
    atMost(
      'longest single put',
      LONGEST_MS_MAX,
      Math.max(...fills.map(({ varve }) => varve.putNs.max)) / 1e6,
      milliseconds,
    ),
    atMost('p99.9 of single puts', TAIL_MS_MAX, middle(({ varve }) => varve.putNs.p999) / 1e6, milliseconds, [
      `p50 ${(last.varve.putNs.p50 / 1e3).toFixed(2)} us, p99 ${(last.varve.putNs.p99 / 1e3).toFixed(1)} us`,
    ]),
    atMostRival(
      'write amplification',
      middle(({ varve }) => (varve.written.log + varve.written.flush + varve.written.compaction) / data),
      hasWritten
        ? middle(({ rocks }) => (rocks!.written!.logBytes + rocks!.written!.tableBytes) / data)
        : undefined,
      times,
      [
        `log ${times(written.log / data)}, flush ${times(written.flush / data)}, compaction ${times(written.compaction / data)}; ` +
          `at rest ${restSeconds.toFixed(1)} s after the last put`,
        `levels: ${formatLevels(levels)}`,
      ],
    ),
  ];
}

/** Those that have files, by number. */
function formatLevels(levels: Fills['varve']['levels']): string {
  return levels
    .flatMap(({ files, bytes }, level) =>
      files === 0 ? [] : [`${level}: ${formatCount(files)} files of ${formatBytes(bytes)}`],
    )
    .join(', ');
}
