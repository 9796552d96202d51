/**
 * Runs compactions: asks each keyspace for its next plan, hands a merge to jobs and what is only an edit straight to the
 * installer, and keeps book of what runs so that no two touch the same files or keys.
 *
 * A keyspace that nobody has named since the open is left alone: what its strategy is only the one who names it says.
 *
 * Order: what keeps writes going (level 0) before what the strategies want otherwise, before care (care.ts) and blob files
 * (blob-reclaim.ts). `workers` threads have something to do at once, and one more when level 0 is urgent: a long merge must
 * not keep writes waiting. A large merge is split over threads that are free, and counts as all of them.
 *
 * Plans stay booked until their edit is installed: until then the version still names their inputs. What becomes of
 * failures stands in failures.ts. Owner's thread only.
 */
import type { CompactionInput, JobPart } from '../../compaction/compaction-job.ts';
import type { JobOutput } from '../../compaction/job.ts';
import { type CompactionPlan, editOf, filesOf } from '../../compaction/plan.ts';
import { measureOf } from '../../compaction/measure.ts';
import { RunningSet } from '../../compaction/running-set.ts';
import type { VersionEdit } from '../../manifest/version-edit.ts';
import { bytesOf } from '../../manifest/version.ts';
import type { Timer } from '../../runtime/scheduler.ts';
import type { JobOutcome } from '../../workers/job-runner.ts';
import type { Compactions, Core } from '../core.ts';
import { tableSettings } from '../job-input.ts';
import { splitRange } from '../split-range.ts';
import { jobCode, tellProblems } from '../merging/job-code.ts';
import type { Tree } from '../tree.ts';
import { BlobReclaim } from './blob-reclaim.ts';
import { Decisions } from './decisions.ts';
import { Failures, isCancelled } from './failures.ts';
import { Filtering } from './filtering.ts';
import { Gate, isBefore, isUrgent } from './gate.ts';
import { countMerged } from './merged-bytes.ts';
import { NextPlan, pickerSettings } from './next-plan.ts';
import { Pace } from './pace.ts';
import { PlanRun } from './plan-run.ts';
import { readersAllow } from './readers-allow.ts';
import type { SpaceCare } from './space-care.ts';

const FULL_RETRY_MS = 1000;
const LOST_RETRY_MS = 100;
/** A merge is split into parts of at least so many bytes. */
const PART_BYTES_MIN = 64 * 1024 * 1024;

const NO_PARTS: readonly JobPart[] = [{ from: undefined, to: undefined }];

interface Candidate {
  readonly tree: Tree;
  readonly plan: CompactionPlan;
}

export class CompactionRunner implements Compactions {
  readonly decisions: Decisions = new Decisions();
  readonly gate: Gate;
  readonly #core: Core;
  readonly #care: SpaceCare;
  readonly #installed: () => void;
  readonly #forget: (tables: readonly number[], blobs?: readonly number[]) => void;
  readonly #running = new Map<Tree, RunningSet>();
  readonly #runs = new Map<CompactionPlan, PlanRun>();
  readonly #failures = new Failures();
  readonly #next: NextPlan;
  readonly #pace: Pace;
  readonly #filtering: Filtering;
  readonly blobs: BlobReclaim;
  /** Threads that what runs takes. */
  #count = 0;
  /** Of each plan that runs. */
  readonly #threads = new Map<CompactionPlan, number>();
  /** Runs until the next window begins, when something waits for it. */
  #opening: Timer | undefined;
  #isStopped = false;
  #isWaiting = false;
  #waiters: (() => void)[] = [];

