/** Ten thousand neighbouring entries by cursor, all in the cache. */
import { median } from '../../compare/results.ts';
import { atMost, type Figure, microseconds } from '../figures.ts';
import type { Session } from '../session.ts';

const US_MAX = 100;

export async function measureIterate(session: Session): Promise<Figure[]> {
  await session.filled();
  session.say('iterating');
  const { entries, lookedAtNs, movedNs } = await session.run('iterate', session.varvePath);
  const figure = (what: string, limit: number | undefined, ns: readonly number[]): Figure => {
    const sorted = ns.toSorted((a, b) => a - b);
    const range = `medians of ${ns.length} places: ${microseconds(sorted[0]! / 1e3)} to ${microseconds(sorted.at(-1)! / 1e3)}`;
    return atMost(`${entries} entries by cursor${what}`, limit, median(sorted) / 1e3, microseconds, [range]);
  };
  return [figure('', US_MAX, lookedAtNs), figure(', moves alone', undefined, movedNs)];
}
