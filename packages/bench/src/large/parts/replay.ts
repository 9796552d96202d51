/** Opening after a crash with a long log: each round a fresh database, a process that is killed, and one that opens. */
import { rmSync } from 'node:fs';
import { median } from '../../compare/results.ts';
import { formatBytes, formatCount } from '../../format.ts';
import { atMost, type Figure, milliseconds } from '../figures.ts';
import type { Session } from '../session.ts';
import type { Opened } from '../tasks/results.ts';

const REPLAY_MS_MAX = 400;

export async function measureReplay(session: Session): Promise<Figure[]> {
  const { sizes, options } = session;
  const openings: Opened[] = [];
  let puts = 0;
  for (let round = 0; round < options.rounds; round++) {
    session.say(`replaying, round ${round + 1}`);
    const path = session.makeDirectory();
    try {
      const filled = await session.run('fillLog', path, true);
      if (filled.flushBytes > 0) throw new Error('a memtable was flushed, so the log was not all there is');
      const opened = await session.run('replay', path);
      if (opened.replayedBytes < filled.logBytes * 0.99) {
        throw new Error(`only ${opened.replayedBytes} of ${filled.logBytes} bytes were replayed`);
      }
      puts = filled.puts;
      openings.push(opened);
    } finally {
      rmSync(path, { recursive: true, force: true });
    }
  }
  const sorted = (pick: (opened: Opened) => number): number[] => openings.map(pick).toSorted((a, b) => a - b);
  const all = sorted(({ openMs }) => openMs);
  return [
    atMost(`open with ${formatBytes(sizes.logBytes)} of log`, REPLAY_MS_MAX, median(all), milliseconds, [
      `${formatCount(puts)} single puts, process killed; ${openings.length} rounds: ${milliseconds(all[0]!)} to ${milliseconds(all.at(-1)!)}; ` +
        `of it the replay by the engine's clock ${milliseconds(median(sorted(({ replayMs }) => replayMs)))}; ` +
        `processor time of all threads ${milliseconds(median(sorted(({ processorMs }) => processorMs)))}`,
    ]),
  ];
}
