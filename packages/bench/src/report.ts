/**
 * What the bench prints: a head that says what was measured on which machine, a line per workload as soon as it is
 * done, and for writes a second line with what they cost. Pure functions from results to text; main.ts prints.
 */
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { formatBytes, formatCount, formatNanoseconds, showPath } from './format.ts';
import type { MemoryResult } from './memory.ts';
import type { BenchOptions } from './options.ts';
import type { WorkloadResult } from './runner.ts';

/** The machine a result comes from. */
export interface Machine {
  node: string;
  system: string;
  cores: number;
  processor: string;
  memoryBytes: number;
}

export function thisMachine(): Machine {
  const processors = cpus();
  return {
    node: process.version,
    system: `${platform()} ${release()} ${arch()}`,
    cores: processors.length,
    processor: processors[0]?.model.trim() ?? 'unknown',
    memoryBytes: totalmem(),
  };
}

/** `closedBy` is the call that ends a run of plain puts. */
export function formatHead(machine: Machine, options: BenchOptions, closedBy: string): string {
  const { num, keySize, valueSize, durability, memtableBytes, compression } = options;
  const writes =
    durability === 'memory'
      ? `plain puts, a turn of the event loop every 1,000, closed by ${closedBy}`
      : `every put awaited with { durability: '${durability}' }`;
  return [
    `Varve bench: Node ${machine.node}, ${machine.system}, ${machine.cores} cores (${machine.processor})`,
    `entries     ${formatCount(num)} of ${keySize} + ${valueSize} bytes = ${formatBytes(num * (keySize + valueSize))}; values compress to half`,
    `writes      ${writes}`,
    `database    ${showPath(options.db)}; memtable ${memtableBytes === undefined ? 'default' : formatBytes(memtableBytes)}, compression ${compression ?? 'default'}, seed ${options.seed}`,
    '',
  ].join('\n');
}

const columns = ['ops/s', 'ns/op', 'p50', 'p99', 'p99.9', 'max'] as const;
const NAME_WIDTH = 20;
const COLUMN_WIDTH = 11;

export function formatColumns(): string {
  return `${'workload'.padEnd(NAME_WIDTH)}${columns.map((title) => title.padStart(COLUMN_WIDTH)).join('')}`;
}

/** One workload: a line of figures, then indented what else there is to know. */
export function formatResult(result: WorkloadResult): string {
  const { latencyNs: latency } = result;
  const cells = [
    formatCount(result.opsPerSecond),
    formatCount(result.nsPerOp),
    formatNanoseconds(latency.p50),
    formatNanoseconds(latency.p99),
    formatNanoseconds(latency.p999),
    formatNanoseconds(latency.max),
  ];
  const lines = [
    `${result.name.padEnd(NAME_WIDTH)}${cells.map((cell) => ` ${cell.padStart(COLUMN_WIDTH - 1)}`).join('')}`,
  ];
  const { written, eventLoopDelayMs: delay } = result;
  if (written !== undefined) {
    const times = (bytes: number): string => (bytes / Math.max(written.data, 1)).toFixed(2);
    lines.push(
      `written ${formatBytes(written.log + written.flush + written.compaction)} for ${formatBytes(written.data)} of data:` +
        ` ${written.amplification.toFixed(2)}x (log ${times(written.log)}, flush ${times(written.flush)}, compaction ${times(written.compaction)})`,
    );
  }
  if (delay !== undefined) {
    lines.push(`event loop held up p99 ${delay.p99.toFixed(1)} ms, max ${delay.max.toFixed(1)} ms`);
  }
  const notes = [`disk ${formatBytes(result.diskBytes)}`, `RSS ${formatBytes(result.rssBytes)}`];
  if (result.found !== undefined) {
    notes.unshift(`${formatCount(result.found)} of ${formatCount(result.operations)} found`);
  } else if (written === undefined) {
    notes.unshift(result.operations === 1 ? 'one operation' : `${formatCount(result.operations)} entries`);
  }
  notes.push(timedNote(result));
  lines.push(notes.join(', '));
  return lines.join(`\n${' '.repeat(NAME_WIDTH + 1)}`);
}

/** Says how many operations were timed one by one. */
function timedNote({ operations, latencyNs }: WorkloadResult): string {
  if (latencyNs.timed >= operations) return 'every operation timed';
  const interval = operations / latencyNs.timed;
  if (interval < 2) return `${((latencyNs.timed / operations) * 100).toFixed(0)} % of operations timed`;
  return `1 in ${interval.toFixed(0)} operations timed`;
}

export function formatMemory(result: MemoryResult): string {
  const { engine } = result;
  const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
  return [
    `memory      ${megabytes(result.rssBytes)} RSS after ${formatCount(result.entries)} entries and a final sync`,
    `            peak ${megabytes(result.rssPeakBytes)}; before the first put ${megabytes(result.rssBeforeBytes)}`,
    `            of it JavaScript heap ${megabytes(result.heapBytes)}, memtables ${megabytes(engine.memtables)}, ` +
      `cache ${megabytes(engine.cache)}, indexes and filters ${megabytes(engine.indexes)}`,
    `            ${formatCount(result.entries / result.seconds)} puts/s, disk ${formatBytes(result.diskBytes)}`,
  ].join('\n');
}
