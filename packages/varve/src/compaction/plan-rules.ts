/**
 * Holds a plan against the rules at the top of plan.ts: asked for what a picker of the user chose, and by the tests for what
 * ours choose. Says in words what is broken, so that whoever wrote the picker can mend it.
 */
import { type FileMeta, hullOf, spansOverlap } from '../manifest/file-meta.ts';
import { filesOverlapping, type KeyspaceVersion } from '../manifest/version.ts';
import { type CompactionPlan, filesOf } from './plan.ts';

/** The rule that the plan breaks; undefined when it is safe. */
export function brokenRule(keyspace: KeyspaceVersion, plan: CompactionPlan): string | undefined {
  const deepest = keyspace.levels.length - 1;
  const { inputs, outputLevel, kind } = plan;
  if (!Number.isInteger(outputLevel) || outputLevel < 0 || outputLevel > deepest) {
    return `the output level is ${outputLevel}, not one of 0 to ${deepest}`;
  }
  const chosen = new Set(filesOf(plan));
  if (chosen.size === 0) return 'it takes no file';
  for (const { level, files } of inputs) {
    if (level > outputLevel) return `it takes files of level ${level} up to level ${outputLevel}`;
    const missing = files.find((file) => !keyspace.levels[level]?.includes(file));
    if (missing !== undefined) return `file ${missing.number} is not in level ${level}`;
  }
  return (
    brokenInLevel0(keyspace, plan, chosen) ??
    (kind === 'drop' ? undefined : brokenBelow(keyspace, plan, chosen))
  );
}

/** Rule (1). */
function brokenInLevel0(
  keyspace: KeyspaceVersion,
  { inputs, outputLevel, kind }: CompactionPlan,
  chosen: ReadonlySet<FileMeta>,
): string | undefined {
  const level0 = keyspace.levels[0]!;
  const ages = level0.flatMap((file, age) => (chosen.has(file) ? [age] : []));
  if (ages.length === 0 || kind === 'drop') return undefined;
  const hull = hullOf(inputs[0]!.files);
  const oldest = Math.min(...inputs[0]!.files.map((file) => file.smallestSequence));
  const newest = Math.max(...inputs[0]!.files.map((file) => file.largestSequence));
  for (const [age, file] of level0.entries()) {
    if (chosen.has(file)) continue;
    if (outputLevel === 0) {
      const isApart = file.smallestSequence > newest || file.largestSequence < oldest;
      if (!isApart && spansOverlap(file, hull)) {
        return `file ${file.number} of level 0 overlaps its files, and is neither newer than all of them nor older`;
      }
      continue;
    }
    const newer = ages.find((each) => each < age && spansOverlap(level0[each]!, file));
    if (newer !== undefined) {
      return `file ${level0[newer]!.number} would sink past file ${file.number}, which is older and overlaps it`;
    }
  }
  return undefined;
}

/** Rule (2). */
function brokenBelow(
  keyspace: KeyspaceVersion,
  { inputs, outputLevel }: CompactionPlan,
  chosen: ReadonlySet<FileMeta>,
): string | undefined {
  for (let level = inputs[0]!.level + 1; level <= outputLevel; level++) {
    // What is of the level itself sinks past nothing there; where they arrive the outputs lie anywhere between all inputs.
    const sinking = inputs.filter((each) => each.level < level).flatMap(({ files }) => files);
    const hull = hullOf(level === outputLevel ? [...chosen] : sinking);
    const left = filesOverlapping(keyspace, level, hull).find((file) => !chosen.has(file));
    if (left !== undefined)
      return `file ${left.number} of level ${level} overlaps what would sink to level ${outputLevel}`;
  }
  return undefined;
}
