/**
 * Runs compactions: asks the picker of each keyspace for a plan, hands a merge to a job and a move straight to the
 * installer, and keeps book of what runs so that no two touch the same files or keys.
 *
 * Plans stay booked until their edit is installed: until then the version still names their inputs. A compaction that fails
 * for another reason than a full disk stops its keyspace from compacting until the next open (a warning says so); writes
 * and reads go on. Owner's thread only.
 */
import { internal, VarveError } from '../base/errors.ts';
import type { CompactionInput } from '../compaction/compaction-job.ts';
import type { JobOutput } from '../compaction/job.ts';
import { type LeveledSettings, pickLeveled } from '../compaction/picker-leveled.ts';
import { type CompactionPlan, editOf } from '../compaction/plan.ts';
import { RunningSet } from '../compaction/running-set.ts';
import type { VersionEdit } from '../manifest/version-edit.ts';
import { tableBytesAt } from '../options/keyspace-settings.ts';
import type { RunningJob } from '../workers/job-runner.ts';
import { isDiskFull } from './durability.ts';
import type { Compactions, Core, Counters } from './core.ts';
import { tableSettings } from './job-input.ts';
import type { Tree } from './tree.ts';

const FULL_RETRY_MS = 1000;

export class CompactionRunner implements Compactions {
  readonly #core: Core;
  readonly #installed: () => void;
  readonly #forget: (numbers: readonly number[]) => void;
  readonly #running = new Map<Tree, RunningSet>();
  readonly #jobs = new Set<RunningJob>();
  readonly #failed = new Map<Tree, unknown>();
  /** Trees with nothing due and nothing running, and what that was found for: pickers see nothing else. */
  readonly #idle = new WeakMap<Tree, { readonly version: unknown; readonly settings: unknown }>();
  #count = 0;
  #isStopped = false;
  #isWaiting = false;
  #waiters: (() => void)[] = [];

  constructor(core: Core, installed: () => void, forget: (numbers: readonly number[]) => void) {
    this.#core = core;
    this.#installed = installed;
    this.#forget = forget;
  }

