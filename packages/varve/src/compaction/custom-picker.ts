/**
 * The way from a picker of the user to a plan: shows it the tables, and turns what it chooses into a plan or into a refusal
 * that names what is wrong. Nothing that a picker does or returns goes on unchecked.
 */
import { VarveError } from '../base/errors.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import type { KeyspaceVersion } from '../manifest/version.ts';
import type { CompactionFile, CompactionPicker } from '../options/compaction-picker.ts';
import { brokenRule } from './plan-rules.ts';
import {
  type CompactionPlan,
  isBlocked,
  type LevelFiles,
  planOf,
  type RunningPlans,
  type TableSizes,
} from './plan.ts';

/**
 * What the picker wants next; undefined when nothing, or when that has to wait for something that runs.
 *
 * @throws VarveError `PICKER_REJECTED` (kind invalid) for a choice that breaks a rule or is none, and when the picker throws
 */
export function pickCustom(
  keyspace: KeyspaceVersion,
  running: RunningPlans,
  sizes: TableSizes,
  picker: CompactionPicker,
  now: number,
): CompactionPlan | undefined {
  const levels = keyspace.levels.map((files) => files.map(showFile));
  const isBusy = (file: CompactionFile): boolean => running.holds(file.number);
  let plan: CompactionPlan | string | undefined;
  try {
    const choice: unknown = picker.pick({ levels, isBusy, now });
    // What it returns may throw as well when it is looked at.
    plan = choice === undefined ? undefined : planOfChoice(keyspace, sizes, choice);
  } catch (error) {
    throw rejected(picker, `it threw ${error instanceof Error ? error.message : show(error)}`, error);
  }
  if (plan === undefined) return undefined;
  if (typeof plan === 'string') throw rejected(picker, plan);
  const broken = brokenRule(keyspace, plan);
  if (broken !== undefined) throw rejected(picker, broken);
  return isBlocked(plan, running) ? undefined : plan;
}

/** A copy: the picker can not change what the engine has. */
function showFile(file: FileMeta): CompactionFile {
  const { newestTime } = file;
  return {
    number: file.number,
    bytes: file.bytes,
    entries: file.entries,
    tombstones: file.tombstones,
    rangeTombstones: file.rangeTombstones,
    smallestKey: file.smallestKey.slice(),
    largestKey: file.largestKey.slice(),
    largestExclusive: file.largestExclusive,
    smallestSequence: file.smallestSequence,
    largestSequence: file.largestSequence,
    ...(newestTime !== undefined && { newestTime }),
  };
}

/** The plan, or what keeps it from being one. */
function planOfChoice(
  keyspace: KeyspaceVersion,
  sizes: TableSizes,
  choice: unknown,
): CompactionPlan | string {
  if (choice === null || typeof choice !== 'object') return `it returned ${show(choice)}, not a choice`;
  const { files, outputLevel, score = 1, tableBytesMax } = choice as Readonly<Record<string, unknown>>;
  if (!Array.isArray(files) || files.length === 0) return 'its choice has no list of files';
  const numbers = new Set(files.map((file) => (file as CompactionFile | undefined)?.number));
  const inputs: LevelFiles[] = keyspace.levels.flatMap((all, level) => {
    const taken = all.filter((file) => numbers.delete(file.number));
    return taken.length === 0 ? [] : [{ level, files: taken }];
  });
  if (numbers.size > 0) return `it chose ${show([...numbers][0])}, which is no file of the keyspace`;
  const deepest = keyspace.levels.length - 1;
  if (!Number.isInteger(outputLevel) || (outputLevel as number) < 0 || (outputLevel as number) > deepest) {
    return `its output level is ${show(outputLevel)}, not one of 0 to ${deepest}`;
  }
  if (typeof score !== 'number' || !(score >= 0))
    return `its score is ${show(score)}, not a number from 0 on`;
  if (tableBytesMax !== undefined && !(typeof tableBytesMax === 'number' && tableBytesMax >= 1)) {
    return 'its tableBytesMax is not a number of bytes';
  }
  const to = outputLevel as number;
  return planOf(keyspace, sizes, {
    inputs,
    outputLevel: to,
    depth: to,
    reason: 'custom',
    score,
    ...(tableBytesMax !== undefined && { tableBytesMax }),
  });
}

/** As text; not every object has one. */
function show(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function rejected(picker: CompactionPicker, why: string, cause?: unknown): VarveError {
  const message = `the compaction picker '${picker.name}' is not asked any more: ${why}`;
  return new VarveError('invalid', 'PICKER_REJECTED', message, { picker: picker.name, why }, { cause });
}
