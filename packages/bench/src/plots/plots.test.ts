import { expect, test } from 'vitest';
import { type LinePanel, thinned } from './lines.ts';
import { svgLines } from './svg-lines.ts';
import { terminalLines } from './terminal.ts';

const panel: LinePanel = {
  title: 'space < time',
  unit: 's',
  lines: [
    {
      label: 'one',
      points: [
        [0, 0],
        [5, 2],
        [10, 4],
      ],
    },
    {
      label: 'two',
      points: [
        [0, 1],
        [10, 1],
      ],
    },
  ],
};

test('a line with too many points keeps its peaks', () => {
  const points = Array.from({ length: 1000 }, (_, x) => [x, x === 501 ? 9 : 1] as const);
  const few = thinned(points, 10);
  expect(few.length).toBeLessThanOrEqual(11);
  expect(few).toContainEqual([501, 9]);
  expect(thinned(panel.lines[0]!.points, 10)).toBe(panel.lines[0]!.points);
});

test('the terminal shows title, axis and legend', () => {
  const text = terminalLines([panel], false);
  for (const part of ['space < time', '4┤', 'one', 'two']) expect(text).toContain(part);
  expect(terminalLines([{ ...panel, lines: [] }], false)).toContain('nothing was measured');
});

test('the picture has a line each, scaled from zero, and escapes its texts', () => {
  const svg = svgLines('a & b', [panel]);
  expect(svg).toContain('a &amp; b');
  expect(svg).toContain('space &lt; time');
  expect(svg.match(/<polyline/g)).toHaveLength(2);
  expect(svg).toContain('10 s');
  expect(svg).not.toContain('NaN');
  expect(svgLines('none', [{ ...panel, lines: [] }])).not.toContain('Infinity');
});
