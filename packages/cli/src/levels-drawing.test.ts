/** The drawing of `varve levels`, from fixed data. */
import type {
  DecisionMeasure,
  DecisionReport,
  LevelReport,
  LevelsReport,
  RunningReport,
  TableReport,
} from 'varve';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { Frames } from './frames.ts';
import { keyspaceLines, levelsLines } from './levels-drawing.ts';
import { showAge, whatOf, whyOf } from './levels-words.ts';
import { Output } from './output.ts';

const MIB = 1024 * 1024;
const now = 1_800_000_000_000;

function table(bytes: number, more: Partial<TableReport> = {}): TableReport {
  return { number: 1, bytes, entries: 1000, tombstones: 0, rangeTombstones: 0, isBusy: false, ...more };
}

function level(runs: number, ...tables: TableReport[]): LevelReport {
  return {
    files: tables.length,
    bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
    entries: tables.reduce((sum, { entries }) => sum + entries, 0),
    runs,
    tables,
  };
}

/** With `measure` undefined it has none. */
function decision(
  more: Omit<Partial<DecisionReport>, 'measure'> & { measure?: DecisionMeasure | undefined } = {},
): DecisionReport {
  const { measure, ...rest } = { ...usual, ...more };
  return { ...rest, ...(measure !== undefined && { measure }) };
}

const usual = {
  time: now - 3000,
  keyspace: 'users',
  kind: 'merge',
  reason: 'level0-files',
  score: 1.5,
  measure: { had: 6, limit: 4, unit: 'files' as const },
  fromLevel: 0,
  toLevel: 6,
  files: 6,
  bytes: 48 * MIB,
} as const;

const running: RunningReport = { ...decision(), doneBytes: 20 * MIB, jobs: 2 };

const noBlobs = { files: 0, bytes: 0, liveBytes: 0 };

const report: LevelsReport = {
  time: now,
  keyspaces: {
    users: {
      strategy: 'leveled',
      memtableBytes: 5 * MIB,
      levels: [
        level(2, table(4 * MIB), table(4 * MIB, { isBusy: true }), table(2 * MIB, { isBusy: true })),
        level(0),
        level(0),
        level(
          1,
          table(32 * MIB, { live: 0.5, liveError: 0.1, tombstones: 250, isBusy: true }),
          table(32 * MIB, { live: 1, liveError: 0, rangeTombstones: 2 }),
          table(16 * MIB),
        ),
        level(0),
      ],
      blobs: noBlobs,
    },
    'new\u001b': { strategy: 'tiered', memtableBytes: 0, levels: [level(0), level(0)], blobs: noBlobs },
  },
  running: [running],
  decisions: [
    running,
    decision({
      time: now - 200_000,
      kind: 'drop',
      reason: 'covered',
      score: 1,
      measure: undefined,
      fromLevel: 2,
      toLevel: 2,
      files: 1,
    }),
    decision({ time: now - 90_000_000, keyspace: 'gone' }),
  ],
  isPaused: false,
  bytesPerSecond: 48 * MIB,
};

test('the tree, what runs and what was decided', () => {
  expect(levelsLines({ report, path: '/data', pid: 4711 }, ['new\u001b', 'users'])).toEqual([
    '/data: told by process 4711, which has it open',
    '',
    'new\\x1b: tiered, 0 entries, 0 B in tables',
    `  memory  ${' '.repeat(24)}    0 B`,
    '',
    'users: leveled, 6,000 entries, 90.0 MiB in tables; a get asks at most 3 runs',
    '  memory  █▌                                  5.0 MiB',
    '  L0      ███                       3 files  10.0 MiB  2 runs                                                            2 busy',
    '  L1-L2                             0 files',
    '  L3      ████████████████████████  3 files  80.0 MiB   1 run  live 75 % ± 5 (of 2 known)  deletes 8 %, 2 range deletes  1 busy',
    '',
    'compactions go through at most 48.0 MiB a second',
    '',
    'running',
    '  users: merge L0 to L6, 6 files of 48.0 MiB: level 0 had 6 files of 4',
    '    ██████████░░░░░░░░░░░░░░ 41 %  20.0 MiB in 3 s, 2 threads',
    '',
    'before',
    '  3 min ago  users: drop from L2, 1 file of 48.0 MiB: a range delete covers all of it',
  ]);
});

