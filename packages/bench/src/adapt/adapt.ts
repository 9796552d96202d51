/**
 * `npm run bench -- adapt`: what it gains that the memory budget and the flush sizes move with the load. The same phases run
 * with the sizes that open begins with, given and so fixed, and with adaptive ones, in alternating rounds, each in a process
 * of its own. Shows throughput and I/O by phase, with medians over the rounds, and the decisions of the last adaptive run.
 */
import { askChild } from '../child-process.ts';
import { formatBinaryBytes, formatBytes, formatCount } from '../format.ts';
import { integer, parse } from '../options.ts';
import { claimDirectory, removeDatabase } from '../own-directory.ts';
import type { Job, Mode, ModeResult, PhaseResult } from './phases.ts';

const OWNER = 'bench-adapt';
const MIB = 2 ** 20;
const help = `npm run bench -- adapt [--num N] [--memory MIB] [--rounds R] [--db DIR]

Writes, then reads, then writes and then does both, with a fixed and with an adaptive division of the memory budget.
N entries of 116 bytes (2000000), a budget in MiB (256), rounds (1).`;

const flags = {
  num: { type: 'string', default: '2000000' },
  memory: { type: 'string', default: '256' },
  rounds: { type: 'string', default: '1' },
  db: { type: 'string', default: 'data/bench-adapt' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export async function adapt(args: readonly string[]): Promise<boolean> {
  const { values } = parse(args, flags);
  if (values.help) {
    console.log(help);
    return true;
  }
  const entries = integer('num', values.num, 1_000, 100_000_000);
  const memoryBytes = integer('memory', values.memory, 1, 1_000_000) * MIB;
  const rounds = integer('rounds', values.rounds, 1, 100);
  claimDirectory(values.db, OWNER);
  const results: Record<Mode, ModeResult[]> = { fixed: [], adaptive: [] };
  for (let round = 0; round < rounds; round++) {
    const order: readonly Mode[] = round % 2 === 0 ? ['fixed', 'adaptive'] : ['adaptive', 'fixed'];
    for (const mode of order) {
      await removeDatabase(values.db, OWNER);
      const job: Job = { mode, path: values.db, entries, memoryBytes };
      results[mode].push((await askChild('child', import.meta.url, [JSON.stringify(job)])) as ModeResult);
    }
  }
  await removeDatabase(values.db, OWNER);
  console.log(
    `${formatCount(entries)} entries, budget ${formatBinaryBytes(memoryBytes)}, rounds ${rounds}\n`,
  );
  console.log(table(results));
  console.log(`\ndecisions of the last adaptive run:\n${results.adaptive.at(-1)!.decisions.join('\n')}`);
  return true;
}

function table(results: Record<Mode, readonly ModeResult[]>): string {
  const columns = [
    'phase',
    'mode',
    'a second',
    'ns of processor',
    'read',
    'flushed',
    'compacted',
    'resident',
    'memtables+cache+indexes',
  ];
  const rows = results.fixed[0]!.phases.flatMap((_, index) =>
    (['fixed', 'adaptive'] as const).map((mode) =>
      rowOf(
        mode,
        results[mode].map(({ phases }) => phases[index]!),
      ),
    ),
  );
  for (const mode of ['fixed', 'adaptive'] as const) rows.push(totalOf(mode, results[mode]));
  const widths = columns.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]!.length)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, at) => cell.padEnd(widths[at]!)).join('  ');
  return [columns, ...rows].map(line).join('\n');
}

function rowOf(mode: Mode, phases: readonly PhaseResult[]): string[] {
  const { phase, budget } = phases[0]!;
  const bytes = (of: (result: PhaseResult) => number): string => formatBytes(median(phases.map(of)));
  return [
    phase,
    mode,
    formatCount(median(phases.map(({ operations, seconds }) => operations / seconds))),
    formatCount(median(phases.map((result) => result.cpuNs))),
    bytes(({ readBytes }) => readBytes),
    bytes(({ flushBytes }) => flushBytes),
    bytes(({ compactionBytes }) => compactionBytes),
    bytes(({ rssBytes }) => rssBytes),
    [budget.memtables, budget.cache, budget.indexes].map((share) => formatBinaryBytes(share)).join(' + '),
  ];
}

/** The I/O of all phases together. */
function totalOf(mode: Mode, results: readonly ModeResult[]): string[] {
  const all = (of: (result: PhaseResult) => number): string =>
    formatBytes(median(results.map(({ phases }) => phases.reduce((sum, phase) => sum + of(phase), 0))));
  const bytes = [
    all(({ readBytes }) => readBytes),
    all(({ flushBytes }) => flushBytes),
    all(({ compactionBytes }) => compactionBytes),
  ];
  return ['all', mode, '', '', ...bytes, '', ''];
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}