  constructor(
    core: Core,
    care: SpaceCare,
    installed: () => void,
    forget: (tables: readonly number[], blobs?: readonly number[]) => void,
  ) {
    this.#core = core;
    this.#care = care;
    this.#installed = installed;
    this.#forget = forget;
    this.gate = new Gate(core.options.compactionWindows);
    this.#pace = new Pace(core);
    this.#filtering = new Filtering(core.register);
    this.blobs = new BlobReclaim(core.events);
    this.#next = new NextPlan((tree, { code, message }) => {
      core.events.emit('warning', () => ({ code, message: `keyspace '${tree.name}': ${message}` }));
    });
  }

  /** Starts what is due, the most urgent keyspace first, as long as there are threads for it. */
  schedule(): void {
    while (!this.#isStopped && !this.#isWaiting && this.#count <= this.#core.options.workers) {
      const best = this.#best() ?? (this.hasRoom ? this.#bestCare() : undefined);
      if (best === undefined) return;
      this.start(best.tree, best.plan);
    }
  }

  /** May one more start beside what runs? */
  get hasRoom(): boolean {
    return this.#count < this.#core.options.workers;
  }

  #best(): Candidate | undefined {
    let best: Candidate | undefined;
    const now = this.#core.clock.now();
    for (const tree of this.#eligible()) {
      const plan = this.dueIn(tree);
      if (plan === undefined || !this.#isTime(plan, now)) continue;
      if (!this.hasRoom && !isUrgent(plan) && plan.kind === 'merge') continue;
      if (best === undefined || isBefore(plan, best.plan)) best = { tree, plan };
    }
    return best;
  }

  /** What goes whole, or what the strategy wants; readers let it go. */
  dueIn(tree: Tree): CompactionPlan | undefined {
    const running = this.runningOf(tree);
    const plan =
      this.#care.pickCovered(tree, running) ?? this.#next.of(tree, running, this.#core.state.time.now());
    return plan !== undefined && readersAllow(this.#core, tree, plan) ? plan : undefined;
  }

  #bestCare(): Candidate | undefined {
    let best: Candidate | undefined;
    const now = this.#core.clock.now();
    for (const tree of this.#eligible()) {
      const running = this.runningOf(tree);
      const plan = this.#care.pick(tree, running) ?? this.blobs.pick(tree, running);
      if (plan === undefined || !this.#isTime(plan, now)) continue;
      if (best === undefined || plan.score > best.plan.score) best = { tree, plan };
    }
    return best;
  }

  /** May it start at this time of day? Else it is looked for again when the next window begins. */
  #isTime(plan: CompactionPlan, now: number): boolean {
    if (this.gate.lets(plan, now)) return true;
    this.#opening ??= this.#core.scheduler.after(this.gate.opensInMs(now), () => {
      this.#opening = undefined;
      this.schedule();
    });
    return false;
  }

  *#eligible(): Generator<Tree> {
    if (this.gate.isPaused) return;
    for (const tree of this.#core.state.trees.values()) {
      if (tree.isNamed && this.#failures.of(tree) === undefined) yield tree;
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

  /** The merge of a plan while it runs. */
  runOf(plan: CompactionPlan): PlanRun | undefined {
    return this.#runs.get(plan);
  }

  /** All that run, with their keyspaces. */
  *runs(): Generator<{ tree: Tree; run: PlanRun }> {
    for (const [tree, running] of this.#running) {
      for (const [plan, run] of this.#runs) if (running.has(plan)) yield { tree, run };
    }
  }

  /** The disk was full or a thread was lost; nothing is started until it is tried again, which ends in a change. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  get bytesPerSecond(): number {
    return this.#pace.bytesPerSecond;
  }

  failureOf(tree: Tree): unknown {
    return this.#failures.of(tree);
  }

  /** Time has passed: what depends on it may be due in this keyspace. */
  lookAgain(tree: Tree): void {
    this.#next.lookAgain(tree);
  }

  /** Runs one plan; the picker has said that it can run beside the others. */
  start(tree: Tree, plan: CompactionPlan): void {
    const core = this.#core;
    this.runningOf(tree).add(plan);
    core.background.compactionsChanged();
    const parts = plan.kind === 'merge' ? this.#partsOf(tree, plan) : NO_PARTS;
    this.#threads.set(plan, parts.length);
    this.#count += parts.length;
    const started = core.clock.monotonic();
    const measure = measureOf(tree.view.version, pickerSettings(tree), plan);
    this.decisions.add({ keyspace: tree.name, plan, measure, time: core.clock.now() });
    if (plan.kind !== 'merge') {
      this.#install(tree, plan, undefined, started);
      return;
    }
    const env = { runner: core.runner, remove: this.#forget };
    const done = (outcome: JobOutcome): void => {
      this.#runs.delete(plan);
      this.#pace.ended();
      if (outcome.ok) {
        const output = outcome.output as JobOutput;
        this.#failures.succeeded(tree);
        tellProblems(core.events, tree, output.problems);
        this.#install(tree, plan, output, started, input.versions);
        return;
      }
      this.#end(tree, plan);
      this.#failed(tree, outcome.error);
    };
    const input = this.#inputOf(tree, plan);
    const run = new PlanRun(env, plan, input, parts, done);
    this.#runs.set(plan, run);
    this.#pace.started();
    run.start();
  }

  #inputOf(tree: Tree, plan: CompactionPlan): CompactionInput {
    const core = this.#core;
    const { floor, registered, time, versions } = core.history.readersFor(tree);
    return {
      directory: core.state.path,
      keyspace: tree.id,
      inputs: plan.inputs,
      outputLevel: plan.outputLevel,
      table: { ...tableSettings(tree, plan.depth), tableBytesMax: plan.tableBytesMax },
      historyFloor: floor,
      readerTime: time,
      versions,
      registered,
      below: plan.below,
      grandparents: plan.grandparents,
      emptied: this.blobs.emptied(tree),
      fileNumbers: core.fileNumbers,
      pace: this.#pace.memory,
      code: jobCode(core, tree, this.#filtering.isOn(tree)),
    };
  }

  /** One part, or as many as there are threads free for it. What stays in level 0 becomes one file. */
  #partsOf(tree: Tree, plan: CompactionPlan): readonly JobPart[] {
    const { runner, options, tables } = this.#core;
    const files = filesOf(plan);
    const free = options.workers - this.#count;
    const parts = Math.min(free, Math.floor(bytesOf(files) / PART_BYTES_MIN));
    if (parts < 2 || plan.outputLevel === 0 || runner.kind !== 'threads') return NO_PARTS;
    const version = {
      levels: tree.view.version.levels.map((level) => level.filter((file) => files.includes(file))),
    };
    try {
      const ranges = splitRange({ version }, tables, { lower: undefined, upper: undefined }, parts);
      return ranges.map(({ lower, upper }) => ({ from: lower, to: upper }));
    } catch {
      // A table that can not be read: the job meets it too, and its failure is answered for.
      return NO_PARTS;
    }
  }

  /** Calls a merge off; it ends with a change, and nothing of it is left. */
  cancel(plan: CompactionPlan): void {
    this.#runs.get(plan)?.cancel();
  }

  /** Resolves when something has ended or was installed. */
  async change(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  stop(): void {
    this.#isStopped = true;
    this.#opening?.cancel();
    for (const run of this.#runs.values()) run.cancel();
    this.#pace.stop();
    this.wake();
  }

  wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  /** @param versions that the job was to keep of a key */
  #install(
    tree: Tree,
    plan: CompactionPlan,
    output: JobOutput | undefined,
    started: number,
    versions: number = Number.POSITIVE_INFINITY,
  ): void {
    const core = this.#core;
    const outputs = output?.files ?? [];
    const blobs = output?.blobs ?? [];
    const forgetOutputs = (): void =>
      this.#forget(
        outputs.map((file) => file.number),
        blobs.map((blob) => blob.number),
      );
    if (tree.isDropped || this.#isStopped) {
      this.#end(tree, plan);
      forgetOutputs();
      return;
    }
    core.counters.compaction += output?.bytesWritten ?? 0;
    countMerged(core.counters, plan);
    this.blobs.note(tree, output?.unreadBlobs ?? []);
    let isSeen = false;
    const look = (): boolean =>
      (isSeen ||= !this.#filtering.mayInstall(tree, output) || core.history.versionsOf(tree.id) > versions);
    let isEmpty = false;
    const edit = (): VersionEdit => {
      isEmpty = look();
      if (isEmpty) return core.editFacts();
      return {
        ...editOf(tree.id, plan, outputs),
        addedBlobs: blobs.map((blob) => ({ keyspace: tree.id, blob })),
        ...core.editFacts(),
      };
    };
    const done = (error: unknown): void => {
      this.#end(tree, plan);
      if (error !== undefined) return;
      if (isSeen) {
        forgetOutputs();
        this.schedule();
        return;
      }
      const inputs = filesOf(plan);
      if (plan.kind !== 'move') this.#forget(inputs.map((file) => file.number));
      this.#care.installed(tree, plan, output);
      core.events.emit('compaction', () => ({
        keyspace: tree.name,
        kind: plan.kind,
        fromLevel: plan.inputs[0]!.level,
        toLevel: plan.outputLevel,
        reason: plan.reason,
        filesIn: inputs.length,
        filesOut: plan.kind === 'move' ? inputs.length : outputs.length,
        bytesIn: bytesOf(inputs),
        bytesOut: output?.bytesWritten ?? 0,
        dropped: output?.dropped ?? 0,
        ms: core.clock.monotonic() - started,
      }));
      this.#installed();
    };
    core.installer.install(edit, done, () => isEmpty || !look());
  }

  #end(tree: Tree, plan: CompactionPlan): void {
    this.runningOf(tree).remove(plan);
    this.#core.background.compactionsChanged();
    this.#count -= this.#threads.get(plan)!;
    this.#threads.delete(plan);
    if (tree.isDropped && this.runningOf(tree).size === 0) this.#running.delete(tree);
    this.wake();
  }

  #failed(tree: Tree, error: unknown): void {
    const core = this.#core;
    if (this.#isStopped || tree.isDropped) return;
    if (isCancelled(error)) {
      this.schedule();
      return;
    }
    const answer = this.#failures.failed(tree, error);
    if (answer !== 'stop') {
      this.#isWaiting = true;
      core.scheduler.after(answer === 'wait' ? FULL_RETRY_MS : LOST_RETRY_MS, () => {
        this.#isWaiting = false;
        this.schedule();
        this.wake();
      });
      return;
    }
    core.background.versionInstalled(core.installer.current);
    core.pressure.relieved();
    core.events.emit('warning', () => ({
      code: 'COMPACTION_FAILED',
      message: `keyspace '${tree.name}' does not compact any more: ${error instanceof Error ? error.message : String(error)}`,
    }));
  }
}
