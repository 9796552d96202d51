import { expect, test } from 'vitest';
import { Measure, timed } from './measure.ts';
import { startProgress } from './progress.ts';
import { drawBar, drawLevels, formatMeasures, formatSpace } from './report.ts';
import { auditTickets, BATCH_TICKETS } from './tickets.ts';

test('levels are drawn as bars, the largest full, the empty ones left out', () => {
  const levels = [
    { files: 1, bytes: 2e6 },
    { files: 0, bytes: 0 },
    { files: 9, bytes: 8e6 },
    { files: 0, bytes: 0 },
  ];
  expect(drawLevels(levels)).toEqual([
    'level 0  █████████                               1 file    2.0 MB',
    'level 2  ████████████████████████████████████   9 files    8.0 MB',
  ]);
  expect(drawLevels([])).toEqual([]);
});

test('a bar shows eighths of a character, and a trace of anything above nothing', () => {
  expect([0, 0.001, 0.25, 0.5, 1].map((fraction) => drawBar(fraction, 2))).toEqual(['', '▏', '▌', '█', '██']);
});

test('measures become a table; a scan has no single operations to tell of', () => {
  const put = new Measure('put');
  for (let i = 0; i < 10; i++) timed(put, () => i);
  put.seconds = 0.5;
  const scan = new Measure('scan forwards');
  scan.operations = 3_000;
  scan.seconds = 0.001;
  const [head, first, second] = formatMeasures([put, scan]);
  expect(head).toMatch(/per second +half within +99 % within +99.9 % within$/);
  expect(first).toMatch(/^put +20( +\d[\d.]* [nµm]s){3}$/);
  expect(second).toBe('scan forwards        3,000,000');
});

test('space is told per byte of data', () => {
  expect(formatSpace(20e6, 25e6, 3e6)[1]).toBe('tables on disk        25.0 MB  1.25 bytes per byte of data');
});

test('progress outside of a terminal is a line for every fifth', () => {
  const output: string[] = [];
  const progress = startProgress(1_000, 'flights', { write: (text: string) => output.push(text) });
  for (let done = 50; done <= 1_000; done += 50) progress.update(done);
  progress.stop();
  expect(output).toEqual([
    '  20 %  200 flights\n',
    '  40 %  400 flights\n',
    '  60 %  600 flights\n',
    '  80 %  800 flights\n',
    '  100 %  1,000 flights\n',
  ]);
});

test('an audit of tickets finds whole batches, half ones and gaps', () => {
  const keys: [number, number][] = [];
  for (const batch of [1, 2, 4]) for (let seat = 1; seat <= BATCH_TICKETS; seat++) keys.push([batch, seat]);
  keys.pop();
  expect(auditTickets(keys)).toEqual({ whole: 2, partial: 1, missing: 1 });
  expect(auditTickets([])).toEqual({ whole: 0, partial: 0, missing: 0 });
});
