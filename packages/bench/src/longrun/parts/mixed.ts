/**
 * Everything at once for a while (mixed-work.ts): space, memory and the event loop are looked at each second, and what is
 * read is checked.
 */
import { appendFileSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { formatCount } from '../../format.ts';
import { atMost, type Figure, milliseconds, times } from '../../large/figures.ts';
import { memoryFigures } from '../memory-figure.ts';
import { Resident, type ResidentBytes } from '../resident.ts';
import type { Sizes } from '../sizes.ts';
import { budgetBytes, openStage, tableBytes } from '../stage.ts';
import { MixedWork } from './mixed-work.ts';

const SECOND_MS = 1_000;

/** A second of the run. */
export interface Second {
  readonly seconds: number;
  readonly operations: number;
  readonly tableBytes: number;
  readonly logBytes: number;
  readonly overBaselineBytes: number;
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
  readonly level0Files: number;
}

export interface Mixed {
  readonly seconds: readonly Second[];
  readonly keyspaces: readonly string[];
  readonly operations: number;
  readonly checked: number;
  readonly refused: number;
  readonly wrong: readonly string[];
  readonly budgetBytes: number;
  readonly resident: ResidentBytes;
  readonly spaceEnd: number;
  readonly problems: number;
}

export async function runMixed(path: string, sizes: Sizes): Promise<Mixed> {
  const resident = new Resident();
  const { db } = await openStage(path, sizes);
  const work = new MixedWork(db, sizes);
  await work.warmUp();
  resident.warmedUp(db);
  const monitor = monitorEventLoopDelay({ resolution: 1 });
  monitor.enable();
  const seconds: Second[] = [];
  if (sizes.samples !== undefined) writeFileSync(sizes.samples, '');
  const start = performance.now();
  const timer = setInterval(() => {
    const { log, keyspaces } = db.stats();
    const second: Second = {
      seconds: (performance.now() - start) / SECOND_MS,
      operations: work.operations,
      tableBytes: tableBytes(db),
      logBytes: log.bytes,
      overBaselineBytes: resident.look(db),
      loopP99Ms: Math.max(0, monitor.percentile(99) / 1e6 - 1),
      loopMaxMs: Math.max(0, monitor.max / 1e6 - 1),
      level0Files: Math.max(...Object.values(keyspaces).map(({ levels }) => levels[0]!.files)),
    };
    monitor.reset();
    seconds.push(second);
    if (sizes.samples !== undefined) appendFileSync(sizes.samples, `${JSON.stringify(second)}\n`);
  }, SECOND_MS);
  while (performance.now() - start < sizes.mixedMs) await work.step();
  clearInterval(timer);
  monitor.disable();
  work.end();
  await db.flush();
  const left = tableBytes(db);
  await db.compact();
  const spaceEnd = left / Math.max(1, tableBytes(db));
  const { problems } = await db.verify({ full: true });
  await db.close();
  return {
    seconds,
    keyspaces: work.names,
    operations: work.operations,
    checked: work.checked,
    refused: work.refused,
    wrong: work.wrong,
    budgetBytes: budgetBytes(sizes),
    resident: resident.bytes,
    spaceEnd,
    problems: problems.length,
  };
}

export function mixedFigures(measured: Mixed): Figure[] {
  const { seconds, keyspaces, operations, checked, refused, wrong, resident, problems, spaceEnd } = measured;
  const p99s = seconds.map(({ loopP99Ms }) => loopP99Ms).sort((a, b) => a - b);
  return [
    atMost('mixed run: reads that were wrong', 0, wrong.length, String, [
      `${formatCount(checked)} reads checked of ${formatCount(operations)} operations in ${seconds.length} s, ${formatCount(refused)} refused; keyspaces ${keyspaces.join(', ')}`,
      ...wrong,
    ]),
    atMost('mixed run: problems found at the end', 0, problems, String),
    ...memoryFigures('mixed run', resident, measured.budgetBytes),
    atMost('mixed run: space at the end over freshly compacted', undefined, spaceEnd, times),
    atMost('mixed run: event loop p99 of a second, median', 10, p99s[p99s.length >> 1] ?? 0, milliseconds, [
      `of the worst second ${milliseconds(p99s.at(-1) ?? 0)}; longest hold ${milliseconds(Math.max(0, ...seconds.map(({ loopMaxMs }) => loopMaxMs)))}`,
    ]),
  ];
}
