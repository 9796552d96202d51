import { expect, test } from 'vitest';
import { terminalBars } from './bars.ts';
import { svgBars } from './svg.ts';

const groups = [
  {
    title: 'fillrandom',
    bars: [
      { label: 'varve', value: 400_000 },
      { label: 'a<b', value: 100_000 },
      { label: 'c', value: 1 },
    ],
  },
];

test('bars are as long as their share of the longest, and never nothing', () => {
  expect(terminalBars(groups, 8)).toBe(
    ['fillrandom', '  varve ████████ 400 thousand/s', '  a<b   ██ 100 thousand/s', '  c     ▏ 1/s'].join(
      '\n',
    ),
  );
});

test('the picture has a bar per value in its proportion, and escapes its text', () => {
  const svg = svgBars('Writes & more', groups, 'varve');
  const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
  expect(widths).toHaveLength(3);
  expect(widths[1]! / widths[0]!).toBeCloseTo(0.25, 1);
  expect(svg).toContain('aria-label="Writes &amp; more"');
  expect(svg).toContain('>a&lt;b</text>');
  expect(svg).not.toMatch(/background|fill="(?:white|black|#fff|#000)"/);
});
