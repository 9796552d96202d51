import { expect, test } from 'vitest';
import { TABLE_TAIL, type Piece, type WantedPiece } from '../sstable/cold-reads.ts';
import type { ReadPiecesInput, ReadPiecesOutput } from '../sstable/read-pieces.ts';
import type { AheadRun } from '../sstable/table-window.ts';
import type { JobOutcome, JobRequest, JobRunner, RunningJob } from '../workers/job-runner.ts';
import { BlockFetcher } from './block-fetcher.ts';

/** Keeps its jobs until the test ends them. */
class HeldRunner implements JobRunner {
  readonly kind = 'threads';
  readonly jobs: { request: JobRequest; done: (outcome: JobOutcome) => void; isCancelled: boolean }[] = [];
  holds = 0;

  start(request: JobRequest, done: (outcome: JobOutcome) => void): RunningJob {
    const job = { request, done, isCancelled: false };
    this.jobs.push(job);
    return {
      cancel: () => {
        job.isCancelled = true;
      },
    };
  }

  /** Ends the oldest job: each piece is one byte, the lowest of its offset; `missing` offsets come not. */
  end(missing: readonly number[] = []): void {
    const { request, done } = this.jobs.shift()!;
    if (request.name === 'read-tail') {
      done({
        ok: true,
        output: {
          fileBytes: 99,
          footer: Uint8Array.of(7),
          blocks: [{ offset: 60, bytes: Uint8Array.of(60) }],
        },
      });
      return;
    }
    const { offsets } = request.input as ReadPiecesInput;
    const output: ReadPiecesOutput = {
      memory: [Uint8Array.from(offsets)],
      memoryOf: Int32Array.from(offsets, (offset) => (missing.includes(offset) ? -1 : 0)),
      starts: Uint32Array.from(offsets, (_, i) => i),
      lengths: new Uint32Array(offsets.length).fill(1),
    };
    done({ ok: true, output });
  }

  offsets(): number[][] {
    return this.jobs.map(({ request }) => [...((request.input as Partial<ReadPiecesInput>).offsets ?? [])]);
  }

  prepare(): void {}
  poll(): number {
    return 0;
  }
  wait(): boolean {
    return false;
  }
  hold(): void {
    this.holds++;
  }
  unhold(): void {
    this.holds--;
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}

const make = (threads = 2): { runner: HeldRunner; fetcher: BlockFetcher } => {
  const runner = new HeldRunner();
  return { runner, fetcher: new BlockFetcher(runner, 'pread', threads) };
};

const piece = (offset: number, file = 1): WantedPiece => ({
  file,
  path: `/${file}`,
  uniqueId: new Uint8Array(16),
  offset,
  length: 10,
  type: 1,
});

const microtasks = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const byteOf = (found: Piece | undefined): number | undefined => found && found.bytes[found.start];

test('reads of one turn share jobs, and a piece that several want is read once', async () => {
  const { runner, fetcher } = make();
  const reads = [
    fetcher.fetch([piece(3), piece(1)], () => undefined),
    fetcher.fetch([piece(1)], () => undefined),
  ];
  await microtasks();
  expect(runner.offsets()).toEqual([[1, 3]]);
  runner.end();
  await Promise.all(reads);
  expect(runner.jobs).toEqual([]);
});

test('what came can be found while it is used, and not after', async () => {
  const { runner, fetcher } = make();
  let seen: number | undefined;
  const read = fetcher.fetch([piece(5)], () => (seen = byteOf(fetcher.find(1, 5))));
  await microtasks();
  expect(fetcher.find(1, 5)).toBeUndefined();
  runner.end();
  await read;
  expect(seen).toBe(5);
  expect(fetcher.find(1, 5)).toBeUndefined();
  expect(runner.holds).toBe(0);
});

test('a piece waits for the others that the same read wants', async () => {
  const { runner, fetcher } = make();
  const seen: (number | undefined)[] = [];
  const read = fetcher.fetch(
    Array.from({ length: 20 }, (_, i) => piece(i)),
    () => {
      for (let i = 0; i < 20; i++) seen.push(byteOf(fetcher.find(1, i)));
    },
  );
  await microtasks();
  expect(runner.jobs.length).toBeGreaterThan(1);
  while (runner.jobs.length > 0) {
    expect(seen).toEqual([]);
    runner.end();
    await microtasks();
  }
  await read;
  expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i));
});

