/**
 * `npm run bench -- large`: the figures that are asked of a large database, one part after the other, and a table of what is
 * met. A part that fails is said and left out; the others go on. Nothing is judged by a mean of a few runs: medians.
 */
import { writeFileSync } from 'node:fs';
import { MISSING } from '../compare/db-bench-process.ts';
import { thisMachine } from '../report.ts';
import type { Figure } from './figures.ts';
import type { LargeOptions, PartName } from './options.ts';
import { measureFill } from './parts/fill.ts';
import { measureIterate } from './parts/iterate.ts';
import { measureMemory } from './parts/memory.ts';
import { measureOpen } from './parts/open.ts';
import { measureRead } from './parts/read.ts';
import { measureReplay } from './parts/replay.ts';
import { type Rocks, rocks } from './rocks.ts';
import { Session } from './session.ts';
import { formatFigures, formatHead, formatSummary } from './table.ts';

const parts: Readonly<Record<PartName, (session: Session) => Promise<Figure[]>>> = {
  fill: measureFill,
  read: measureRead,
  iterate: measureIterate,
  open: measureOpen,
  replay: measureReplay,
  memory: measureMemory,
};

export interface Measured {
  readonly figures: readonly Figure[];
  /** Parts that failed, each with why. */
  readonly failures: readonly string[];
}

/** Runs the parts, or those until the signal. The databases are removed in any case. */
export async function runParts(
  options: LargeOptions,
  rival: Rocks,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<Measured> {
  const session = new Session(options, rival, signal, say);
  const figures: Figure[] = [];
  const failures: string[] = [];
  try {
    for (const name of options.parts) {
      if (signal.aborted) break;
      try {
        figures.push(...(await parts[name](session)));
      } catch (error) {
        if (!signal.aborted)
          failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  } finally {
    session.close();
  }
  return { figures, failures };
}

/** Runs, prints and writes what the options ask for. Resolves with whether every part could be measured. */
export async function large(options: LargeOptions, signal: AbortSignal): Promise<boolean> {
  const machine = thisMachine();
  console.log(formatHead(machine, options));
  const { figures, failures } = await runParts(options, rocks, signal, showProgress);
  if (signal.aborted) console.log('interrupted: what follows is what there is so far');
  console.log(formatFigures(figures));
  console.log(`\n${formatSummary(figures, options)}`);
  if (figures.some(({ asked, verdict }) => verdict === '-' && asked !== '-')) console.log(MISSING);
  for (const failure of failures) console.error(`failed: ${failure}`);
  if (options.json !== undefined) {
    const { db: _db, json: _json, ...asked } = options;
    writeFileSync(options.json, `${JSON.stringify({ machine, asked, figures, failures }, null, 2)}\n`);
  }
  return failures.length === 0 && !signal.aborted;
}

function showProgress(line: string): void {
  console.error(`... ${line}`);
}
