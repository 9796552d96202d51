/**
 * `db.levels()`: the tree as it is now, with what runs on it and what was decided last, as plain data: for `varve levels`, for
 * pages and for whoever wants to know why.
 */
import { overlapDepth } from '../../compaction/overlap-depth.ts';
import { bytesOf } from '../../manifest/version.ts';
import type { Core } from '../core.ts';
import type { KeyspaceLevels, LevelReport, LevelsReport } from '../compaction-types.ts';
import { blobStats } from '../stats.ts';
import type { Tree } from '../tree.ts';
import { reportOf } from './decisions.ts';

export function collectLevels(core: Core): LevelsReport {
  const keyspaces: LevelsReport['keyspaces'] = {};
  for (const tree of core.state.trees.values()) keyspaces[tree.name] = levelsOf(core, tree);
  return { keyspaces, ...activity(core) };
}

/** The same as JSON, a keyspace at a time: with many of them it takes long enough to be noticed. */
export function* levelsJson(core: Core, more: Readonly<Record<string, unknown>>): Generator<string> {
  yield '{"keyspaces":{';
  let comma = '';
  for (const tree of core.state.trees.values()) {
    yield `${comma}${JSON.stringify(tree.name)}:${JSON.stringify(levelsOf(core, tree))}`;
    comma = ',';
  }
  yield `},${JSON.stringify({ ...more, ...activity(core) }).slice(1)}`;
}

function levelsOf(core: Core, tree: Tree): KeyspaceLevels {
  const { compactions, care } = core.background;
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
  return { strategy, memtableBytes: tree.memtableBytes, levels, blobs: blobStats(tree) };
}

/** What runs, was decided, and may be done now. */
function activity(core: Core): Omit<LevelsReport, 'keyspaces'> {
  const { compactions } = core.background;
  const time = core.clock.now();
  const rate = compactions.bytesPerSecond;
  return {
    time,
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
