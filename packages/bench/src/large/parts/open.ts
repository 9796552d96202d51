/**
 * Opening the filled database, each time in a fresh process; the system has its files in memory. With and without the file
 * that says which blocks were in use: the first process reads, so that there is one.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { median } from '../../compare/results.ts';
import { atMost, type Figure, milliseconds } from '../figures.ts';
import type { Session } from '../session.ts';
import type { Opened } from '../tasks/results.ts';

const OPEN_MS_MAX = 150;
const CACHE_FILE = /^CACHE-\d+$/;

export async function measureOpen(session: Session): Promise<Figure[]> {
  await session.filled();
  const { openings } = session.options;
  session.say('opening');
  await session.run('read', session.varvePath);
  const withFile: Opened[] = [];
  for (let i = 0; i < openings; i++) {
    if (cacheFiles(session.varvePath).length === 0) throw new Error('the database has no CACHE file');
    withFile.push(await session.run('open', session.varvePath));
  }
  const without: Opened[] = [];
  for (let i = 0; i < openings; i++) {
    for (const name of cacheFiles(session.varvePath)) rmSync(join(session.varvePath, name));
    without.push(await session.run('open', session.varvePath));
  }
  return [figureOf('open, with CACHE file', withFile), figureOf('open, without', without)];
}

function cacheFiles(path: string): string[] {
  return readdirSync(path).filter((name) => CACHE_FILE.test(name));
}

/** The median of openings. */
function figureOf(name: string, openings: readonly Opened[]): Figure {
  const times = openings.map(({ openMs }) => openMs).toSorted((a, b) => a - b);
  const processor = openings.map(({ processorMs }) => processorMs).toSorted((a, b) => a - b);
  const gets = openings.map(({ firstGetMs }) => firstGetMs).toSorted((a, b) => a - b);
  return atMost(name, OPEN_MS_MAX, median(times), milliseconds, [
    `${openings.length} fresh processes: ${milliseconds(times[0]!)} to ${milliseconds(times.at(-1)!)}; processor time ${milliseconds(median(processor))}; first get then ${milliseconds(median(gets))}`,
  ]);
}
