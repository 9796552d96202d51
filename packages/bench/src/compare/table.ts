/**
 * The comparison as text: operations a second of each engine, ratios of Varve over each, the targets, and the notes that
 * say what the figures stand for. Pure functions; compare.ts prints.
 */
import { formatBinaryBytes, formatCount } from '../format.ts';
import { READS_PER_WRITE } from '../steps.ts';
import { copyingForm, cursorForm, workloadNames } from './groups.ts';
import { type Engine, engines, modes, type Sizes, type State } from './job.ts';
import { stateOf, type Verdict } from './judge.ts';
import { bestOf, type Figure } from './results.ts';

const NAME_WIDTH = 21;
const CELL_WIDTH = 15;
/** A calibration below this share of the best means that something else was running. */
const QUIET_SHARE_MIN = 0.8;

/** The engines that have figures, in the order of the columns. */
export function enginesIn(figures: readonly Figure[]): Engine[] {
  return engines.filter((engine) => figures.some((figure) => figure.engine === engine));
}

/** The workloads that have figures, in the order of the groups. */
export function workloadsIn(figures: readonly Figure[]): string[] {
  return workloadNames.filter((name) => figures.some(({ workload }) => workload === name));
}

/**
 * What stands for an engine in a row: of Varve and db_bench the first mode, of a peer the best. Objects are the only form of
 * a peer, so its plain scan stands for both; Varve has no get that lends, so its plain get stands beside such.
 */
export function shownFigure(
  figures: readonly Figure[],
  engine: Engine,
  workload: string,
  state: State,
): Figure | undefined {
  if (engine === 'varve' || engine === 'db_bench') {
    const name = engine === 'varve' ? copyingForm(workload) : workload;
    return bestOf(figures, { engine, workload: name, state, mode: modes[engine][0] });
  }
  return (
    bestOf(figures, { engine, workload, state }) ??
    bestOf(figures, { engine, workload: cursorForm(workload), state })
  );
}

function row(name: string, cells: readonly string[]): string {
  return `${name.padEnd(NAME_WIDTH)}${cells.map((cell) => cell.padStart(CELL_WIDTH)).join('')}`.trimEnd();
}

export function formatRates(figures: readonly Figure[]): string {
  const columns = enginesIn(figures);
  const lines = [row('ops/s', columns)];
  for (const workload of workloadsIn(figures)) {
    const state = stateOf(figures, workload);
    lines.push(
      row(
        workload,
        columns.map((engine) => rate(shownFigure(figures, engine, workload, state))),
      ),
    );
  }
  return lines.join('\n');
}

/** Reads before the compaction; empty when there are none. */
export function formatLoaded(figures: readonly Figure[]): string {
  const loaded = figures.filter(({ state }) => state === 'loaded');
  if (loaded.length === 0) return '';
  const columns = enginesIn(figures);
  const lines = [row('ops/s as loaded', columns)];
  for (const workload of workloadsIn(loaded)) {
    lines.push(
      row(
        workload,
        columns.map((engine) => rate(shownFigure(loaded, engine, workload, 'loaded'))),
      ),
    );
  }
  return lines.join('\n');
}

/** Every mode of every engine, for the workloads that ran in several; empty when none did. */
export function formatModes(figures: readonly Figure[]): string {
  const several = figures.filter(({ engine, mode }) => mode !== modes[engine][0]);
  if (several.length === 0) return '';
  const names = workloadsIn(several);
  const lines = [row('ops/s by writing', names)];
  for (const engine of enginesIn(figures)) {
    for (const mode of modes[engine]) {
      const cells = names.map((workload) =>
        rate(bestOf(figures, { engine, workload, state: 'written', mode })),
      );
      lines.push(row(`${engine} ${mode === 'manual_wal_flush' ? 'manual' : mode}`, cells));
    }
  }
  return lines.join('\n');
}

