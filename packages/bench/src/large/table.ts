/** The figures of `large` as text. Pure functions; large.ts prints. */
import { formatBinaryBytes, formatBytes, formatCount } from '../format.ts';
import type { Machine } from '../report.ts';
import type { Figure } from './figures.ts';
import { type LargeOptions, NUM_ASKED } from './options.ts';

const GAP = '  ';
const NOTE_INDENT = '    ';

export function formatHead(machine: Machine, { sizes, parts }: LargeOptions): string {
  const { num, keySize, valueSize, cacheBytes, memtableBytes, readMode } = sizes;
  return [
    `Varve at large: Node ${machine.node}, ${machine.system}, ${machine.cores} cores (${machine.processor})`,
    `entries     ${formatCount(num)} of ${keySize} + ${valueSize} bytes = ${formatBytes(num * (keySize + valueSize))}; values compress to half`,
    `settings    cache ${formatBinaryBytes(cacheBytes)}, memtables ${formatBinaryBytes(memtableBytes)}, two at most, no compression, reads ${readMode}; parts ${parts.join(', ')}`,
    '',
  ].join('\n');
}

/** A line per figure, its notes below it. */
export function formatFigures(figures: readonly Figure[]): string {
  const rows = [
    ['figure', 'asked', 'measured', 'verdict'],
    ...figures.map(({ name, asked, measured, verdict }) => [name, asked, measured, verdict]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(GAP)
      .trimEnd(),
  );
  const notes = figures.map((figure) => figure.notes.map((note) => `${NOTE_INDENT}${note}`));
  return lines.flatMap((line, index) => [line, ...(notes[index - 1] ?? [])]).join('\n');
}

/** What was met, and how far that may be trusted. */
export function formatSummary(figures: readonly Figure[], { sizes }: LargeOptions): string {
  const missed = figures.filter(({ verdict }) => verdict === 'MISSED').map(({ name }) => name);
  const open = figures.filter(
    ({ verdict, limit, asked }) => verdict === '-' && (limit !== undefined || asked !== '-'),
  );
  const judged = figures.filter(({ verdict }) => verdict !== '-').length;
  const lines = [
    `${judged - missed.length} of ${judged} met${missed.length === 0 ? '' : `; missed: ${missed.join('; ')}`}`,
  ];
  if (open.length > 0)
    lines.push(`without db_bench there is no verdict on: ${open.map(({ name }) => name).join('; ')}`);
  if (sizes.num < NUM_ASKED) {
    lines.push(
      `asked is for ${formatCount(NUM_ASKED)} entries: with ${formatCount(sizes.num)} the verdicts are only a hint`,
    );
  }
  return lines.join('\n');
}
