/**
 * `npm run bench -- check`: runs small workloads of Varve, divides each by the calibration loop that ran beside it, and
 * fails with the workload's name when one is slower than the stored baseline by more than its tolerance. `--update`
 * measures and stores. Ends within a minute.
 */
import { fileURLToPath } from 'node:url';
import { resolve } from 'node:path';
import { median } from '../compare/results.ts';
import { type BenchOptions, integer, parse, UsageError } from '../options.ts';
import { type Machine, thisMachine } from '../report.ts';
import { Runner } from '../runner.ts';
import { workloadNamed } from '../workloads.ts';
import { type Baseline, compareWithBaseline, type Finding, readBaseline, writeBaseline } from './baseline.ts';
import { Calibration } from '../calibration.ts';

/** Share by which a workload may be slower: what this machine's noise needs. Writes depend on its disk and other core too. */
const READ_TOLERANCE = 0.35;
const WRITE_TOLERANCE = 0.5;

/** In this order on one database; the reads after the compaction. */
const order = [
  'fillseq',
  'fillbatch',
  'fillrandom',
  'overwrite',
  'compact',
  'readrandom',
  'readmissing',
  'readhot',
  'multireadrandom',
  'readseq',
  'readreverse',
  'readseq-objects',
  'seekrandom',
] as const;
/** Runs of a short workload in a row; all of them go into the median. */
const READ_RUNS = 3;
const NAME_WIDTH = 18;

const flags = {
  update: { type: 'boolean', default: false },
  num: { type: 'string', default: '100000' },
  rounds: { type: 'string', default: '3' },
  db: { type: 'string', default: 'data/bench-check' },
  baseline: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const help = `Compares the speed of Varve with a stored baseline, relative to a loop that measures the machine.

  npm run bench -- check             fails when a workload is slower than the baseline allows
  npm run bench -- check --update    measures and stores the baseline

Tolerances: reads ${READ_TOLERANCE * 100} %, writes ${WRITE_TOLERANCE * 100} %.

Options:
  --baseline FILE   (packages/bench/baseline.json)
  --num N           entries (100000); must be that of the baseline
  --rounds N        the median of them counts (3)
  --db DIR          where the database goes (data/bench-check)
`;

/** Resolves with whether nothing was slower. Throws `UsageError`. */
export async function check(args: readonly string[]): Promise<boolean> {
  const { values } = parse(args, flags);
  if (values.help) {
    console.log(help);
    return true;
  }
  const entries = integer('num', values.num, 1_000, 10_000_000);
  const rounds = integer('rounds', values.rounds, 1, 99);
  const path =
    values.baseline === undefined
      ? fileURLToPath(new URL('../../baseline.json', import.meta.url))
      : resolve(values.baseline);
  const baseline = values.update ? undefined : readBaseline(path);
  if (baseline !== undefined && baseline.entries !== entries) {
    throw new UsageError(
      `The baseline is for --num ${baseline.entries}; it says nothing about ${entries} entries.`,
    );
  }
  const scores = await measureScores(entries, rounds, resolve(values.db));
  if (baseline === undefined) {
    writeBaseline(path, { machine: describe(thisMachine()), entries, scores });
    console.log(`check: stored ${Object.keys(scores).length} scores`);
    return true;
  }
  const findings = compareWithBaseline(baseline, scores, toleranceOf);
  console.log(formatFindings(baseline, findings));
  return !findings.some(({ slower }) => slower);
}

export function toleranceOf(name: string): number {
  return workloadNamed(name).kind === 'read' ? READ_TOLERANCE : WRITE_TOLERANCE;
}

/** The median over the rounds of operations per thousand steps of the calibration, by workload. */
async function measureScores(entries: number, rounds: number, db: string): Promise<Record<string, number>> {
  const calibration = new Calibration();
  const samples = new Map<string, number[]>(order.map((name) => [name, []]));
  const runner = new Runner(optionsFor(entries, db));
  let before = calibration.measure();
  try {
    for (let round = 0; round < rounds; round++) {
      for (const name of order) {
        const workload = workloadNamed(name);
        for (let run = 0; run < (workload.kind === 'read' ? READ_RUNS : 1); run++) {
          const { opsPerSecond } = await runner.run(workload);
          const after = calibration.measure();
          samples.get(name)!.push((opsPerSecond / (before + after)) * 2 * 1000);
          before = after;
        }
      }
    }
  } finally {
    await runner.close();
  }
  return Object.fromEntries(
    [...samples].map(([name, scores]) => [
      name,
      Number(median(scores.toSorted((a, b) => a - b)).toPrecision(4)),
    ]),
  );
}

function optionsFor(num: number, db: string): BenchOptions {
  return {
    num,
    keySize: 16,
    valueSize: 100,
    db,
    json: undefined,
    seed: 301,
    memtableBytes: undefined,
    compression: undefined,
    durability: 'memory',
    seekNexts: 100,
  };
}

/** A line per workload, and at the end which are too slow. */
export function formatFindings(baseline: Baseline, findings: readonly Finding[]): string {
  const lines = [
    `baseline of ${baseline.machine}`,
    `${'workload'.padEnd(NAME_WIDTH)}${['score', 'baseline', 'change'].map((title) => title.padStart(12)).join('')}`,
  ];
  for (const { name, score, baseline: before, change, slower } of findings) {
    const cells = [
      score.toPrecision(4),
      before === undefined ? '-' : before.toPrecision(4),
      change === undefined ? 'new' : `${change < 1 ? '' : '+'}${((change - 1) * 100).toFixed(0)} %`,
    ];
    lines.push(
      `${name.padEnd(NAME_WIDTH)}${cells.map((cell) => cell.padStart(12)).join('')}${slower ? '  TOO SLOW' : ''}`,
    );
  }
  const slow = findings.filter(({ slower }) => slower).map(({ name }) => name);
  lines.push(
    slow.length === 0
      ? 'check: nothing is slower than the baseline allows'
      : `check: slower than the baseline allows: ${slow.join(', ')}. On purpose? "npm run bench -- check --update"`,
  );
  return lines.join('\n');
}

function describe({ node, processor, cores }: Machine): string {
  return `Node ${node}, ${cores} cores of ${processor}`;
}