export function formatRatios(figures: readonly Figure[]): string {
  const rivals = enginesIn(figures).filter((engine) => engine !== 'varve');
  if (rivals.length === 0) return '';
  const lines = [row('Varve is ... times', rivals)];
  for (const workload of workloadsIn(figures)) {
    const state = stateOf(figures, workload);
    const own = shownFigure(figures, 'varve', workload, state);
    if (own === undefined) continue;
    const cells = rivals.map((engine) => {
      const rival = shownFigure(figures, engine, workload, state);
      return rival === undefined ? '-' : times(own.median / rival.median);
    });
    lines.push(row(workload, cells));
  }
  return lines.join('\n');
}

export function formatVerdicts(verdicts: readonly Verdict[]): string {
  if (verdicts.length === 0) return '';
  const widths = [NAME_WIDTH, 36, 9, 9] as const;
  const lines = [
    `${'target'.padEnd(widths[0])}${'over'.padEnd(widths[1])}${'asked'.padStart(widths[2])}${'is'.padStart(widths[3])}`,
  ];
  for (const { target, ratio, rival, met } of verdicts) {
    const over = target.over.length > 1 ? `${target.label}: ${rival.engine}` : target.label;
    lines.push(
      `${target.workload.padEnd(widths[0])}${over.padEnd(widths[1])}${times(target.ratio).padStart(widths[2])}` +
        `${times(ratio).padStart(widths[3])}  ${met ? 'met' : 'MISSED'}`,
    );
  }
  const missed = verdicts.filter(({ met }) => !met).length;
  lines.push(`${verdicts.length - missed} of ${verdicts.length} targets met`);
  return lines.join('\n');
}

/** What a reader must know to trust the figures. */
export function formatNotes(sizes: Sizes, rounds: number): string {
  return [
    `Median of ${rounds} round${rounds === 1 ? '' : 's'}, each engine and group of workloads in a process of its own, order reversed every other round.`,
    'Durability os for everybody (the log is on, nothing waits for the disk), disk in fillsync. No compression. Block caches ' +
      `${formatBinaryBytes(sizes.cacheBytes)}, memtables ${formatBinaryBytes(sizes.memtableBytes)} where they can be set.`,
    'Varve writes by plain puts handed over once a tick; of a Node peer the better of single puts and batches of 1,000 counts;',
    'db_bench is the plain one, which hands over each put; with --manual_wal_flush it does so when its buffer is full.',
    'Reads run on every key put once in scattered order, as loaded and again after flush and full compaction; ratios use the second.',
    'In Node a tenth of each read workload runs before the clock starts, and short ones start over until 0.25 s have passed.',
    'Writes have no such warm-up: below a million entries they hold the time in which Node compiles.',
    'Node peers give a key and a value object for each entry; that one figure stands beside both forms of Varve.',
    'nocopy: lmdb lends its result until the next call (getBinaryFast); beside it stands the plain get of Varve, which does not.',
    `seekrandom counts seeks, each with ${sizes.seekNexts} entries; multireadrandom counts keys.`,
    `readwhilewriting: one thread makes a put for every ${READS_PER_WRITE} gets; db_bench has a second thread for its puts, limited to the same share.`,
    'db_bench keeps its database open between the benchmarks of one process; where it needs another process, the second of two runs counts.',
    `YCSB: ${formatCount(sizes.ycsbNum)} records of 1 KB and as many requests; compacted once after the load.`,
  ].join('\n');
}

/** Says how far the figures may be trusted. */
export function formatQuietness({ slowest, median }: { slowest: number; median: number }): string {
  const share = (of: number): string => `${Math.round(of * 100)} %`;
  const line = `Machine: a fixed loop beside the jobs ran at ${share(slowest)} of its best at the slowest, ${share(median)} in the middle.`;
  if (slowest >= QUIET_SHARE_MIN) return line;
  return `${line}\nThe machine was NOT QUIET, so single figures may be wrong by as much: run again, or trust medians of more rounds.`;
}

function rate(figure: Figure | undefined): string {
  return figure === undefined ? '-' : formatCount(figure.median);
}

/** 2.345 -> "2.35x". */
export function times(ratio: number): string {
  return `${ratio < 99.95 ? ratio.toFixed(2) : ratio.toFixed(0)}x`;
}
