/**
 * `npm run bench -- compare`: runs the jobs of the plan one after the other, says what each gave, then prints the tables.
 * An engine that is not there, or that fails, is said and left out; the others go on.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Calibration } from '../calibration.ts';
import { formatBytes, formatCount, showPath } from '../format.ts';
import { claimDirectory } from '../own-directory.ts';
import { type Machine, thisMachine } from '../report.ts';
import { runDbBench } from './db-bench.ts';
import { copyingForm } from './groups.ts';
import type { Engine, Job, Outcome } from './job.ts';
import { judge, stateOf } from './judge.ts';
import type { CompareOptions } from './options.ts';
import { planJobs } from './plan.ts';
import { type Bar, type BarGroup, terminalBars } from './plots/bars.ts';
import { svgBars } from './plots/svg.ts';
import { figuresOf, type Figure, quietness, type Sample, samplesOf } from './results.ts';
import { runChild } from './run-child.ts';
import * as table from './table.ts';

/** Runs a job in an empty directory. */
export type RunJob = (job: Job, path: string, signal?: AbortSignal) => Promise<Outcome>;

/** What a comparison runs with; tests give their own. */
export interface Means {
  readonly run: RunJob;
  /** How fast the machine is right now. */
  readonly machineSpeed: () => number;
  readonly say: (line: string) => void;
  /** Ends the run and prints what there is. */
  readonly signal?: AbortSignal;
}

const runJob: RunJob = (job, path, signal) =>
  job.engine === 'db_bench' ? runDbBench(job, path, signal) : runChild(job, path, signal);

export interface Comparison {
  readonly samples: readonly Sample[];
  readonly settings: ReadonlyMap<Engine, readonly string[]>;
  /** Engines that could not be loaded, each with what to do. */
  readonly skipped: ReadonlyMap<Engine, string>;
  /** Jobs that failed. */
  readonly failures: readonly string[];
}

/** Runs all jobs, or those until the signal. Databases are removed as soon as their job is done. */
export async function runAll(options: CompareOptions, means: Means): Promise<Comparison> {
  const { run, machineSpeed, say, signal } = means;
  claimDirectory(options.db, 'bench-compare');
  const samples: Sample[] = [];
  const settings = new Map<Engine, readonly string[]>();
  const skipped = new Map<Engine, string>();
  const failures: string[] = [];
  let speedBefore = machineSpeed();
  for (const job of planJobs(options)) {
    if (skipped.has(job.engine)) continue;
    const path = mkdtempSync(join(options.db, 'run-'));
    const name = `round ${job.round + 1}  ${job.engine} ${job.mode}, ${job.group}`;
    try {
      const outcome = await run(job, path, signal);
      if (signal?.aborted === true) break;
      if (outcome.kind === 'unavailable') {
        skipped.set(job.engine, outcome.reason);
        say(`skipped  ${job.engine}: ${outcome.reason}`);
      } else if (outcome.kind === 'failed') {
        failures.push(`${name}: ${outcome.reason}`);
        say(`FAILED   ${name}: ${outcome.reason}`);
      } else {
        settings.set(job.engine, [...new Set([...(settings.get(job.engine) ?? []), ...outcome.settings])]);
        const speedAfter = machineSpeed();
        samples.push(...samplesOf(job, outcome.measurements, Math.min(speedBefore, speedAfter)));
        speedBefore = speedAfter;
        const rates = outcome.measurements.map(
          ({ workload, state, opsPerSecond }) =>
            `${workload}${state === 'loaded' ? ' (loaded)' : ''} ${formatCount(opsPerSecond)}`,
        );
        say(`${name}: ${rates.join(', ')}`);
      }
    } finally {
      rmSync(path, { recursive: true, force: true });
    }
  }
  return { samples, settings, skipped, failures };
}

