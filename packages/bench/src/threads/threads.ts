/**
 * `npm run bench -- threads`: the figures that are asked of one database in several threads, one part after the other, and a
 * table of what is met. A part that fails is said and left out; the others go on. Runs alternate within a part, and the
 * median of their ratios counts, so that a machine that is busy for a while is so for both sides.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askChild } from '../child-process.ts';
import { formatBinaryBytes, formatBytes, formatCount } from '../format.ts';
import type { Figure } from '../large/figures.ts';
import { formatFigures } from '../large/table.ts';
import { claimDirectory } from '../own-directory.ts';
import { type Machine, thisMachine } from '../report.ts';
import type { Outcome } from './child.ts';
import { NUM_ASKED, type ThreadsOptions } from './options.ts';
import { type Engine, engines, peerFigures, type Rates } from './peers.ts';

export interface ThreadFigures {
  readonly figures: readonly Figure[];
  /** Engines that could not be loaded, each with what to do. */
  readonly skipped: readonly string[];
  /** Parts that failed, each with why. */
  readonly failures: readonly string[];
}

/** Runs the parts, or those until the signal. The databases are removed in any case. */
export async function runParts(
  options: ThreadsOptions,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<ThreadFigures> {
  const { parts, sizes, db } = options;
  claimDirectory(db, 'bench-threads');
  const figures: Figure[] = [];
  const skipped: string[] = [];
  const failures: string[] = [];

  /** What the process `name` answers, which begins with an empty directory; undefined: it failed. */
  const ask = async (name: string): Promise<Outcome | undefined> => {
    if (signal.aborted) return undefined;
    say(name);
    const path = mkdtempSync(join(db, 'run-'));
    try {
      const args = [name, path, JSON.stringify(sizes)];
      // child.ts answers with an outcome.
      return (await askChild('child', import.meta.url, args, { signal, kill: true })) as Outcome;
    } catch (error) {
      if (!signal.aborted)
        failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    } finally {
      rmSync(path, { recursive: true, force: true });
    }
  };

  for (const part of parts.filter((name) => name !== 'peers')) {
    const outcome = await ask(part);
    if (outcome?.kind === 'figures') figures.push(...outcome.figures);
  }
  if (parts.includes('peers')) {
    const measured: Record<Engine, Rates[]> = { varve: [], lmdb: [], rocksdb: [] };
    const absent = new Set<Engine>();
    for (let round = 0; round < sizes.peerRounds; round++) {
      for (const engine of engines) {
        if (absent.has(engine)) continue;
        const outcome = await ask(engine);
        if (outcome?.kind === 'rates') measured[engine].push(outcome.rates);
        else absent.add(engine);
        if (outcome?.kind === 'unavailable') skipped.push(`${engine}: ${outcome.reason}`);
      }
    }
    figures.push(...peerFigures(measured));
  }
  return { figures, skipped, failures };
}

/** Runs, prints and writes what the options ask for. Resolves with whether every part could be measured. */
export async function threads(options: ThreadsOptions, signal: AbortSignal): Promise<boolean> {
  const machine = thisMachine();
  console.log(formatHead(machine, options));
  const { figures, skipped, failures } = await runParts(options, signal, (line) =>
    console.error(`... ${line}`),
  );
  if (signal.aborted) console.log('interrupted: what follows is what there is so far');
  console.log(formatFigures(figures));
  console.log(`\n${formatSummary(figures, options)}`);
  for (const engine of skipped) console.log(`skipped  ${engine}`);
  for (const failure of failures) console.error(`failed: ${failure}`);
  if (options.json !== undefined) {
    const { db: _db, json: _json, ...asked } = options;
    const text = JSON.stringify({ machine, asked, figures, skipped, failures }, null, 2);
    writeFileSync(options.json, `${text}\n`);
  }
  return failures.length === 0 && !signal.aborted;
}

function formatHead(machine: Machine, { sizes, parts }: ThreadsOptions): string {
  const { num, keySize, valueSize, cacheBytes, memtableBytes, rounds } = sizes;
  return [
    `Varve in threads: Node ${machine.node}, ${machine.system}, ${machine.cores} cores (${machine.processor})`,
    `entries     ${formatCount(num)} of ${keySize} + ${valueSize} bytes = ${formatBytes(num * (keySize + valueSize))}; values compress to half`,
    `settings    cache ${formatBinaryBytes(cacheBytes)}, memtables ${formatBinaryBytes(memtableBytes)}, two at most; medians of ${rounds} rounds; parts ${parts.join(', ')}`,
    '',
  ].join('\n');
}

function formatSummary(figures: readonly Figure[], { sizes }: ThreadsOptions): string {
  const judged = figures.filter(({ verdict }) => verdict !== '-');
  const missed = judged.filter(({ verdict }) => verdict === 'MISSED').map(({ name }) => name);
  const met = `${judged.length - missed.length} of ${judged.length} met`;
  const lines = [missed.length === 0 ? met : `${met}; missed: ${missed.join('; ')}`];
  if (sizes.num < NUM_ASKED) {
    lines.push(
      `asked is for ${formatCount(NUM_ASKED)} entries: with ${formatCount(sizes.num)} the verdicts are only a hint`,
    );
  }
  return lines.join('\n');
}
