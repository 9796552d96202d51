/**
 * Entry of `npm run bench -- simulate`: runs each workload with each variant, prints tables and plots. Started by
 * micro/micro.ts from the sources, since `varve/internals` resolves only under the condition `varve-source`.
 *
 * Exit codes: 0 done; 1 a picker got stuck or lost something; 2 the command line cannot be used.
 */
import { writeFileSync } from 'node:fs';
import { VarveError } from 'varve';
import { UsageError } from '../options.ts';
import { svgLines } from '../plots/svg-lines.ts';
import { terminalLines } from '../plots/terminal.ts';
import { StuckError } from './machine.ts';
import { parseSimulate, simulateHelp, type SimulateOptions, type Variant } from './options.ts';
import { findStrategy, pickerOf } from './picker.ts';
import { formatHead, formatTable, panelsOf, type VariantOutcome } from './report.ts';
import { LossError, type Outcome, simulate } from './simulation.ts';
import type { Workload } from './workload.ts';

async function run(options: SimulateOptions): Promise<void> {
  console.log(formatHead(options));
  const all: { workload: Workload; outcomes: readonly VariantOutcome[] }[] = [];
  for (const workload of options.workloads) {
    const outcomes: VariantOutcome[] = [];
    for (const variant of options.variants) {
      outcomes.push({ variant, outcome: await runOne(options, workload, variant) });
    }
    console.log(formatTable(workload, outcomes, options.markdown));
    const panels = panelsOf(outcomes);
    if (options.charts) console.log(terminalLines(panels, process.stdout.isTTY));
    if (options.svg !== undefined) {
      writeFileSync(svgFile(options.svg, workload, options), svgLines(titleOf(workload), panels));
    }
    if (outcomes.some(({ outcome }) => typeof outcome === 'string')) process.exitCode = 1;
    all.push({ workload, outcomes });
  }
  if (options.json !== undefined) {
    const { sizes, rates, seed } = options;
    writeFileSync(options.json, `${JSON.stringify({ sizes, rates, seed, results: all }, null, 2)}\n`);
  }
}

async function runOne(
  { sizes, rates, seed, care, verify }: SimulateOptions,
  workload: Workload,
  { picker, settings }: Variant,
): Promise<Outcome | string> {
  const strategy = await findStrategy(picker);
  try {
    const { care: own, ...bare } = pickerOf({ strategy, settings });
    const picker = { ...bare, ...(care && own !== undefined && { care: own }) };
    return simulate({ workload, picker, sizes, rates, seed, verify });
  } catch (error) {
    const isOfPicker = error instanceof VarveError && error.code === 'PICKER_REJECTED';
    if (error instanceof StuckError || error instanceof LossError || isOfPicker) return error.message;
    throw error;
  }
}

function titleOf({ name, summary }: Workload): string {
  return `${name}: ${summary}`;
}

function svgFile(path: string, { name }: Workload, { workloads }: SimulateOptions): string {
  return workloads.length === 1 ? path : path.replace(/(\.svg)?$/, `-${name}.svg`);
}

try {
  const options = parseSimulate(process.argv.slice(2));
  if (options === undefined) console.log(simulateHelp);
  else await run(options);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`bench: ${error.message}`);
  process.exitCode = 2;
}
