/**
 * Counts a range in worker threads, in parts that are about PART_BYTES of tables each, some at a time.
 *
 * Exact at one registered sequence. A part takes the view when its job starts. A memtable that still holds entries of that
 * sequence is rotated first, because other threads read only what is written no more; until the job ends the memory of what
 * it reads is not given back (Tree.pin). Files are not kept: a job that finds one gone is started again on the view that does
 * without it. Owner's thread.
 */
import { compareRanges } from '../base/bytes.ts';
import { systemCode } from '../base/errors.ts';
import type { Memtable } from '../memtable/memtable.ts';
import { warmly } from './async-gets.ts';
import type { Core, Session } from './core.ts';
import type { CursorRange } from './cursor.ts';
import { countInTurns, type RangeReader } from './range-view.ts';
import { checkParts } from './ranges.ts';
import type { ReadPoint } from './read-point.ts';
import { filesTouched, type KeyRange } from './scan.ts';
import { splitRange } from './split-range.ts';
import type { Tree } from './tree.ts';
import type { CountInput } from './workers/count-job.ts';

/** A job takes some tens of milliseconds: not much longer than a read may wait behind it. */
const PART_BYTES = 16 * 1024 * 1024;
const PARTS_MAX = 4096;
const TRIES_MAX = 16;

export interface CountOptions {
  readonly partitions?: number;
}

/** `check` throws when the keyspace can not be used any more; `walk` is the range without threads. */
export async function countRange<K, V>(
  session: Session,
  tree: Tree,
  range: CursorRange,
  { partitions }: CountOptions,
  walk: RangeReader<K, V>,
  check: () => void,
): Promise<number> {
  if (partitions !== undefined) checkParts('partitions', partitions);
  const { owner } = session;
  // Only the owner can keep for its jobs what they read.
  const count =
    owner?.reads.isUseful === true
      ? await countInThreads(owner, tree, range, partitions, check)
      : await countInTurns(walk);
  return Math.min(count, range.limit);
}

/** Entries of the range at the sequence that is visible now; `check` throws when there is no sense in going on. */
async function countInThreads(
  core: Core,
  tree: Tree,
  range: KeyRange,
  partitions: number | undefined,
  check: () => void,
): Promise<number> {
  const { register, runner } = core;
  const sequence = register.addVisible();
  const at: ReadPoint = { sequence, time: register.time };
  runner.hold();
  try {
    let left: KeyRange[] = [];
    await warmly(core, check, () => {
      left = splitRange(tree.view, tree.tables, range, partitions ?? partsOf(tree, range));
    });
    let count = 0;
    const countLeft = async (): Promise<void> => {
      try {
        for (let part = left.pop(); part !== undefined; part = left.pop()) {
          const entries = await countPart(core, tree, part, at, check);
          count += entries;
        }
      } catch (error) {
        // The others need not begin another part.
        left = [];
        throw error;
      }
    };
    await Promise.all(Array.from({ length: core.options.workers + 1 }, countLeft));
    return count;
  } finally {
    runner.unhold();
    register.remove(at.sequence, at.time);
  }
}

function partsOf({ view }: Tree, range: KeyRange): number {
  let bytes = 0;
  view.version.levels.forEach((files, level) => {
    for (const file of filesTouched(files, level, range)) bytes += file.bytes;
  });
  return Math.min(PARTS_MAX, Math.max(1, Math.ceil(bytes / PART_BYTES)));
}

async function countPart(
  core: Core,
  tree: Tree,
  range: KeyRange,
  at: ReadPoint,
  check: () => void,
): Promise<number> {
  for (let tries = 1; ; tries++) {
    check();
    const holdsEntries = core.state.entered(() => {
      const { memtable } = tree.view;
      return memtable !== undefined && mayCount(memtable, range, at.sequence);
    });
    if (holdsEntries) {
      core.background.rotate(tree);
      core.background.schedule();
    }
    const { immutables, version } = tree.view;
    const input: CountInput = {
      directory: core.state.path,
      memtables: immutables.map((each) => each.handle()),
      levels: version.levels.map((files, level) => filesTouched(files, level, range)),
      range,
      sequence: at.sequence,
      time: at.time,
    };
    const unpin = tree.pin();
    const outcome = await new Promise<{ count: number } | { error: unknown }>((resolve) =>
      core.runner.start({ lane: 'scan', name: 'count', input }, (ended) => {
        unpin();
        resolve(ended.ok ? { count: ended.output as number } : { error: ended.error });
      }),
    );
    if ('count' in outcome) return outcome.count;
    check();
    if (systemCode(outcome.error) !== 'ENOENT' || tries === TRIES_MAX) throw outcome.error;
  }
}

/** Does it hold anything that counts, or hides what does? */
function mayCount(memtable: Memtable, { lower, upper }: KeyRange, sequence: number): boolean {
  if (memtable.entries === 0 || memtable.firstSequence > sequence) return false;
  if (memtable.rangeTombstones() !== undefined) return true;
  const iterator = memtable.iterator();
  if (lower === undefined) iterator.first();
  else iterator.seek(lower, 0, lower.length, Number.MAX_SAFE_INTEGER);
  if (!iterator.valid) return false;
  const { key, keyStart, keyEnd } = iterator;
  return upper === undefined || compareRanges(key, keyStart, keyEnd, upper, 0, upper.length) < 0;
}