test('at most two jobs for each thread are out; the rest waits its turn', async () => {
  const { runner, fetcher } = make(2);
  const reads = Array.from({ length: 100 }, (_, i) =>
    fetcher.fetch(
      Array.from({ length: 20 }, (__, k) => piece(i * 1000 + k, i)),
      () => undefined,
    ),
  );
  await microtasks();
  let jobs = 0;
  while (runner.jobs.length > 0) {
    expect(runner.jobs.length).toBeLessThanOrEqual(4);
    runner.end();
    jobs++;
    await microtasks();
  }
  await Promise.all(reads);
  expect(fetcher.jobsAtOnce).toBe(4);
  expect(jobs).toBeLessThan(100);
});

const runOf = (offsets: readonly number[], arrived: (pieces: readonly Piece[]) => void): AheadRun => ({
  pieces: offsets.map((offset) => piece(offset)),
  arrival: Promise.resolve(),
  arrived,
  memory: undefined,
});

test('reads that are waited for go before runs that are read ahead, and a run that was called off is not read', async () => {
  const { runner, fetcher } = make(1);
  const arrived: number[] = [];
  const runs = [10, 20, 30, 40].map((offset) => runOf([offset], () => arrived.push(offset)));
  for (const run of runs) fetcher.fetchRun(run);
  await microtasks();
  const read = fetcher.fetch([piece(99)], () => arrived.push(99));
  fetcher.callOff(runs[2]!);
  await microtasks();
  expect(runner.offsets()).toEqual([[10], [20]]);
  for (let i = 0; i < 4; i++) {
    runner.end();
    await microtasks();
  }
  await read;
  expect(arrived).toEqual([10, 20, 99, 40]);
  expect(fetcher.waiting).toBe(0);
});

test('a piece that can not be read is there as one that failed', async () => {
  const { runner, fetcher } = make();
  const failed: (boolean | undefined)[] = [];
  const read = fetcher.fetch([piece(1), piece(2)], () => {
    for (const offset of [1, 2]) failed.push(fetcher.find(1, offset)?.isFailed);
  });
  await microtasks();
  runner.end([2]);
  await read;
  expect(failed).toEqual([false, true]);
});

test('a job that fails leaves its pieces as failed', async () => {
  const { runner, fetcher } = make();
  let isFailed: boolean | undefined;
  const read = fetcher.fetch([piece(1)], () => (isFailed = fetcher.find(1, 1)?.isFailed));
  await microtasks();
  runner.jobs.shift()!.done({ ok: false, error: new Error('the thread died') });
  await read;
  expect(isFailed).toBe(true);
});

test('what opening a table takes comes together', async () => {
  const { runner, fetcher } = make();
  const tail = { ...piece(TABLE_TAIL), type: TABLE_TAIL };
  const seen: unknown[] = [];
  const read = fetcher.fetch([tail], () => {
    seen.push(fetcher.find(1, TABLE_TAIL)?.fileBytes, byteOf(fetcher.find(1, 60)), fetcher.find(1, 61));
  });
  await microtasks();
  runner.end();
  await read;
  expect(seen).toEqual([99, 60, undefined]);
  expect(fetcher.find(1, 60)).toBeUndefined();
});

test('closing lets everybody go on, cancels the jobs and begins no other', async () => {
  const { runner, fetcher } = make(1);
  let used = 0;
  let runs = 0;
  const reads = [piece(1), piece(2, 2)].map((each) => fetcher.fetch([each], () => used++));
  for (const offset of [10, 20, 30])
    fetcher.fetchRun(runOf([offset], (pieces) => (runs += pieces[0]!.isFailed ? 1 : 100)));
  await microtasks();
  const { jobs } = runner;
  const out = jobs.length;
  fetcher.close();
  await Promise.all(reads);
  expect([used, runs]).toEqual([2, 3]);
  expect(jobs.every(({ isCancelled }) => isCancelled)).toBe(true);
  while (jobs.length > 0) runner.end();
  await fetcher.fetch([piece(5)], () => used++);
  await microtasks();
  expect(used).toBe(3);
  expect(fetcher.jobsStarted).toBe(out);
  expect(runner.holds).toBe(0);
});
