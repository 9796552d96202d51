import { expect, test } from 'vitest';
import { MemoryFs } from '../fs/memory-fs.ts';
import { RECORD_BATCH, RECORD_SEGMENT_START } from '../record/log-record.ts';
import { appendSome, bodyOf, LogBench } from './log.suite.ts';
import { RecordWindow } from './record-window.ts';

function bench(count: number, length: number): LogBench {
  const made = new LogBench(new MemoryFs());
  const log = made.open();
  appendSome(log, count, length);
  log.syncNow();
  return made;
}

/** Sequences of the batches from where the window stands to the end of segment 1. */
function walk(made: LogBench, window: RecordWindow, end = made.read(1).length): number[] {
  const sequences: number[] = [];
  while (window.load(made.fs, end)) {
    const from = window.nextOffset;
    while (window.next()) {
      const { kind, sequence } = window.header;
      if (kind === RECORD_BATCH) {
        sequences.push(sequence);
        const body = window.bytes.slice(window.bodyStart, window.bodyEnd);
        expect(body).toEqual(bodyOf(sequence, body.length));
      } else expect(kind).toBe(RECORD_SEGMENT_START);
    }
    if (window.nextOffset === from) break;
  }
  return sequences;
}

const segment = (
  made: LogBench,
): { number: number; path: string; firstSequence: number; lastSequence: number; bytes: number } => ({
  number: 1,
  path: made.path(1),
  firstSequence: 1,
  lastSequence: 0,
  bytes: 0,
});

test('walks a segment that is longer than a window, records that are longer too', () => {
  for (const [count, length] of [
    [3000, 300],
    [2, 400_000],
    [1, 40],
  ] as const) {
    const made = bench(count, length);
    const window = new RecordWindow();
    window.begin(segment(made));
    expect(walk(made, window)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
  }
});

test('goes on behind the last record when more was written', () => {
  const made = new LogBench(new MemoryFs());
  const log = made.open();
  const window = new RecordWindow();
  appendSome(log, 5);
  log.handOver();
  window.begin(segment(made));
  expect(walk(made, window)).toEqual([1, 2, 3, 4, 5]);
  appendSome(log, 2);
  log.handOver();
  expect(walk(made, window)).toEqual([6, 7]);
  expect(window.load(made.fs, made.read(1).length)).toBe(false);
});

test('another window goes on where one stands, and a record can be looked at again', () => {
  const made = bench(10, 40);
  const window = new RecordWindow();
  window.begin(segment(made));
  window.load(made.fs, made.read(1).length);
  for (let i = 0; i < 5; i++) window.next();
  const other = new RecordWindow();
  other.beginAt(window);
  expect(walk(made, other)).toEqual([5, 6, 7, 8, 9, 10]);
  expect(window.header.sequence).toBe(4);
  window.back();
  window.next();
  expect(window.header.sequence).toBe(4);
});

test('stops at a record that is damaged, cut, or of another life of the file', () => {
  const made = bench(10, 40);
  const whole = made.read(1);
  const [length] = [44 + 40];
  const fifth = 64 + 4 * length;
  const cases: ((bytes: Uint8Array) => Uint8Array)[] = [
    (bytes) => {
      bytes[fifth + 50]! ^= 1;
      return bytes;
    },
    (bytes) => bytes.slice(0, fifth + 60),
    // Another segment number: its checksum is wrong as well, but so it would be refused with a right one.
    (bytes) => {
      bytes[fifth + 16]! ^= 1;
      return bytes;
    },
  ];
  for (const damage of cases) {
    made.write(1, damage(whole.slice()));
    const window = new RecordWindow();
    window.begin(segment(made));
    expect(walk(made, window)).toEqual([1, 2, 3, 4]);
    expect(window.nextOffset).toBe(fifth);
  }
});