  /** Starts what is due, the most urgent keyspace first, as long as there are threads for it. */
  schedule(): void {
    while (!this.#isStopped && !this.#isWaiting && this.#count < this.#core.options.workers) {
      let best: { tree: Tree; plan: CompactionPlan } | undefined;
      for (const tree of this.#core.state.trees.values()) {
        if (this.#failed.has(tree)) continue;
        const { settings } = tree;
        const { version } = tree.view;
        const idle = this.#idle.get(tree);
        if (idle?.version === version && idle.settings === settings) continue;
        const running = this.runningOf(tree);
        const plan = pickLeveled(version, running, leveledSettings(tree));
        if (plan === undefined && running.size === 0) this.#idle.set(tree, { version, settings });
        if (plan !== undefined && (best === undefined || plan.score > best.plan.score)) best = { tree, plan };
      }
      if (best === undefined) return;
      this.start(best.tree, best.plan);
    }
  }

  /** What runs in a keyspace: what pickers have to keep away from. */
  runningOf(tree: Tree): RunningSet {
    let running = this.#running.get(tree);
    if (running === undefined) {
      running = new RunningSet();
      this.#running.set(tree, running);
    }
    return running;
  }

  /** The disk was full; nothing is started until it is tried again, which ends in a change. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Why a keyspace does not compact any more, if it does not. */
  failureOf(tree: Tree): unknown {
    return this.#failed.get(tree);
  }

  /** Runs one plan; the picker has said that it can run beside the others. */
  start(tree: Tree, plan: CompactionPlan): void {
    const core = this.#core;
    this.runningOf(tree).add(plan);
    this.#count++;
    const started = core.clock.monotonic();
    if (plan.kind === 'move') {
      this.#install(tree, plan, undefined, started);
      return;
    }
    const { floor, registered } = core.register.forJob();
    const input: CompactionInput = {
      directory: core.state.path,
      keyspace: tree.id,
      inputs: plan.inputs,
      outputLevel: plan.outputLevel,
      table: { ...tableSettings(tree, plan.depth), tableBytesMax: plan.tableBytesMax },
      historyFloor: floor,
      registered,
      below: plan.below,
      grandparents: plan.grandparents,
      fileNumbers: core.fileNumbers,
    };
    const job = core.runner.start({ lane: 'compaction', name: 'compaction', input }, (outcome) => {
      this.#jobs.delete(job);
      if (outcome.ok) this.#install(tree, plan, outcome.output as JobOutput, started);
      else {
        this.#end(tree, plan);
        this.#compactionFailed(tree, outcome.error);
      }
    });
    this.#jobs.add(job);
  }

  /** Resolves when something has ended or was installed. */
  async change(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  stop(): void {
    this.#isStopped = true;
    for (const job of this.#jobs) job.cancel();
    this.wake();
  }

  wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  #install(tree: Tree, plan: CompactionPlan, output: JobOutput | undefined, started: number): void {
    const core = this.#core;
    const outputs = output?.files ?? [];
    if (tree.isDropped || this.#isStopped) {
      this.#end(tree, plan);
      this.#forget(outputs.map((file) => file.number));
      return;
    }
    core.counters.compaction += output?.bytesWritten ?? 0;
    countMerged(core.counters, plan);
    const edit = (): VersionEdit => ({ ...editOf(tree.id, plan, outputs), ...core.editFacts() });
    core.installer.install(edit, (error) => {
      this.#end(tree, plan);
      if (error !== undefined) return;
      const inputs = plan.inputs.flatMap((level) => level.files);
      if (plan.kind === 'merge') this.#forget(inputs.map((file) => file.number));
      core.events.emit('compaction', () => ({
        keyspace: tree.name,
        fromLevel: plan.inputs[0]!.level,
        toLevel: plan.outputLevel,
        reason: plan.reason,
        filesIn: inputs.length,
        filesOut: plan.kind === 'move' ? inputs.length : outputs.length,
        bytesIn: inputs.reduce((sum, file) => sum + file.bytes, 0),
        bytesOut: output?.bytesWritten ?? 0,
        ms: core.clock.monotonic() - started,
      }));
      this.#installed();
    });
  }

  #end(tree: Tree, plan: CompactionPlan): void {
    this.runningOf(tree).remove(plan);
    this.#count--;
    if (tree.isDropped && this.runningOf(tree).size === 0) this.#running.delete(tree);
    this.wake();
  }

  #compactionFailed(tree: Tree, error: unknown): void {
    const core = this.#core;
    if (this.#isStopped || tree.isDropped) return;
    if (isDiskFull(error)) {
      this.#isWaiting = true;
      core.scheduler.after(FULL_RETRY_MS, () => {
        this.#isWaiting = false;
        this.schedule();
        this.wake();
      });
      return;
    }
    this.#failed.set(tree, error);
    core.background.versionInstalled(core.installer.version);
    core.pressure.relieved();
    core.events.emit('warning', () => ({
      code: 'COMPACTION_FAILED',
      message: `keyspace '${tree.name}' does not compact any more: ${error instanceof Error ? error.message : String(error)}`,
    }));
  }
}

/** What a compaction of level 0 takes down, and what of the level below it writes again because it lies where that does. */
function countMerged(counters: Counters, plan: CompactionPlan): void {
  if (plan.reason !== 'level0-files') return;
  for (const { level, files } of plan.inputs) {
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    if (level === 0) counters.merged += bytes;
    else counters.rewritten += bytes;
  }
}

/** The settings of a keyspace as the picker takes them. */
export function leveledSettings(tree: Tree): LeveledSettings {
  const { settings } = tree;
  return {
    level0Files: settings.compaction.level0Files,
    levelRatio: settings.levelRatio,
    levelBaseBytes: settings.compaction.level1Bytes,
    tableBytes: (depth) => tableBytesAt(settings, depth),
  };
}

/** The error of a compaction that was asked for and can not be made: of the kind and code of what stopped it. */
export function compactionRefused(tree: Tree, cause: unknown): Error {
  const why = `keyspace '${tree.name}' does not compact`;
  if (!(cause instanceof VarveError)) return internal(`${why}: ${String(cause)}`, { keyspace: tree.name });
  const context = { keyspace: tree.name, ...cause.context };
  return new VarveError(cause.kind, cause.code, `${why}: ${cause.message}`, context, { cause });
}
