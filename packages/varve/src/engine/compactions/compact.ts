/**
 * `db.compact()`: moves a range, a keyspace or everything down to the last level and rewrites what lies there, so that
 * old versions, deletes and what they hid are gone when it resolves. One plan at a time beside what runs anyway.
 *
 * Only where merging does no harm. A keyspace whose strategy drops the oldest tables ('fifo') would lose new data with old
 * ones if all became one table: there it does what is due by itself anyway, at once. So may one be that nobody has named since
 * the open, if nothing in it was ever merged: it is left alone, and refused when it is asked for.
 */
import { compareBytes, EMPTY } from '../../base/bytes.ts';
import { invalid, VarveError } from '../../base/errors.ts';
import type { CompactionPlan } from '../../compaction/plan.ts';
import { pickManual, resumeAfter } from '../../compaction/picker-manual.ts';
import { leveledSettings } from '../../compaction/strategy.ts';
import { LEVELS } from '../../manifest/version-edit.ts';
import type { CompactOptions } from '../api-types.ts';
import { encodeRange } from '../bounds.ts';
import { bytes } from '../codecs/bytes.ts';
import { encodeKey, keyPrefixEnd } from '../codecs/codec.ts';
import type { Core } from '../core.ts';
import type { KeyRange } from '../scan.ts';
import type { Tree } from '../tree.ts';
import { compactionRefused } from './failures.ts';
import { checkOptionMembers } from '../option-members.ts';
import { pickerSettings } from './next-plan.ts';
import type { PlanRun } from './plan-run.ts';
import { WorkProgress } from './work-progress.ts';

export const compactMembers: ReadonlySet<string> = new Set(['keyspace', 'range', 'signal', 'onProgress']);

export async function compactDatabase(core: Core, options: CompactOptions): Promise<void> {
  checkMembers('compact', options, compactMembers);
  if (options.range !== undefined && options.keyspace === undefined) {
    throw invalid('OPTION_INVALID', 'a range to compact needs its keyspace', { option: 'range' });
  }
  const trees = treesOf(core, 'compact', options.keyspace);
  const range = encodeRange(
    options.range === undefined ? {} : options.range,
    (key) => encodeKey(bytes, key),
    (key) => keyPrefixEnd(bytes, key),
  );
  core.runner.hold();
  const wake = (): void => core.background.wake();
  options.signal?.addEventListener('abort', wake);
  try {
    const check = (): void => checkAborted(options.signal, 'the compaction was aborted');
    check();
    await core.background.flush(check);
    for (const tree of trees) {
      if (tree.settings.compaction.strategy === 'fifo') await compactByAge(core, tree, options);
      else await new Compaction(core, tree, range, options).run();
    }
  } finally {
    options.signal?.removeEventListener('abort', wake);
    core.runner.unhold();
  }
}

/** @throws VarveError `OPTION_INVALID` for members that are none, and for wrong kinds of those that are */
export function checkMembers(what: string, options: object, known: ReadonlySet<string>): void {
  checkOptionMembers(what, options, known);
  const { signal, onProgress } = options as { signal?: unknown; onProgress?: unknown };
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalid('OPTION_INVALID', `${what}: signal is no AbortSignal`, { option: 'signal' });
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalid('OPTION_INVALID', `${what}: onProgress is no function`, { option: 'onProgress' });
  }
}

/**
 * The keyspace of that name, or all; but for those that may be of tables that have to stay apart.
 *
 * @throws VarveError `KEYSPACE_NOT_FOUND`, `KEYSPACE_UNNAMED`
 */
export function treesOf(core: Core, what: string, name: string | undefined): Tree[] {
  const trees = [...core.state.trees.values()];
  if (name === undefined) return trees.filter(mayMerge);
  const tree = trees.find((each) => each.name === name);
  if (tree === undefined) {
    throw invalid('KEYSPACE_NOT_FOUND', `there is no keyspace '${name}'`, { got: name });
  }
  if (!mayMerge(tree)) {
    const message = `${what}: the settings of keyspace '${name}' are not known; open it first by db.keyspace(name, settings)`;
    throw invalid('KEYSPACE_UNNAMED', message, { keyspace: name });
  }
  return [tree];
}

/** Are its settings known, or was anything in it merged before? A strategy that goes by age leaves all in level 0. */
function mayMerge({ isNamed, view }: Tree): boolean {
  const [level0, ...deeper] = view.version.levels;
  return isNamed || level0!.length === 0 || deeper.some((files) => files.length > 0);
}

