/**
 * One merge that runs: its job, or, for a large one where threads are free, several jobs that each do a range of its keys.
 * It ends once, when all have ended: with the tables of all in key order, or with the first failure, and then nothing that
 * any of them made is left. Owner's thread.
 */
import { corruption } from '../../base/errors.ts';
import type { CompactionInput, JobPart } from '../../compaction/compaction-job.ts';
import type { JobOutput } from '../../compaction/job.ts';
import { JobProgress } from '../../compaction/job-progress.ts';
import { filesOf, type CompactionPlan } from '../../compaction/plan.ts';
import { bytesOf } from '../../manifest/version.ts';
import type { JobOutcome, JobRunner, RunningJob } from '../../workers/job-runner.ts';
import { modulesOf } from '../merging/code-modules.ts';
import { isLost } from './failures.ts';

export interface PlanRunEnv {
  readonly runner: JobRunner;
  /** Removes tables and blob files that nobody will name. */
  remove(tables: readonly number[], blobs: readonly number[]): void;
}

export class PlanRun {
  readonly plan: CompactionPlan;
  readonly bytes: number;
  readonly #env: PlanRunEnv;
  readonly #parts: Part[];
  readonly #done: (outcome: JobOutcome) => void;
  #left: number;
  #failure: unknown;
  #hasFailed = false;

  /**
   * @param input of the whole
   * @param parts ranges that follow each other and together are all keys; one for a job that is not split
   */
  constructor(
    env: PlanRunEnv,
    plan: CompactionPlan,
    input: CompactionInput,
    parts: readonly JobPart[],
    done: (outcome: JobOutcome) => void,
  ) {
    this.#env = env;
    this.plan = plan;
    this.bytes = bytesOf(filesOf(plan));
    this.#done = done;
    this.#left = parts.length;
    this.#parts = parts.map((part) => {
      const memory = JobProgress.memory();
      const whole = { ...input, progress: memory };
      return {
        progress: new JobProgress(memory),
        input: parts.length === 1 ? whole : { ...whole, part },
        job: undefined,
        output: undefined,
      };
    });
  }

  start(): void {
    for (const part of this.#parts) {
      part.job = this.#env.runner.start(
        { lane: 'compaction', name: 'compaction', input: part.input, ...modulesOf(part.input.code) },
        (outcome) => this.#ended(part, outcome),
      );
    }
  }

  /** Bytes of keys and values gone through; at the end about as many as the inputs hold before compression. */
  get doneBytes(): number {
    return this.#parts.reduce((sum, { progress }) => sum + progress.doneBytes, 0);
  }

  get jobs(): number {
    return this.#parts.length;
  }

  cancel(): void {
    for (const { job } of this.#parts) job?.cancel();
  }

  #ended(part: Part, outcome: JobOutcome): void {
    if (outcome.ok) part.output = outcome.output as JobOutput;
    else {
      if (isLost(outcome.error)) {
        const created = part.progress.created();
        // Of which kind each is, only the thread knew.
        this.#env.remove(created, created);
      }
      if (!this.#hasFailed) {
        this.#hasFailed = true;
        this.#failure = outcome.error;
        this.cancel();
      }
    }
    if (--this.#left > 0) return;
    if (!this.#hasFailed) this.#check();
    if (this.#hasFailed) this.#env.remove(this.#parts.flatMap(filesMade), this.#parts.flatMap(blobsMade));
    this.#done(
      this.#hasFailed
        ? { ok: false, error: this.#failure }
        : { ok: true, output: joined(this.#parts.map(({ output }) => output!)) },
    );
  }

  /** Of several jobs none knows how many entries it should meet; all together have to meet every one. */
  #check(): void {
    if (this.#parts.length === 1) return;
    const expected = filesOf(this.plan).reduce((sum, file) => sum + file.entries, 0);
    const got = this.#parts.reduce((sum, { output }) => sum + output!.entriesIn, 0);
    if (got === expected) return;
    this.#hasFailed = true;
    const message = 'the inputs of a compaction hold another number of entries than is known of them';
    this.#failure = corruption(message, { expected, got });
  }
}

interface Part {
  readonly progress: JobProgress;
  readonly input: CompactionInput;
  job: RunningJob | undefined;
  output: JobOutput | undefined;
}

function filesMade({ output }: Part): number[] {
  return output === undefined ? [] : output.files.map((file) => file.number);
}

function blobsMade({ output }: Part): number[] {
  return output === undefined ? [] : output.blobs.map((blob) => blob.number);
}

function joined(outputs: readonly JobOutput[]): JobOutput {
  const sum = (of: (output: JobOutput) => number): number =>
    outputs.reduce((total, output) => total + of(output), 0);
  return {
    files: outputs.flatMap(({ files }) => files),
    blobs: outputs.flatMap(({ blobs }) => blobs),
    unreadBlobs: [...new Set(outputs.flatMap(({ unreadBlobs }) => unreadBlobs))],
    // Each part names the whole of what it read from.
    bytesRead: outputs[0]!.bytesRead,
    bytesWritten: sum(({ bytesWritten }) => bytesWritten),
    entriesIn: sum(({ entriesIn }) => entriesIn),
    entriesOut: sum(({ entriesOut }) => entriesOut),
    keysOut: sum(({ keysOut }) => keysOut),
    dropped: sum(({ dropped }) => dropped),
    problems: outputs.flatMap(({ problems }) => problems),
    filteredFrom: outputs.reduce<number | undefined>(
      (least, { filteredFrom }) =>
        filteredFrom === undefined ? least : Math.min(least ?? filteredFrom, filteredFrom),
      undefined,
    ),
  };
}
