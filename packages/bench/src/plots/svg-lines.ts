/**
 * Lines over time as an SVG picture that reads on light and dark pages, a panel each, as svg.ts of `compare` draws bars.
 * Axes begin at zero; the scale is the panel's own.
 */
import { COLOURS, escape, MARGIN, TEXT, text, TITLE_HEIGHT } from '../compare/plots/svg.ts';
import { type Line, type LinePanel, type Point, thinned } from './lines.ts';

const COLUMNS = 2;
const WIDTH = 430;
const HEIGHT = 150;
const AXIS_WIDTH = 46;
const AXIS_HEIGHT = 32;
const LEGEND_HEIGHT = 16;
const POINTS_MAX = 240;
const GRID = 4;
/** Characters of a legend's label take about so much each. */
const LETTER = 6.2;

export function svgLines(title: string, panels: readonly LinePanel[]): string {
  const labels = [...new Set(panels.flatMap(({ lines }) => lines.map(({ label }) => label)))];
  const columns = Math.min(COLUMNS, Math.max(1, panels.length));
  const width = MARGIN + columns * (WIDTH + MARGIN);
  const rowHeight = TITLE_HEIGHT + HEIGHT + AXIS_HEIGHT;
  const legend = legendOf(labels, width);
  const top = MARGIN + TITLE_HEIGHT + legend.height;
  const drawn = panels.map((panel, i) =>
    drawPanel(
      panel,
      MARGIN + (i % columns) * (WIDTH + MARGIN),
      top + Math.floor(i / columns) * rowHeight,
      (label) => colourOf(labels, label),
    ),
  );
  const height = top + Math.ceil(panels.length / columns) * rowHeight;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}">`,
    `<g font-family="system-ui, sans-serif" font-size="11" fill="${TEXT}">`,
    text(MARGIN, MARGIN + 8, title, 'font-size="14" font-weight="600"'),
    ...legend.lines,
    ...drawn,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

/** Only where there is more than one line to tell apart. */
function legendOf(labels: readonly string[], width: number): { lines: readonly string[]; height: number } {
  if (labels.length < 2) return { lines: [], height: 0 };
  const lines: string[] = [];
  let left = MARGIN;
  let top = MARGIN + TITLE_HEIGHT;
  for (const label of labels) {
    const length = 22 + label.length * LETTER;
    if (left > MARGIN && left + length > width) {
      left = MARGIN;
      top += LEGEND_HEIGHT;
    }
    const colour = colourOf(labels, label);
    lines.push(
      `<rect x="${left.toFixed(1)}" y="${top - 8}" width="12" height="4" fill="${colour}"/>`,
      text(left + 16, top - 3, label, ''),
    );
    left += length;
  }
  return { lines, height: top - MARGIN - TITLE_HEIGHT + LEGEND_HEIGHT };
}

function colourOf(labels: readonly string[], label: string): string {
  return COLOURS[labels.indexOf(label) % COLOURS.length]!;
}

function drawPanel(panel: LinePanel, left: number, top: number, colour: (label: string) => string): string {
  const all = panel.lines.flatMap(({ points }) => points);
  const xMost = Math.max(...all.map(([x]) => x), Number.MIN_VALUE);
  const yMost = Math.max(...all.map(([, y]) => y), Number.MIN_VALUE);
  const from = left + AXIS_WIDTH;
  const width = WIDTH - AXIS_WIDTH;
  const floor = top + TITLE_HEIGHT + HEIGHT;
  const place = ([x, y]: Point): string =>
    `${(from + (x / xMost) * width).toFixed(1)},${(floor - (y / yMost) * HEIGHT).toFixed(1)}`;
  const grid = Array.from({ length: GRID + 1 }, (_, i) => {
    const y = floor - (i / GRID) * HEIGHT;
    return [
      `<line x1="${from}" y1="${y}" x2="${from + width}" y2="${y}" stroke="${TEXT}" stroke-opacity="0.25"/>`,
      text(from - 6, y + 4, short((i / GRID) * yMost), 'text-anchor="end"'),
    ].join('\n');
  });
  const line = ({ label, points }: Line): string =>
    `<polyline fill="none" stroke="${colour(label)}" stroke-width="1.5" stroke-linejoin="round" points="${thinned(points, POINTS_MAX).map(place).join(' ')}"/>`;
  return [
    text(left, top + 12, panel.title, 'font-weight="600"'),
    ...grid,
    text(from, floor + 14, '0', 'text-anchor="middle"'),
    text(from + width, floor + 14, `${short(xMost)} ${panel.unit}`, 'text-anchor="end"'),
    ...panel.lines.filter(({ points }) => points.length > 0).map(line),
  ].join('\n');
}

/** Three digits. */
function short(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));
}
