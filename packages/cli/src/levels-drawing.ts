/**
 * The drawing of `varve levels`, as lines: the tree of each keyspace with a bar a level, what runs with how far it is, and the
 * last decisions. A pure function of the report; control characters in names are escaped.
 */
import type { DecisionReport, KeyspaceLevels, LevelReport, RunningReport } from 'varve';
import { escapeControls } from './format.ts';
import type { Seen } from './levels-source.ts';
import { percent, showAge, whatOf, whyOf } from './levels-words.ts';
import { alignColumns, plural, showSize } from './output.ts';

const BAR_CELLS = 24;
/** Blocks of one to eight eighths. */
const EIGHTHS = ['', '\u258f', '\u258e', '\u258d', '\u258c', '\u258b', '\u258a', '\u2589', '\u2588'];
const NOTHING = '\u2591';
const DECISIONS_SHOWN = 8;

/** @param names keyspaces to show, in this order */
export function levelsLines({ report, path, pid }: Seen, names: readonly string[]): string[] {
  const source = pid === undefined ? 'read from its files' : `told by process ${pid}, which has it open`;
  const lines = [`${escapeControls(path)}: ${source}`];
  if (names.length === 0) lines.push('no keyspaces yet');
  for (const name of names) lines.push('', ...keyspaceLines(name, report.keyspaces[name]!));
  const isShown = ({ keyspace }: DecisionReport): boolean => names.includes(keyspace);
  const running = report.running.filter(isShown);
  if (report.isPaused) lines.push('', 'compaction is paused');
  if (report.bytesPerSecond !== null) {
    lines.push('', `compactions go through at most ${showSize(Math.round(report.bytesPerSecond))} a second`);
  }
  if (running.length > 0)
    lines.push('', 'running', ...running.flatMap((each) => runLines(each, report.time)));
  // What runs was decided as well, and is shown above.
  const begun = new Set(running.map(({ time, keyspace, bytes }) => `${time} ${bytes} ${keyspace}`));
  const decisions = report.decisions
    .filter((each) => isShown(each) && !begun.has(`${each.time} ${each.bytes} ${each.keyspace}`))
    .slice(0, DECISIONS_SHOWN);
  if (decisions.length > 0) lines.push('', 'before', ...decisionLines(decisions, report.time));
  return lines;
}

/** The drawing of one keyspace: memory on top, the deepest level at the bottom. */
export function keyspaceLines(
  name: string,
  { strategy, memtableBytes, levels, blobs }: KeyspaceLevels,
): string[] {
  const shown = levels.slice(0, levels.findLastIndex((level) => level.files > 0) + 1);
  const largest = Math.max(memtableBytes, blobs.bytes, ...shown.map((level) => level.bytes));
  const rows = [
    ['memory', bar(memtableBytes / largest), '', showSize(memtableBytes)],
    ...shown.flatMap((level, i) => {
      if (level.files === 0) return shown[i - 1]?.files === 0 ? [] : [[emptyRow(shown, i), '', '0 files']];
      return [
        [
          `L${i}`,
          bar(level.bytes / largest),
          plural(level.files, 'file'),
          showSize(level.bytes),
          plural(level.runs, 'run'),
          liveOf(level),
          deletesOf(level),
          busyOf(level),
        ],
      ];
    }),
    ...(blobs.files === 0 ? [] : [blobsRow(blobs, largest)]),
  ];
  const sum = (of: (level: LevelReport) => number): number =>
    levels.reduce((total, level) => total + of(level), 0);
  const entries = plural(
    sum((level) => level.entries),
    'entry',
    'entries',
  );
  const runs = sum((level) => level.runs);
  const asks = runs === 0 ? '' : `; a get asks at most ${plural(runs, 'run')}`;
  const size = showSize(sum((level) => level.bytes));
  const title = `${escapeControls(name)}: ${escapeControls(strategy)}, ${entries}, ${size} in tables${asks}`;
  return [title, ...alignColumns(rows, [2, 3, 4]).map((line) => `  ${line}`)];
}

/** 'L1-L5': empty levels from `first` on are one row. */
function emptyRow(levels: readonly LevelReport[], first: number): string {
  const next = levels.findIndex((level, i) => i > first && level.files > 0);
  return next === first + 1 ? `L${first}` : `L${first}-L${next - 1}`;
}

function blobsRow({ files, bytes, liveBytes }: KeyspaceLevels['blobs'], largest: number): string[] {
  const live = `live ${percent(liveBytes / Math.max(1, bytes))}`;
  return ['blobs', bar(bytes / largest), plural(files, 'file'), showSize(bytes), '', live];
}

/** Estimated live share of those tables that somebody has looked at. */
function liveOf({ tables }: LevelReport): string {
  let known = 0;
  let bytes = 0;
  let live = 0;
  let error = 0;
  for (const table of tables) {
    if (table.live === undefined) continue;
    known++;
    bytes += table.bytes;
    live += table.live * table.bytes;
    error += (table.liveError ?? 0) * table.bytes;
  }
  if (known === 0 || bytes === 0) return '';
  const within = error > 0 ? ` \u00b1 ${Math.ceil((error / bytes) * 100)}` : '';
  const of = known < tables.length ? ` (of ${known} known)` : '';
  return `live ${percent(live / bytes)}${within}${of}`;
}

function deletesOf({ tables, entries }: LevelReport): string {
  const points = tables.reduce((sum, { tombstones }) => sum + tombstones, 0);
  const ranges = tables.reduce((sum, { rangeTombstones }) => sum + rangeTombstones, 0);
  return [
    ...(points > 0 ? [`deletes ${percent(points / Math.max(1, entries))}`] : []),
    ...(ranges > 0 ? [plural(ranges, 'range delete')] : []),
  ].join(', ');
}

function busyOf({ tables }: LevelReport): string {
  const busy = tables.filter(({ isBusy }) => isBusy).length;
  return busy === 0 ? '' : `${busy} busy`;
}

function runLines(run: RunningReport, now: number): string[] {
  // Inputs are counted as stored, what was gone through as keys and values: near the end the two need not agree.
  const done = run.bytes === 0 ? 0 : Math.min(1, run.doneBytes / run.bytes);
  const since = showAge(now - run.time);
  return [
    `  ${escapeControls(run.keyspace)}: ${whatOf(run)}: ${escapeControls(whyOf(run))}`,
    `    ${bar(done).replaceAll(' ', NOTHING)} ${percent(done)}  ${showSize(run.doneBytes)} in ${since}, ${plural(run.jobs, 'thread')}`,
  ];
}

function decisionLines(decisions: readonly DecisionReport[], now: number): string[] {
  const rows = decisions.map((each) => [
    `${showAge(now - each.time)} ago`,
    `${escapeControls(each.keyspace)}: ${whatOf(each)}: ${escapeControls(whyOf(each))}`,
  ]);
  return alignColumns(rows, [0]).map((line) => `  ${line}`);
}

/** At least a sliver for what is not empty. */
function bar(share: number): string {
  if (!(share > 0)) return ' '.repeat(BAR_CELLS);
  const eighths = Math.max(1, Math.round(share * BAR_CELLS * 8));
  const full = Math.floor(eighths / 8);
  return (EIGHTHS[8]!.repeat(full) + EIGHTHS[eighths % 8]!).padEnd(BAR_CELLS);
}
