/**
 * When a thread is terminated. From outside nothing is seen of where it is but the words that all threads share, so a moment is
 * a condition on those, looked at in a tight loop, and then a little later or at once.
 */
import type { Random, SharedWords } from 'varve/testing';
import { ACKED, type Life, STARTED } from './board.ts';

export const momentKinds = [
  'anywhere',
  'in-operation',
  'write-lock',
  'waits-for-lock',
  'cache-lock',
  'changing-views',
  'pinned',
  'attaching',
] as const;
export type MomentKind = (typeof momentKinds)[number];

export interface Victim {
  readonly threadId: number;
  readonly life: Life;
}

/** Longest that this thread spins before it lets its event loop turn. */
const SPIN_MS = 2;
/** Conditions that do not come are given up. */
const PATIENCE_MS = 400;

/** Has come when `kind` is seen to hold of the victim, or has been waited for long enough. Ends inside a turn, right then. */
export async function moment(
  kind: MomentKind,
  victim: Victim,
  words: SharedWords,
  random: Random,
): Promise<boolean> {
  const { threadId, life } = victim;
  const target = life.get(STARTED) + random.below(100);
  const holds = (): boolean => {
    if (kind === 'attaching') return true;
    if (kind === 'anywhere') return life.get(STARTED) >= target;
    if (kind === 'in-operation') return life.get(STARTED) >= target && life.get(STARTED) !== life.get(ACKED);
    if (life.get(STARTED) < target) return false;
    if (kind === 'write-lock') return words.holder('write') === threadId;
    if (kind === 'waits-for-lock') {
      const holder = words.holder('write');
      return holder !== undefined && holder !== threadId && life.get(STARTED) !== life.get(ACKED);
    }
    if (kind === 'cache-lock') return words.holder('cache') === threadId;
    if (kind === 'changing-views') return words.isChanging && words.holder('write') === threadId;
    return words.isPinned(threadId);
  };
  const until = performance.now() + PATIENCE_MS;
  let seen = false;
  while (!seen && performance.now() < until) {
    const pause = performance.now() + SPIN_MS;
    while (!seen && performance.now() < pause) seen = holds();
    if (!seen) await new Promise((resolve) => setImmediate(resolve));
  }
  spin(random.pick([0, 0, 20, 200, 2000, 20_000]), random);
  return seen;
}

const nothing = new Int32Array(new SharedArrayBuffer(4));

function spin(upTo: number, random: Random): void {
  for (let left = upTo === 0 ? 0 : random.below(upTo); left > 0; left--) Atomics.load(nothing, 0);
}
