/**
 * The same bars as an SVG picture that reads on light and dark pages: no background, text in the middle of the scale, the
 * colours of the engines strong enough for both. One panel per workload, each with its own scale, since a scan is a
 * thousand times a synced put.
 */
import { formatRate } from '../../format.ts';
import type { BarGroup } from './bars.ts';

const PANEL_WIDTH = 300;
const COLUMNS = 3;
const BAR_HEIGHT = 13;
const BAR_GAP = 4;
const LABEL_WIDTH = 82;
const RATE_WIDTH = 92;
export const TITLE_HEIGHT = 24;
export const MARGIN = 16;
export const TEXT = '#808890';
const HIGHLIGHT = '#d9730d';
export const COLOURS = ['#d9730d', '#4c86c6', '#7b9e48', '#9a6fb8', '#b0668a', '#5f9ea0'] as const;

/** `highlighted` is the label of the bars in the first colour; the other labels take theirs in order. */
export function svgBars(title: string, groups: readonly BarGroup[], highlighted: string): string {
  const labels = [...new Set(groups.flatMap(({ bars }) => bars.map(({ label }) => label)))];
  const others = labels.filter((label) => label !== highlighted);
  const colourOf = (label: string): string =>
    label === highlighted ? HIGHLIGHT : COLOURS[1 + (others.indexOf(label) % (COLOURS.length - 1))]!;
  const rows: BarGroup[][] = [];
  for (let i = 0; i < groups.length; i += COLUMNS) rows.push(groups.slice(i, i + COLUMNS));

  let top = MARGIN + TITLE_HEIGHT;
  const panels: string[] = [];
  for (const panelRow of rows) {
    panelRow.forEach((group, column) => {
      panels.push(panel(group, MARGIN + column * (PANEL_WIDTH + MARGIN), top, colourOf));
    });
    top += Math.max(...panelRow.map(panelHeight)) + MARGIN;
  }
  const width = MARGIN + COLUMNS * (PANEL_WIDTH + MARGIN);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${top}" viewBox="0 0 ${width} ${top}" role="img" aria-label="${escape(title)}">`,
    `<g font-family="system-ui, sans-serif" font-size="11" fill="${TEXT}">`,
    text(MARGIN, MARGIN + 8, title, 'font-size="14" font-weight="600"'),
    ...panels,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

function panel(group: BarGroup, left: number, top: number, colourOf: (label: string) => string): string {
  const most = Math.max(...group.bars.map(({ value }) => value));
  const longest = PANEL_WIDTH - LABEL_WIDTH - RATE_WIDTH;
  const lines = group.bars.flatMap(({ label, value }, index) => {
    const y = top + TITLE_HEIGHT + index * (BAR_HEIGHT + BAR_GAP);
    const length = Math.max(1, (value / most) * longest);
    const base = y + BAR_HEIGHT - 3;
    return [
      text(left + LABEL_WIDTH - 6, base, label, 'text-anchor="end"'),
      `<rect x="${left + LABEL_WIDTH}" y="${y}" width="${length.toFixed(1)}" height="${BAR_HEIGHT}" rx="2" fill="${colourOf(label)}"/>`,
      text(left + LABEL_WIDTH + length + 6, base, formatRate(value), ''),
    ];
  });
  return [text(left, top + 12, group.title, 'font-weight="600"'), ...lines].join('\n');
}

function panelHeight({ bars }: BarGroup): number {
  return TITLE_HEIGHT + bars.length * (BAR_HEIGHT + BAR_GAP);
}

export function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x.toFixed(1)}" y="${y}"${attributes === '' ? '' : ` ${attributes}`}>${escape(content)}</text>`;
}

export function escape(content: string): string {
  return content
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
