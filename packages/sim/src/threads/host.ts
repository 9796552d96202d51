/**
 * The process that sessions run in: orders in a file that the argument names, one line of JSON with what was counted on standard output at the end.
 * In `kill` orders it writes until it is killed.
 */
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { open } from 'varve';
import { Random } from 'varve/testing';
import { Violation } from '../check.ts';
import { programEntry } from '../program-entry.ts';
import { Board, Life, PHASE } from './board.ts';
import { emptyModel } from './history.ts';
import { openKeyspaces } from './keyspaces.ts';
import {
  type HostOrders,
  journalOf,
  type KillOrders,
  optionsOf,
  promisesOf,
  type SessionsOrders,
} from './orders.ts';
import {
  nothingCarried,
  nothingCounted,
  Session,
  type SessionCounts,
  type SessionEnding,
  type SessionOrders,
} from './session.ts';
import type { WriterInput } from './writer.worker.ts';

const orders = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as HostOrders;

const endings: readonly SessionEnding[] = [
  'close',
  'close',
  'stop',
  'owner-dies',
  'owner-dies',
  'owner-closes',
];

async function runSessions({ path, seed, terminations, writers }: SessionsOrders): Promise<SessionCounts> {
  const random = new Random(seed);
  const carried = nothingCarried(writers);
  const total = nothingCounted();
  let firstLife = 1;
  while (total.terminations < terminations) {
    const ending = random.pick(endings);
    const session: SessionOrders = {
      path,
      seed: random.below(2 ** 31),
      writers,
      terminations: Math.min(terminations - total.terminations, 5 + random.below(60)),
      owner: ending === 'owner-dies' || random.oneIn(2) ? 'thread' : 'here',
      ending,
      options: optionsOf(random),
      firstLife,
    };
    const run = new Session(session, carried);
    try {
      await run.run();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const text = error instanceof Violation ? error.message : (error.stack ?? error.message);
      const context = JSON.stringify((error as { context?: unknown }).context ?? '');
      throw new Violation(
        `${text} ${context}\nafter ${total.terminations + run.counts.terminations} terminations, in session ${JSON.stringify(session)}`,
      );
    }
    firstLife = run.nextLife;
    add(total, run.counts);
  }
  return total;
}

function add(total: SessionCounts, more: SessionCounts): void {
  total.terminations += more.terminations;
  total.operations += more.operations;
  total.completed += more.completed;
  total.undone += more.undone;
  total.busy += more.busy;
  total.slowestMs = Math.max(total.slowestMs, more.slowestMs);
  for (const [kind, hits] of Object.entries(more.hits)) total.hits[kind] = (total.hits[kind] ?? 0) + hits;
}

/** Threads that write, and say in files what they were told. */
async function writeUntilKilled({ path, seed, writers, firstLife, models }: KillOrders): Promise<void> {
  const random = new Random(seed);
  const db = await open(path, optionsOf(random));
  openKeyspaces(db);
  const handle = db.share();
  const board = new Board();
  const lives: Life[] = [];
  for (let range = 0; range < writers; range++) {
    const life = new Life();
    lives.push(life);
    const model = emptyModel();
    for (const name of ['a', 'b'] as const)
      for (const entry of models[range]![name]) model[name].set(...entry);
    const input: WriterInput = {
      handle,
      seed,
      life: firstLife + range,
      range,
      ranges: writers,
      model,
      lifeMemory: life.memory,
      board: board.memory,
      journal: { sequences: journalOf(path, range), promises: promisesOf(path, range) },
    };
    const entry = programEntry('./writer.worker', import.meta.url);
    const worker = new Worker(entry.path, { workerData: input, execArgv: [...entry.execArgv] });
    worker.on('message', (end) => fail(new Violation(JSON.stringify(end))));
    worker.on('error', fail);
  }
  while (lives.some((life) => life.get(PHASE) === 0)) await new Promise((resolve) => setTimeout(resolve, 1));
  process.stdout.write('ready\n');
  setInterval(() => undefined, 1000);
}

function fail(error: unknown): void {
  const text =
    error instanceof Violation ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`${text}\n`);
  process.exit(3);
}

try {
  if (orders.kind === 'kill') await writeUntilKilled(orders);
  else {
    process.stdout.write(`${JSON.stringify(await runSessions(orders))}\n`);
    process.exit(0);
  }
} catch (error) {
  fail(error);
}