/** Runs, prints and writes what the options ask for. Resolves with whether every job worked. */
export async function compare(options: CompareOptions, signal: AbortSignal): Promise<boolean> {
  const machine = thisMachine();
  console.log(formatHead(machine, options));
  const calibration = new Calibration();
  const comparison = await runAll(options, {
    run: runJob,
    machineSpeed: () => calibration.measure(),
    say: (line) => console.log(line),
    signal,
  });
  const figures = figuresOf(comparison.samples);
  const verdicts = judge(figures);
  if (signal.aborted) console.log('interrupted: what follows is what there is so far');
  console.log(`\n${formatSettings(comparison)}`);
  const parts = [
    table.formatRates(figures),
    table.formatLoaded(figures),
    table.formatModes(figures),
    table.formatRatios(figures),
    table.formatVerdicts(verdicts),
    table.formatNotes(options.sizes, options.rounds),
    table.formatQuietness(quietness(comparison.samples)),
    terminalBars(barGroups(figures)),
  ];
  for (const part of parts) if (part !== '') console.log(`\n${part}`);
  for (const failure of comparison.failures) console.error(`failed: ${failure}`);
  if (options.json !== undefined) {
    const { db: _db, json: _json, svg: _svg, ...asked } = options;
    const skipped = Object.fromEntries(comparison.skipped);
    const settings = Object.fromEntries(comparison.settings);
    const { samples, failures } = comparison;
    const text = JSON.stringify(
      { machine, asked, settings, skipped, failures, figures, verdicts, samples },
      null,
      2,
    );
    writeFileSync(options.json, `${text}\n`);
  }
  if (options.svg !== undefined) writePictures(options.svg, options, figures);
  return comparison.failures.length === 0 && !signal.aborted;
}

function formatHead(machine: Machine, { sizes, rounds, db }: CompareOptions): string {
  const { num, keySize, valueSize } = sizes;
  return [
    `Varve compared: Node ${machine.node}, ${machine.system}, ${machine.cores} cores (${machine.processor})`,
    `entries     ${formatCount(num)} of ${keySize} + ${valueSize} bytes = ${formatBytes(num * (keySize + valueSize))}; values compress to half`,
    `databases   ${showPath(db)}; ${rounds} round${rounds === 1 ? '' : 's'}, seed ${sizes.seed}`,
    '',
  ].join('\n');
}

/** How every engine was opened, and why some were not. */
export function formatSettings({ settings, skipped }: Comparison): string {
  const lines = [...settings].flatMap(([engine, said]) =>
    said.map((line, index) => `${(index === 0 ? engine : '').padEnd(15)}${line}`),
  );
  for (const [engine, reason] of skipped) lines.push(`${engine.padEnd(15)}skipped: ${reason}`);
  return lines.join('\n');
}

/** What the charts show: a group per workload, a bar per engine, and one more for a get that lends. */
function barGroups(figures: readonly Figure[]): BarGroup[] {
  const names = table.workloadsIn(figures);
  const barsOf = (workload: string, suffix: string): Bar[] =>
    table.enginesIn(figures).flatMap((engine) => {
      if (suffix !== '' && engine === 'varve') return [];
      const figure = table.shownFigure(figures, engine, workload, stateOf(figures, workload));
      return figure === undefined ? [] : [{ label: `${engine}${suffix}`, value: figure.median }];
    });
  return names
    .filter((name) => copyingForm(name) === name || !names.includes(copyingForm(name)))
    .map((title) => ({ title, bars: [...barsOf(title, ''), ...barsOf(`${title}-nocopy`, ' no-copy')] }));
}

const pictures = [
  { file: 'writes.svg', title: 'Writes, operations a second', holds: /^(?:fill|overwrite|delete)/ },
  { file: 'reads.svg', title: 'Reads, operations a second', holds: /^(?:read|multi|seek)/ },
  { file: 'ycsb.svg', title: 'YCSB, requests a second', holds: /^ycsb/ },
] as const;

function writePictures(directory: string, { sizes }: CompareOptions, figures: readonly Figure[]): void {
  if (!existsSync(directory)) mkdirSync(directory, { recursive: true });
  const all = barGroups(figures);
  for (const { file, title, holds } of pictures) {
    const shown = all.filter((group) => holds.test(group.title));
    if (shown.length === 0) continue;
    const entries = file === 'ycsb.svg' ? sizes.ycsbNum : sizes.num;
    writeFileSync(
      join(directory, file),
      svgBars(`${title} (${formatCount(entries)} entries)`, shown, 'varve'),
    );
  }
}
