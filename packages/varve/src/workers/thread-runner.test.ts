import { afterEach, expect, it } from 'vitest';
import { type JobOutcome, type JobRequest, type Lane, LANES } from './job-runner.ts';
import { ThreadRunner } from './thread-runner.ts';

const entry = new URL('./thread-runner.suite.ts', import.meta.url);
const runners: ThreadRunner[] = [];

function make(limits: Partial<Record<Lane, number>> = {}): ThreadRunner {
  const one = Object.fromEntries(LANES.map((lane) => [lane, 1])) as Record<Lane, number>;
  const runner = new ThreadRunner({ entry, threads: { ...one, ...limits } });
  runners.push(runner);
  runner.hold();
  return runner;
}

afterEach(async () => {
  for (const runner of runners.splice(0)) await runner.close();
});

function run(runner: ThreadRunner, request: JobRequest): Promise<JobOutcome> {
  return new Promise((resolve) => runner.start(request, resolve));
}

/** A job that stays until `open`. */
class Gate {
  readonly #words = new Int32Array(new SharedArrayBuffer(8));
  readonly outcome: Promise<JobOutcome>;

  constructor(runner: ThreadRunner, lane: Lane) {
    this.outcome = run(runner, { lane, name: 'gate', input: { gate: this.#words } });
  }

  async begun(): Promise<this> {
    while (Atomics.load(this.#words, 0) === 0) await new Promise((resolve) => setImmediate(resolve));
    return this;
  }

  get hasBegun(): boolean {
    return Atomics.load(this.#words, 0) > 0;
  }

  open(): Promise<JobOutcome> {
    Atomics.store(this.#words, 1, 1);
    return this.outcome;
  }
}

const through = { ok: true, output: 'through' };

it('a job of every lane runs beside one of every other lane', async () => {
  const runner = make();
  const gates = LANES.map((lane) => new Gate(runner, lane));
  for (const gate of gates) await gate.begun();
  for (const gate of gates) expect(await gate.open()).toEqual(through);
});

it('an idle compaction thread takes a read that finds no thread of its own', async () => {
  const runner = make({ read: 1 });
  const first = await new Gate(runner, 'compaction').begun();
  await first.open();
  const reads = [new Gate(runner, 'read'), new Gate(runner, 'read')];
  for (const read of reads) await read.begun();
  for (const read of reads) expect(await read.open()).toEqual(through);
});

it('an idle flush or log thread takes nothing else', async () => {
  const runner = make({ read: 1 });
  for (const lane of ['io', 'flush'] as const) await (await new Gate(runner, lane).begun()).open();
  const first = await new Gate(runner, 'read').begun();
  const second = new Gate(runner, 'read');
  // Both threads have ended jobs since: what they could take they would have taken.
  for (const lane of ['io', 'flush'] as const) await (await new Gate(runner, lane).begun()).open();
  expect(second.hasBegun).toBe(false);
  await first.open();
  await (await second.begun()).open();
});

it('care does not run in the threads of reads and compactions', async () => {
  const runner = make();
  for (const lane of ['read', 'compaction', 'scan'] as const) {
    await (await new Gate(runner, lane).begun()).open();
  }
  const care = await new Gate(runner, 'care').begun();
  const others = (['read', 'compaction', 'scan'] as const).map((lane) => new Gate(runner, lane));
  for (const gate of others) await gate.begun();
  for (const gate of [care, ...others]) expect(await gate.open()).toEqual(through);
});

it('closing cancels the running job and ends the queued one at once', async () => {
  const runner = make();
  const running = await new Gate(runner, 'read').begun();
  const queued = new Gate(runner, 'read');
  await runner.close();
  expect(await running.outcome).toMatchObject({ ok: false });
  expect(await queued.outcome).toMatchObject({ ok: false });
  expect(queued.hasBegun).toBe(false);
});

it('memory that a job hands over arrives with its outcome', async () => {
  const outcome = await run(make(), { lane: 'read', name: 'hand', input: undefined });
  if (!outcome.ok) throw outcome.error;
  const bytes = outcome.output as Uint8Array;
  expect(bytes.length).toBe(1024 * 1024);
  expect(bytes.every((byte) => byte === 7)).toBe(true);
});

it('a job that throws leaves the thread to the next one', async () => {
  const runner = make();
  const failed = await run(runner, { lane: 'read', name: 'fail', input: undefined });
  expect(failed).toMatchObject({ ok: false, error: { message: 'as it was told' } });
  expect(await (await new Gate(runner, 'read').begun()).open()).toEqual(through);
});

it('a thread that dies fails its job and is replaced', async () => {
  const runner = make();
  const lost = await run(runner, { lane: 'read', name: 'exit', input: undefined });
  expect(lost).toMatchObject({ ok: false });
  expect(await (await new Gate(runner, 'read').begun()).open()).toEqual(through);
});

it('an entry that can not start fails its jobs', async () => {
  const threads = Object.fromEntries(LANES.map((lane) => [lane, 1])) as Record<Lane, number>;
  const runner = new ThreadRunner({ entry: new URL('./no-such-file.ts', import.meta.url), threads });
  runners.push(runner);
  runner.hold();
  const jobs = [1, 2].map(() => run(runner, { lane: 'read', name: 'gate', input: undefined }));
  for (const job of jobs) expect(await job).toMatchObject({ ok: false });
});

it('jobs are delivered without a turn of the event loop, those of threads that start as well', async () => {
  const runner = make();
  let delivered = 0;
  for (const lane of ['io', 'read'] as const) {
    runner.start({ lane, name: 'fail', input: undefined }, () => delivered++);
  }
  while (delivered < 2) runner.wait(1000);
  expect(delivered).toBe(2);
});
