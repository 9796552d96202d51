/**
 * `npm run bench -- longrun`: the figures that are asked of flush and compaction, one part after the other, and a table of
 * what is met. A part that fails, also by a crash of its process, is said and left out; the others go on.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askChild } from '../child-process.ts';
import { MISSING } from '../compare/db-bench-process.ts';
import { formatBinaryBytes, formatCount } from '../format.ts';
import type { Figure } from '../large/figures.ts';
import { formatFigures } from '../large/table.ts';
import { claimDirectory } from '../own-directory.ts';
import type { LinePanel } from '../plots/lines.ts';
import { svgLines } from '../plots/svg-lines.ts';
import { terminalLines } from '../plots/terminal.ts';
import { type Machine, thisMachine } from '../report.ts';
import type { Outcomes } from './child.ts';
import type { LongrunOptions, PartName } from './options.ts';
import { mixedFigures, type Second } from './parts/mixed.ts';
import { overloadFigures } from './parts/overload.ts';
import { rivalBytes, writeampFigures } from './parts/writeamp.ts';
import { pressures } from './sizes.ts';

export interface LongrunFigures {
  readonly figures: readonly Figure[];
  /** Of the mixed run. */
  readonly panels: readonly LinePanel[];
  /** Parts that failed, each with why. */
  readonly failures: readonly string[];
}

/** What db_bench writes for the same puts; a seam for tests. */
export type Rival = typeof rivalBytes;

/** Runs the parts, or those until the signal. The databases are removed in any case. */
export async function runParts(
  { parts, sizes, db }: LongrunOptions,
  rival: Rival,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<LongrunFigures> {
  claimDirectory(db, 'bench-longrun');
  const root = mkdtempSync(join(db, 'run-'));
  const figures: Figure[] = [];
  const panels: LinePanel[] = [];
  const failures: string[] = [];

  /** In an empty directory, which is removed. */
  const inDirectory = async <T>(name: string, work: (path: string) => Promise<T>): Promise<T> => {
    say(name);
    const path = mkdtempSync(join(root, `${name}-`));
    try {
      return await work(path);
    } finally {
      rmSync(path, { recursive: true, force: true });
    }
  };
  const ask = async <Name extends keyof Outcomes>(name: Name): Promise<Outcomes[Name]> => {
    // child.ts answers with what it was asked for.
    return await inDirectory(
      name,
      async (path) =>
        (await askChild('child', import.meta.url, [name, path, JSON.stringify(sizes)], {
          signal,
        })) as Outcomes[Name],
    );
  };
  const run = async (part: PartName): Promise<readonly Figure[]> => {
    switch (part) {
      case 'writeamp': {
        const own = await ask('writeamp');
        const beside = await inDirectory('db_bench', (path) => rival(path, sizes, signal));
        return writeampFigures(own, beside, sizes);
      }
      case 'mixed': {
        const mixed = await ask('mixed');
        panels.push(...panelsOf(mixed.seconds));
        return mixedFigures(mixed);
      }
      case 'overload':
        throw new Error('overload is asked for by kind of pressure');
      default:
        return await ask(part);
    }
  };
  const attempt = async (name: string, work: () => Promise<readonly Figure[]>): Promise<void> => {
    if (signal.aborted) return;
    try {
      figures.push(...(await work()));
    } catch (error) {
      if (signal.aborted) return;
      failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  try {
    for (const part of parts) {
      if (part !== 'overload') await attempt(part, () => run(part));
      else {
        for (const pressure of pressures) {
          const name = `overload-${pressure}` as const;
          await attempt(name, async () => overloadFigures(await ask(name)));
        }
      }
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return { figures, panels, failures };
}

/** Runs, prints and writes what the options ask for. Resolves with whether every part could be measured. */
export async function longrun(options: LongrunOptions, signal: AbortSignal): Promise<boolean> {
  const machine = thisMachine();
  console.log(formatHead(machine, options));
  const { figures, panels, failures } = await runParts(options, rivalBytes, signal, (line) =>
    console.error(`... ${line}`),
  );
  if (signal.aborted) console.log('interrupted: what follows is what there is so far');
  console.log(formatFigures(figures));
  console.log(`\n${formatSummary(figures, options)}`);
  if (panels.length > 0) {
    console.log(terminalLines(panels, process.stdout.isTTY));
    if (options.svg !== undefined) writeFileSync(options.svg, svgLines('A mixed run, each second', panels));
  }
  if (figures.some(({ asked, verdict }) => asked.includes('db_bench') && verdict === '-'))
    console.log(MISSING);
  for (const failure of failures) console.error(`failed: ${failure}`);
  if (options.json !== undefined) {
    const { db: _db, json: _json, svg: _svg, ...asked } = options;
    writeFileSync(options.json, `${JSON.stringify({ machine, asked, figures, failures }, null, 2)}\n`);
  }
  return failures.length === 0 && !signal.aborted;
}

const plotted: readonly { readonly title: string; readonly pick: (second: Second) => number }[] = [
  { title: 'tables, MB', pick: ({ tableBytes }) => tableBytes / 1e6 },
  {
    title: 'resident memory over the baseline, MB',
    pick: ({ overBaselineBytes }) => Math.max(0, overBaselineBytes / 1e6),
  },
  { title: 'event loop held up, p99 of each second, ms', pick: ({ loopP99Ms }) => loopP99Ms },
  { title: 'files in level 0, the most of a keyspace', pick: ({ level0Files }) => level0Files },
];

function panelsOf(seconds: readonly Second[]): LinePanel[] {
  return plotted.map(({ title, pick }) => ({
    title,
    unit: 's',
    lines: [{ label: title, points: seconds.map((second) => [second.seconds, pick(second)] as const) }],
  }));
}

function formatHead(machine: Machine, { sizes, parts }: LongrunOptions): string {
  const { puts, keys, keySize, valueSize, memtableBytes, cacheBytes } = sizes;
  return [
    `Varve over time: Node ${machine.node}, ${machine.system}, ${machine.cores} cores (${machine.processor})`,
    `entries     ${formatCount(puts)} puts, ${formatCount(keys)} keys of ${keySize} + ${valueSize} bytes; values compress to half`,
    `settings    cache ${formatBinaryBytes(cacheBytes)}, memtables ${formatBinaryBytes(memtableBytes)}, two at most; parts ${parts.join(', ')}`,
    '',
  ].join('\n');
}

function formatSummary(figures: readonly Figure[], { isFull }: LongrunOptions): string {
  const judged = figures.filter(({ verdict }) => verdict !== '-');
  const missed = judged.filter(({ verdict }) => verdict === 'MISSED').map(({ name }) => name);
  const met = `${judged.length - missed.length} of ${judged.length} met`;
  const lines = [missed.length === 0 ? met : `${met}; missed: ${missed.join('; ')}`];
  if (!isFull) lines.push('asked is for the full sizes and times: with less the verdicts are only a hint');
  return lines.join('\n');
}