test('of one keyspace only what is about it is shown, and files know nothing of what runs', () => {
  const files = { ...report, running: [], decisions: [], bytesPerSecond: null };
  expect(levelsLines({ report: files, path: '/data', pid: undefined }, ['new\u001b'])).toEqual([
    '/data: read from its files',
    '',
    'new\\x1b: tiered, 0 entries, 0 B in tables',
    `  memory  ${' '.repeat(24)}    0 B`,
  ]);
  const empty = { ...files, keyspaces: {}, isPaused: true };
  expect(levelsLines({ report: empty, path: '/data', pid: undefined }, [])).toEqual([
    '/data: read from its files',
    'no keyspaces yet',
    '',
    'compaction is paused',
  ]);
});

test('bars are in proportion, with at least a sliver for what is not empty', () => {
  const lines = keyspaceLines('k', {
    strategy: 'leveled',
    memtableBytes: 1,
    levels: [level(1, table(64 * MIB))],
    blobs: noBlobs,
  });
  expect(lines[1]).toMatch(/^ {2}memory {2}▏ +1 B$/);
  expect(lines[2]).toMatch(/^ {2}L0 {6}█{24} {2}1 file {2}64\.0 MiB {2}1 run$/);
});

test('blob files are a row of their own, with what is live of them', () => {
  const lines = keyspaceLines('k', {
    strategy: 'leveled',
    memtableBytes: 0,
    levels: [level(1, table(64 * MIB))],
    blobs: { files: 3, bytes: 128 * MIB, liveBytes: 64 * MIB },
  });
  expect(lines.slice(2)).toEqual([
    '  L0      ████████████               1 file   64.0 MiB  1 run',
    '  blobs   ████████████████████████  3 files  128.0 MiB         live 50 %',
  ]);
});

test.each<[Parameters<typeof decision>[0], string]>([
  [
    { reason: 'level-size', fromLevel: 5, measure: { had: 700 * MIB, limit: 640 * MIB, unit: 'bytes' } },
    'level 5 held 700.0 MiB of 640.0 MiB',
  ],
  [{ reason: 'run-size', measure: { had: 5, limit: 4, unit: 'runs' } }, 'there were 5 runs of 4'],
  [
    { reason: 'space', measure: { had: 2 * MIB, limit: MIB, unit: 'bytes' } },
    'newer runs held 2.0 MiB of 1.0 MiB allowed above the oldest',
  ],
  [
    { reason: 'bytes', measure: { had: 2 * MIB, limit: MIB, unit: 'bytes' } },
    'all tables held 2.0 MiB of 1.0 MiB',
  ],
  [{ reason: 'live-ratio', score: 0.65, measure: undefined }, 'a table was 35 % live'],
  [{ reason: 'tombstones', measure: undefined }, 'many deletes'],
  [{ reason: 'manual', score: 0, measure: undefined }, 'asked for'],
  [
    { reason: 'of-a-later-release', score: 1.5, measure: undefined },
    'of-a-later-release, 1.50 times its limit',
  ],
])('why: %j', (more, words) => {
  expect(whyOf(decision(more))).toBe(words);
});

test('what is done and how long ago', () => {
  expect(whatOf(decision({ kind: 'move', files: 1 }))).toBe('move L0 to L6, 1 file of 48.0 MiB');
  expect(whatOf(decision({ toLevel: 0 }))).toBe('merge in L0, 6 files of 48.0 MiB');
  expect([-5, 119_999, 120_000, 7_200_000, 172_800_000].map(showAge)).toEqual([
    '0 s',
    '119 s',
    '2 min',
    '2 h',
    '2 d',
  ]);
});

test('frames follow each other with an empty line between, on a terminal in place and cut to its size', async () => {
  const plain = new PassThrough();
  const frames = new Frames(new Output(plain));
  await frames.draw(['one', 'two']);
  await frames.draw(['three']);
  expect(String(plain.read())).toBe('one\ntwo\n\nthree\n');
  const screen = Object.assign(new PassThrough(), { isTTY: true, rows: 3, columns: 4 });
  const drawn = new Frames(new Output(screen));
  await drawn.draw(['█████', 'two', 'three']);
  await drawn.draw(['x']);
  expect(String(screen.read())).toBe(
    '\u001b[2J\u001b[H████\u001b[K\ntwo\u001b[K\u001b[J\n\u001b[Hx\u001b[K\u001b[J\n',
  );
});
