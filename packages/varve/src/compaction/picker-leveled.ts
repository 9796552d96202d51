/**
 * Leveled compaction: decides what to do next, as a pure function of the version, the running plans and the settings.
 *
 * Level 0 is due when it has `level0Files` files. Below it, each level is `levelRatio` times larger than the one above, and
 * is due when it is over its target. Targets are dynamic (RocksDB's level_compaction_dynamic_level_bytes): the deepest level
 * sets the scale and the levels above it get a fixed share of it, so that about 1/levelRatio of the data can be replaced
 * versions. The base level, where level 0 goes, is the deepest one at first and rises as the data grows; levels between
 * level 0 and the base level are empty.
 *
 * From level 0 it takes files that are closed under overlap, with the base level's files counting as links. From a deeper
 * level it takes the file that drags along the fewest bytes of the next level for its own size. That needs no cursor: what
 * was compacted is gone from the level, and what is left is judged anew.
 */
import { bytesOf, filesOverlapping, type KeyspaceVersion } from '../manifest/version.ts';
import { closedGroups } from './picker-level0.ts';
import { type CompactionPlan, isBlocked, planOf, type RunningPlans, type TableSizes } from './plan.ts';

export interface LeveledSettings extends TableSizes {
  /** Files in level 0 that make it due. */
  readonly level0Files: number;
  readonly levelRatio: number;
  /** The least target of any level, and the most that the base level gets. */
  readonly levelBaseBytes: number;
}

/** What the sizes of the levels ask for. */
export interface LevelShape {
  /** Where level 0 goes: no level between has files. */
  readonly baseLevel: number;
  /** Bytes that each level may hold; Infinity for the deepest. The first, of level 0, means nothing. */
  readonly targets: readonly number[];
}

export interface LevelScore {
  readonly level: number;
  /** 1 is due. Files of running plans do not count: they are on their way. */
  readonly score: number;
}

export function levelShape({ levels }: KeyspaceVersion, settings: LeveledSettings): LevelShape {
  const { levelBaseBytes, levelRatio } = settings;
  const deepest = levels.length - 1;
  const firstUsed = levels.findIndex((files, level) => level > 0 && files.length > 0);
  let baseLevel = firstUsed < 0 ? deepest : firstUsed;
  const largest = Math.max(...levels.slice(1).map(bytesOf));
  let baseBytes = largest / levelRatio ** (deepest - baseLevel);
  for (; baseLevel > 1 && baseBytes > levelBaseBytes; baseLevel--) baseBytes /= levelRatio;
  // A level that data had to itself before it shrank still takes its turn, or little data would lie in many levels for good.
  baseBytes = Math.max(Math.min(baseBytes, levelBaseBytes), levelBaseBytes / levelRatio);
  const targets = levels.map((_, level) => {
    if (level === deepest) return Number.POSITIVE_INFINITY;
    return Math.max(levelBaseBytes, baseBytes * levelRatio ** Math.max(0, level - baseLevel));
  });
  return { baseLevel, targets };
}

/** Every level that can be due, the most urgent first; of equals the upper one. */
export function levelScores(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: LeveledSettings,
): LevelScore[] {
  const { targets } = levelShape(keyspace, settings);
  return keyspace.levels
    .slice(0, -1)
    .map((files, level) => {
      const free = files.filter((file) => !running.holds(file.number));
      return {
        level,
        score: level === 0 ? free.length / settings.level0Files : bytesOf(free) / targets[level]!,
      };
    })
    .sort((a, b) => b.score - a.score);
}

/** The next compaction; undefined when none is due, or none that is due can run beside those that are running. */
export function pickLeveled(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: LeveledSettings,
): CompactionPlan | undefined {
  for (const { level, score } of levelScores(keyspace, running, settings)) {
    if (score < 1) return undefined;
    const plan =
      level === 0
        ? pickFromLevel0(keyspace, running, settings, score)
        : pickFile(keyspace, running, settings, level, score);
    if (plan !== undefined) return plan;
  }
  return undefined;
}

/** The largest closed group of level 0 that can run; of equals the one with the oldest file. */
export function pickFromLevel0(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: LeveledSettings,
  score: number,
): CompactionPlan | undefined {
  const { baseLevel } = levelShape(keyspace, settings);
  for (const upper of closedGroups(keyspace, baseLevel)) {
    const plan = planOf(keyspace, settings, {
      inputs: [{ level: 0, files: upper }],
      outputLevel: baseLevel,
      depth: 1,
      reason: 'level0-files',
      score,
    });
    if (!isBlocked(plan, running)) return plan;
  }
  return undefined;
}

/** The file with the smallest overlap for its size; of equals the one with the smallest key. */
function pickFile(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  settings: LeveledSettings,
  level: number,
  score: number,
): CompactionPlan | undefined {
  const { baseLevel } = levelShape(keyspace, settings);
  const candidates = keyspace.levels[level]!.map((file) => ({
    file,
    cost: bytesOf(filesOverlapping(keyspace, level + 1, file)) / Math.max(1, file.bytes),
  })).sort((a, b) => a.cost - b.cost);
  for (const { file } of candidates) {
    const plan = planOf(keyspace, settings, {
      inputs: [{ level, files: [file] }],
      outputLevel: level + 1,
      depth: level + 2 - baseLevel,
      reason: 'level-size',
      score,
    });
    if (!isBlocked(plan, running)) return plan;
  }
  return undefined;
}