/** What a keyspace that goes by age does by itself, at whatever time of day and without waiting for the next look. */
async function compactByAge(core: Core, tree: Tree, { signal, onProgress }: CompactOptions): Promise<void> {
  const { compactions, care } = core.background;
  const progress = new WorkProgress(core, tree.name, onProgress);
  compactions.lookAgain(tree);
  for (;;) {
    checkGoing(core, tree, signal);
    if (tree.isDropped) return;
    if (compactions.isWaiting || !compactions.hasRoom) {
      await compactions.change();
      continue;
    }
    const running = compactions.runningOf(tree);
    const plan = compactions.dueIn(tree) ?? care.pickExpired(tree, running);
    if (plan !== undefined) {
      await runPlan(core, tree, plan, signal, progress);
      progress.check();
    } else if (running.size > 0) await compactions.change();
    else break;
  }
  progress.finished();
}

/**
 * The compaction of one keyspace. What merges into the deepest level wrote since it began is not rewritten: they have
 * dropped what can be dropped. That is known of merges that started later than this did, so it begins when none runs.
 */
class Compaction {
  readonly #core: Core;
  readonly #tree: Tree;
  readonly #range: KeyRange;
  readonly #signal: AbortSignal | undefined;
  readonly #progress: WorkProgress;
  #freshFrom = 0;

  constructor(core: Core, tree: Tree, range: KeyRange, { signal, onProgress }: CompactOptions) {
    this.#core = core;
    this.#tree = tree;
    this.#range = range;
    this.#signal = signal;
    this.#progress = new WorkProgress(core, tree.name, onProgress);
  }

  async run(): Promise<void> {
    await this.#begin();
    for (let level = 0; level < LEVELS; level++) if (!(await this.#down(level))) return;
    this.#progress.finished();
  }

  async #begin(): Promise<void> {
    const { compactions } = this.#core.background;
    const running = (): PlanRun[] =>
      [...compactions.runs()].filter(({ tree }) => tree === this.#tree).map(({ run }) => run);
    const before = running();
    while (before.some((run) => running().includes(run))) {
      this.#check();
      await compactions.change();
    }
    this.#freshFrom = Number(new BigInt64Array(this.#core.fileNumbers)[0]);
  }

  /** Empties the level of the range; rewrites the deepest where it is. False: the keyspace is gone. */
  async #down(level: number): Promise<boolean> {
    const core = this.#core;
    const tree = this.#tree;
    const { compactions } = core.background;
    const { upper } = this.#range;
    let from: Uint8Array | undefined = this.#range.lower ?? EMPTY;
    while (from !== undefined) {
      this.#check();
      // Whoever drops a keyspace while it is compacted has compacted it.
      if (tree.isDropped) return false;
      if (upper !== undefined && compareBytes(from, upper) >= 0) break;
      // What was asked for does not take the place of what keeps writes going.
      if (compactions.isWaiting || !compactions.hasRoom) {
        await compactions.change();
        continue;
      }
      const running = compactions.runningOf(tree);
      const settings = leveledSettings(pickerSettings(tree));
      const plan = pickManual(tree.view.version, running, settings, {
        level,
        from,
        to: upper,
        freshFrom: this.#freshFrom,
      });
      if (plan === 'nothing') break;
      if (plan === 'busy') {
        await compactions.change();
        continue;
      }
      await runPlan(core, tree, plan, this.#signal, this.#progress);
      this.#progress.check();
      checkFailure(core, tree);
      // The deepest level is rewritten in place: its files are still there afterwards, so the walk has to move on, but not
      // over what found the disk full.
      if (level === LEVELS - 1 && !compactions.isWaiting) from = resumeAfter(plan);
    }
    return true;
  }

  #check(): void {
    checkGoing(this.#core, this.#tree, this.#signal);
  }
}

/** May it go on? */
function checkGoing(core: Core, tree: Tree, signal: AbortSignal | undefined): void {
  core.state.checkOpen();
  core.poison.check();
  checkAborted(signal, 'the compaction was aborted');
  checkFailure(core, tree);
}

function checkFailure(core: Core, tree: Tree): void {
  const failure = core.background.compactions.failureOf(tree);
  if (failure !== undefined) throw compactionRefused(tree, failure);
}

/** @throws VarveError `ABORTED` (kind busy) with the signal's reason as cause */
export function checkAborted(signal: AbortSignal | undefined, message: string): void {
  if (signal?.aborted !== true) return;
  throw new VarveError('busy', 'ABORTED', message, {}, { cause: signal.reason });
}

/** Runs a plan to its end; an abort calls it off, and then it ends without having changed anything. */
export async function runPlan(
  core: Core,
  tree: Tree,
  plan: CompactionPlan,
  signal: AbortSignal | undefined,
  progress: WorkProgress,
): Promise<void> {
  const { compactions } = core.background;
  const running = compactions.runningOf(tree);
  const cancel = (): void => compactions.cancel(plan);
  signal?.addEventListener('abort', cancel, { once: true });
  const ended = progress.follow(plan, () => compactions.runOf(plan)?.doneBytes ?? 0);
  compactions.start(tree, plan);
  try {
    while (running.has(plan)) await compactions.change();
  } finally {
    ended();
    signal?.removeEventListener('abort', cancel);
  }
}
