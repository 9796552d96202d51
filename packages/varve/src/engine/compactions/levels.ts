/**
 * `db.levels()`: the tree as it is now, with what runs on it and what was decided last, as plain data: for `varve levels`, for
 * pages and for whoever wants to know why.
 */
import { overlapDepth } from '../../compaction/overlap-depth.ts';
import { bytesOf } from '../../manifest/version.ts';
import type { Core } from '../core.ts';
import type { LevelReport, LevelsReport } from '../compaction-types.ts';
import { reportOf } from './decisions.ts';

export function collectLevels(core: Core): LevelsReport {
  const { compactions, care } = core.background;
  const keyspaces: LevelsReport['keyspaces'] = {};
  for (const tree of core.state.trees.values()) {
    const running = compactions.runningOf(tree);
    const levels = tree.view.version.levels.map(
      (files, level): LevelReport => ({
        files: files.length,
        bytes: bytesOf(files),
        entries: files.reduce((sum, file) => sum + file.entries, 0),
        runs: level === 0 ? overlapDepth(files) : Math.min(1, files.length),
        tables: files.map((file) => {
          const estimate = care.live.of(file);
          return {
            number: file.number,
            bytes: file.bytes,
            entries: file.entries,
            tombstones: file.tombstones,
            rangeTombstones: file.rangeTombstones,
            ...(estimate !== undefined && { live: estimate.live, liveError: estimate.error }),
            isBusy: running.holds(file.number),
          };
        }),
      }),
    );
    const { compaction } = tree.settings;
    const strategy = compaction.strategy === 'custom' ? compaction.picker.name : compaction.strategy;
    keyspaces[tree.name] = { strategy, memtableBytes: tree.memtableBytes, levels };
  }
  const time = core.clock.now();
  const rate = compactions.bytesPerSecond;
  return {
    time,
    keyspaces,
    running: [...compactions.runs()].map(({ tree, run }) => ({
      ...reportOf(compactions.decisions.of(run.plan) ?? { keyspace: tree.name, plan: run.plan, time }),
      doneBytes: run.doneBytes,
      jobs: run.jobs,
    })),
    decisions: compactions.decisions.reports(),
    isPaused: compactions.gate.isPaused,
    bytesPerSecond: Number.isFinite(rate) ? rate : null,
  };
}
