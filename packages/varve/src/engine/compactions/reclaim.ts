/**
 * `db.reclaim()`: defragmentation now and to its end, instead of a little at a time behind everything else: what deletes and
 * replaced data take is given back where that is worth a rewrite.
 */
import { invalid } from '../../base/errors.ts';
import type { FileMeta } from '../../manifest/file-meta.ts';
import type { ReclaimOptions, ReclaimReport } from '../compaction-types.ts';
import type { Core } from '../core.ts';
import type { Tree } from '../tree.ts';
import { checkAborted, checkMembers, runPlan, treesOf } from './compact.ts';
import { compactionRefused } from './failures.ts';
import { WorkProgress } from './work-progress.ts';

export const reclaimMembers: ReadonlySet<string> = new Set(['keyspace', 'liveRatio', 'signal', 'onProgress']);
const LIVE_RATIO = 0.8;
const FILES_MAX = 8;

export async function reclaimDatabase(core: Core, options: ReclaimOptions): Promise<ReclaimReport> {
  checkMembers('reclaim', options, reclaimMembers);
  const { liveRatio = LIVE_RATIO, signal, onProgress } = options;
  if (typeof liveRatio !== 'number' || !(liveRatio >= 0 && liveRatio <= 1)) {
    const message = `reclaim: got a liveRatio of ${String(liveRatio)}, wanted a number from 0 to 1`;
    throw invalid('OPTION_INVALID', message, { option: 'liveRatio', got: liveRatio });
  }
  const trees = treesOf(core, 'reclaim', options.keyspace);
  const report: ReclaimReport = { bytesBefore: 0, bytesAfter: 0, compactions: 0, samples: 0 };
  core.runner.hold();
  const wake = (): void => core.background.wake();
  signal?.addEventListener('abort', wake);
  try {
    const check = (): void => checkAborted(signal, 'reclaiming was aborted');
    check();
    await core.background.flush(check);
    for (const tree of trees) {
      report.bytesBefore += bytesIn(tree);
      const progress = new WorkProgress(core, tree.name, onProgress);
      await reclaimTree(core, tree, liveRatio, signal, progress, report);
      progress.finished();
      report.bytesAfter += bytesIn(tree);
    }
  } finally {
    signal?.removeEventListener('abort', wake);
    core.runner.unhold();
  }
  return report;
}

async function reclaimTree(
  core: Core,
  tree: Tree,
  liveRatio: number,
  signal: AbortSignal | undefined,
  progress: WorkProgress,
  report: ReclaimReport,
): Promise<void> {
  const { compactions, care } = core.background;
  const isSettled = (): boolean => true;
  const seen = new Set<FileMeta>();
  for (;;) {
    core.state.checkOpen();
    core.poison.check();
    checkAborted(signal, 'reclaiming was aborted');
    const failure = compactions.failureOf(tree);
    if (failure !== undefined) throw compactionRefused(tree, failure);
    if (tree.isDropped) return;
    if (compactions.isWaiting || !compactions.hasRoom) {
      await compactions.change();
      continue;
    }
    const running = compactions.runningOf(tree);
    const wanted = { liveRatio, filesMax: FILES_MAX, isSettled };
    const plan =
      care.pickCovered(tree, running) ??
      care.pickBy(tree, running, wanted) ??
      compactions.blobs.pick(tree, running);
    if (plan !== undefined) {
      await runPlan(core, tree, plan, signal, progress);
      progress.check();
      report.compactions++;
      continue;
    }
    if (running.size > 0) {
      await compactions.change();
      continue;
    }
    const suspect = care.live.suspects(tree, liveRatio, isSettled).find(({ file }) => !seen.has(file));
    if (suspect === undefined) return;
    seen.add(suspect.file);
    await care.live.sample(suspect);
    report.samples++;
  }
}

function bytesIn(tree: Tree): number {
  if (tree.isDropped) return 0;
  const { levels, blobs } = tree.view.version;
  return [...levels.flat(), ...blobs.values()].reduce((sum, file) => sum + file.bytes, 0);
}
