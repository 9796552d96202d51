import { expect, test } from 'vitest';
import { VarveError } from '../../base/errors.ts';
import type { CompactionInput, JobPart } from '../../compaction/compaction-job.ts';
import type { JobOutput } from '../../compaction/job.ts';
import { JobProgress } from '../../compaction/job-progress.ts';
import { parseKeyspace } from '../../compaction/picker.suite.ts';
import { planOf } from '../../compaction/plan.ts';
import { bytesOfText, sampleFile } from '../../manifest/samples.suite.ts';
import { type JobOutcome, type JobRequest, type JobRunner, workerLost } from '../../workers/job-runner.ts';
import { isCancelled } from './failures.ts';
import { PlanRun } from './plan-run.ts';

interface Job {
  readonly input: CompactionInput;
  readonly done: (outcome: JobOutcome) => void;
  isCancelled: boolean;
}

const keyspace = parseKeyspace(['L5: 3[a-m] 4[n-z]', 'L6: 1[a-m] 2[n-z]']);
const plan = planOf(
  keyspace,
  { tableBytes: () => 1000 },
  {
    inputs: [{ level: 5, files: keyspace.levels[5]! }],
    outputLevel: 6,
    depth: 1,
    reason: 'manual',
    score: 0,
  },
);
const middle = bytesOfText('n');
const halves: JobPart[] = [
  { from: undefined, to: middle },
  { from: middle, to: undefined },
];
const whole: JobPart[] = [{ from: undefined, to: undefined }];

/** A run whose jobs the test ends, and what comes of it. */
function started(parts: readonly JobPart[]): {
  run: PlanRun;
  jobs: Job[];
  removed: number[];
  outcomes: JobOutcome[];
} {
  const jobs: Job[] = [];
  const removed: number[] = [];
  const outcomes: JobOutcome[] = [];
  const runner = {
    start: (request: JobRequest, done: (outcome: JobOutcome) => void) => {
      const job: Job = { input: request.input as CompactionInput, done, isCancelled: false };
      jobs.push(job);
      return { cancel: () => void (job.isCancelled = true) };
    },
  } as unknown as JobRunner;
  const env = { runner, remove: (numbers: readonly number[]) => void removed.push(...numbers) };
  const run = new PlanRun(
    env,
    plan,
    { inputs: plan.inputs } as unknown as CompactionInput,
    parts,
    (outcome) => outcomes.push(outcome),
  );
  run.start();
  return { run, jobs, removed, outcomes };
}

function output(entriesIn: number, ...numbers: number[]): JobOutcome {
  const files = numbers.map((number) => sampleFile(number, 'a', 'b'));
  const made: JobOutput = {
    files,
    blobs: [],
    unreadBlobs: [],
    bytesRead: 4000,
    bytesWritten: 1000 * files.length,
    entriesIn,
    entriesOut: entriesIn - 1,
    keysOut: entriesIn - 1,
    dropped: 1,
    problems: [],
    filteredFrom: undefined,
  };
  return { ok: true, output: made };
}

const cancelled = new VarveError('closed', 'CANCELLED', 'the job was cancelled');
const full = new VarveError('io', 'IO_ERROR', 'no room', { system: 'ENOSPC' });

test('one job gets the whole input and gives its output', () => {
  const { jobs, outcomes } = started(whole);
  expect(jobs.map(({ input }) => input.part)).toEqual([undefined]);
  const outcome = output(40, 7);
  jobs[0]!.done(outcome);
  expect(outcomes).toEqual([outcome]);
});

test('several jobs get ranges, and give one output in key order, whichever ends first', () => {
  const { jobs, outcomes, removed } = started(halves);
  expect(jobs.map(({ input }) => input.part)).toEqual(halves);
  jobs[1]!.done(output(15, 8, 9));
  expect(outcomes).toEqual([]);
  jobs[0]!.done(output(25, 7));
  expect(outcomes).toMatchObject([
    { ok: true, output: { bytesRead: 4000, bytesWritten: 3000, entriesIn: 40, entriesOut: 38, dropped: 2 } },
  ]);
  const [{ output: made }] = outcomes as unknown as [{ output: JobOutput }];
  expect(made.files.map(({ number }) => number)).toEqual([7, 8, 9]);
  expect(removed).toEqual([]);
});

test('a part that fails calls the others off, and nothing of any is left', () => {
  const { jobs, outcomes, removed } = started(halves);
  jobs[0]!.done({ ok: false, error: full });
  expect([jobs[1]!.isCancelled, outcomes]).toEqual([true, []]);
  jobs[1]!.done({ ok: false, error: cancelled });
  expect(outcomes).toEqual([{ ok: false, error: full }]);
  expect(removed).toEqual([]);
});

test('a part that had ended before another failed is taken back', () => {
  const { jobs, outcomes, removed } = started(halves);
  jobs[1]!.done(output(20, 8, 9));
  jobs[0]!.done({ ok: false, error: full });
  expect(outcomes).toEqual([{ ok: false, error: full }]);
  expect(removed).toEqual([8, 9]);
});

test('a part that ends although it was called off is taken back', () => {
  const { jobs, outcomes, removed } = started(halves);
  jobs[0]!.done({ ok: false, error: full });
  jobs[1]!.done(output(20, 8));
  expect([outcomes, removed]).toEqual([[{ ok: false, error: full }], [8]]);
});

test('files of a part whose thread died are removed, by what it had announced', () => {
  const { jobs, outcomes, removed } = started(halves);
  const progress = new JobProgress(jobs[0]!.input.progress!);
  progress.creates(11);
  progress.creates(12);
  const lost = workerLost();
  jobs[0]!.done({ ok: false, error: lost });
  expect(removed).toEqual([11, 12]);
  jobs[1]!.done({ ok: false, error: cancelled });
  expect(outcomes).toEqual([{ ok: false, error: lost }]);
});

test('two threads that die are both cleaned up after, and the first is told of', () => {
  const { jobs, outcomes, removed } = started(halves);
  for (const [i, job] of jobs.entries()) new JobProgress(job.input.progress!).creates(20 + i);
  const lost = workerLost();
  jobs[1]!.done({ ok: false, error: lost });
  jobs[0]!.done({ ok: false, error: workerLost() });
  expect(removed).toEqual([21, 20]);
  expect(outcomes).toEqual([{ ok: false, error: lost }]);
});

test('parts that have not met every entry together are corruption, and taken back', () => {
  const { jobs, outcomes, removed } = started(halves);
  jobs[0]!.done(output(20, 7));
  jobs[1]!.done(output(19, 8));
  expect(outcomes).toMatchObject([
    { ok: false, error: { kind: 'corruption', context: { expected: 40, got: 39 } } },
  ]);
  expect(removed).toEqual([7, 8]);
});

test('called off it ends once, when all its jobs have', () => {
  const { run, jobs, outcomes } = started(halves);
  run.cancel();
  expect(jobs.map((job) => job.isCancelled)).toEqual([true, true]);
  for (const job of jobs) job.done({ ok: false, error: cancelled });
  expect(outcomes).toHaveLength(1);
  expect(isCancelled((outcomes[0] as { error: unknown }).error)).toBe(true);
});

test('what is done is the sum of its jobs', () => {
  const { run, jobs } = started(halves);
  for (const job of jobs) new JobProgress(job.input.progress!).pass(2048);
  expect([run.doneBytes, run.jobs]).toEqual([4096, 2]);
});
