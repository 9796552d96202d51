/** What `simulate` prints: a table with a row for each variant, and plots over the operations. Pure functions. */
import { formatBinaryBytes, formatBytes, formatCount } from '../format.ts';
import type { LinePanel } from '../plots/lines.ts';
import type { SimulateOptions, Variant } from './options.ts';
import type { Outcome, Sample } from './simulation.ts';
import type { Workload } from './workload.ts';

export interface VariantOutcome {
  readonly variant: Variant;
  /** Why there is none: the picker got stuck, or lost something. */
  readonly outcome: Outcome | string;
}

const GAP = '  ';

const columns: readonly { readonly title: string; readonly cell: (outcome: Outcome) => string }[] = [
  { title: 'written', cell: (o) => twoDigits((o.flushBytes + o.compactionBytes) / o.userBytes) },
  { title: 'space, end', cell: (o) => twoDigits(o.diskBytes / Math.max(1, o.liveBytes)) },
  { title: 'space, most', cell: (o) => twoDigits(o.spaceAmplificationMax) },
  { title: 'runs, mean', cell: (o) => o.runsMean.toFixed(1) },
  { title: 'runs, most', cell: (o) => o.runsMax.toFixed(1) },
  { title: 'level 0, most', cell: (o) => String(o.level0FilesMax) },
  { title: 'waited', cell: (o) => `${formatCount(o.stalledSeconds + o.delayedSeconds)} s` },
  { title: 'took', cell: (o) => `${formatCount(o.seconds)} s` },
  { title: 'merges', cell: (o) => formatCount(o.merges) },
  { title: 'moves, drops', cell: (o) => formatCount(o.moves + o.drops) },
];

export function formatHead({ sizes, rates }: SimulateOptions): string {
  const { entries, scale, keyBytes, valueBytes, memtableBytes } = sizes;
  const mbps = (bytes: number): string => `${formatCount(bytes / 1e6)} MB/s`;
  return [
    `entries     ${formatCount(entries)} of ${keyBytes} + ${valueBytes} bytes = ${formatBytes(entries * (keyBytes + valueBytes))}, memtables ${formatBinaryBytes(memtableBytes)}; one in ${formatCount(scale)} simulated`,
    `machine     writes ${mbps(rates.write)}, flushes ${mbps(rates.flush)}, ${rates.threads} ${rates.threads === 1 ? 'thread compacts' : 'threads compact'} ${mbps(rates.compaction)}`,
    'written     bytes of flush and compaction over bytes of the user, without the log',
    'space       bytes of tables over those of live entries; the most from the tenth part of the operations on',
    'runs        tables that a get may have to ask before filters',
    '',
  ].join('\n');
}

export function formatTable(
  workload: Workload,
  outcomes: readonly VariantOutcome[],
  markdown: boolean,
): string {
  const titles = ['picker', ...columns.map(({ title }) => title)];
  const rows = outcomes.map(({ variant, outcome }) =>
    typeof outcome === 'string'
      ? [variant.label, outcome]
      : [variant.label, ...columns.map(({ cell }) => cell(outcome))],
  );
  const head = `${workload.name}: ${workload.summary}`;
  if (markdown) {
    const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
    return [head, '', line(titles), line(titles.map(() => '---')), ...rows.map(line), ''].join('\n');
  }
  const complete = rows.filter((row) => row.length === titles.length);
  const widths = titles.map((title, i) => Math.max(title.length, ...complete.map((row) => row[i]!.length)));
  widths[0] = Math.max(titles[0]!.length, ...rows.map((row) => row[0]!.length));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) =>
        i === 0 || cells.length < titles.length ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!),
      )
      .join(GAP)
      .trimEnd();
  return [head, line(titles), ...rows.map(line), ''].join('\n');
}

const plotted: readonly { readonly title: string; readonly pick: (sample: Sample) => number }[] = [
  { title: 'write amplification', pick: (sample) => sample.writeAmplification },
  { title: 'space amplification', pick: (sample) => sample.spaceAmplification },
  { title: 'tables that a get may have to ask', pick: (sample) => sample.runs },
  { title: 'files in level 0', pick: (sample) => sample.level0Files },
];

/** Over seconds, so that what happens while nothing is written shows too. */
export function panelsOf(outcomes: readonly VariantOutcome[]): readonly LinePanel[] {
  return plotted.map(({ title, pick }) => ({
    title,
    unit: 's',
    lines: outcomes.flatMap(({ variant, outcome }) =>
      typeof outcome === 'string'
        ? []
        : [
            {
              label: variant.label,
              points: outcome.samples.map((sample) => [sample.seconds, pick(sample)] as const),
            },
          ],
    ),
  }));
}

function twoDigits(value: number): string {
  return value.toFixed(2);
}
