/**
 * The report at the end of the demo: rates, latencies, files per level as bars, bytes on disk against bytes of data.
 * Pure functions from figures to lines of text.
 */
import { formatBytes, formatCount, formatNanoseconds } from '../format.ts';
import type { Measure } from './measure.ts';

const NAME_WIDTH = 16;
const CELL_WIDTH = 14;
const BAR_WIDTH = 36;

/** A table of rates and of how long single operations took. */
export function formatMeasures(measures: readonly Measure[]): string[] {
  const titles = ['per second', 'half within', '99 % within', '99.9 % within'];
  const head = ''.padEnd(NAME_WIDTH) + titles.map((title) => title.padStart(CELL_WIDTH)).join('');
  const rows = measures.map((measure) => {
    const { latencies } = measure;
    const percentile = (fraction: number): string =>
      latencies.count === 0 ? '' : formatNanoseconds(latencies.percentile(fraction));
    const cells = [formatCount(measure.perSecond), percentile(0.5), percentile(0.99), percentile(0.999)];
    return `${measure.name.padEnd(NAME_WIDTH)}${cells.map((cell) => cell.padStart(CELL_WIDTH)).join('')}`.trimEnd();
  });
  return [head, ...rows];
}

export interface LevelSize {
  files: number;
  bytes: number;
}

/** A bar for each level that has files, newest data at the top. */
export function drawLevels(levels: readonly LevelSize[]): string[] {
  const largest = Math.max(1, ...levels.map(({ bytes }) => bytes));
  return levels.flatMap(({ files, bytes }, level) => {
    if (files === 0) return [];
    const bar = drawBar(bytes / largest, BAR_WIDTH).padEnd(BAR_WIDTH);
    const count = `${files} ${files === 1 ? 'file' : 'files'}`;
    return [`level ${level}  ${bar}  ${count.padStart(8)}  ${formatBytes(bytes).padStart(8)}`];
  });
}

/** A bar of `fraction` of `width` characters, in eighths of a character; at least one eighth for anything above 0. */
export function drawBar(fraction: number, width: number): string {
  const eighths = fraction > 0 ? Math.max(1, Math.round(fraction * width * 8)) : 0;
  const rest = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8]!;
  return '█'.repeat(Math.floor(eighths / 8)) + rest;
}

/** Where the bytes on disk are, against the bytes of keys and values that can be read back. */
export function formatSpace(dataBytes: number, tableBytes: number, logBytes: number): string[] {
  return [
    `keys and values      ${formatBytes(dataBytes).padStart(8)}`,
    `tables on disk       ${formatBytes(tableBytes).padStart(8)}  ${(tableBytes / dataBytes).toFixed(2)} bytes per byte of data`,
    `log, kept for reuse  ${formatBytes(logBytes).padStart(8)}`,
  ];
}
