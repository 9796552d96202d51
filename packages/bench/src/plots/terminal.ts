/** Lines over time in the terminal, one panel below the other. */
import { plot } from 'simple-ascii-chart';
import { type LinePanel, thinned } from './lines.ts';

const COLOURS = ['ansiYellow', 'ansiBlue', 'ansiGreen', 'ansiMagenta', 'ansiCyan', 'ansiRed'] as const;
const WIDTH = 76;
const HEIGHT = 10;

export function terminalLines(panels: readonly LinePanel[], colours: boolean): string {
  return panels.map((panel) => terminalPanel(panel, colours)).join('\n');
}

function terminalPanel({ title, unit, lines }: LinePanel, colours: boolean): string {
  const shown = lines.filter(({ points }) => points.length > 0);
  if (shown.length === 0) return `${title}: nothing was measured\n`;
  const points = shown.map((line) => thinned(line.points, WIDTH).map(([x, y]): [number, number] => [x, y]));
  const ys = points.flat().map(([, y]) => y);
  return plot(points, {
    title,
    width: WIDTH,
    height: HEIGHT,
    xLabel: unit,
    hideXAxisTicks: true,
    // From zero: the eye compares heights.
    yRange: [0, Math.max(...ys, Number.MIN_VALUE)],
    formatter: (value, { axis }) => (axis === 'y' ? Number(value.toFixed(2)) : Number(value.toPrecision(3))),
    ...(shown.length > 1 && {
      legend: { position: 'bottom' as const, series: shown.map(({ label }) => label) },
    }),
    ...(colours && { color: shown.map((_, i) => COLOURS[i % COLOURS.length]!) }),
  });
}
