/**
 * The rig's parent: starts the processes that threads run and die in, and kills some of them whole.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { open } from 'varve';
import { Random } from 'varve/testing';
import { Violation } from '../check.ts';
import { programEntry } from '../program-entry.ts';
import { checkCounters, count, judgeRecovered, type LifeRecord } from './judge.ts';
import { openKeyspaces } from './keyspaces.ts';
import { type HostOrders, journalOf, type KillOrders, optionsOf, promisesOf } from './orders.ts';
import { type Carried, nothingCarried, type SessionCounts } from './session.ts';

interface HostEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process may take so long for one termination, all in all, before it counts as hanging. */
const MS_EACH = 10_000;
const MS_MIN = 120_000;

/** Runs `terminations` in one process of their own; throws a Violation with what it found. */
export async function runSessions(
  seed: number,
  terminations: number,
  writers: number,
  keepFailed: boolean,
): Promise<SessionCounts> {
  return inDirectory(keepFailed, async (root) => {
    const orders: HostOrders = { kind: 'sessions', path: join(root, 'db'), seed, terminations, writers };
    const { code, signal, stdout, stderr } = await runHost(
      orders,
      MS_MIN + MS_EACH * terminations,
      () => undefined,
    );
    if (code !== 0) throw new Violation(`the process ended with ${code ?? signal}: ${stderr}`);
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as SessionCounts;
  });
}

export interface KillCounts {
  kills: number;
  operations: number;
}

/** Kills a process with threads that write `kills` times, over the same database, and judges what is left each time. */
export async function runKills(
  seed: number,
  kills: number,
  writers: number,
  keepFailed: boolean,
): Promise<KillCounts> {
  const random = new Random(seed);
  const carried = nothingCarried(writers);
  const counts: KillCounts = { kills: 0, operations: 0 };
  return inDirectory(keepFailed, async (root) => {
    const path = join(root, 'db');
    for (let firstLife = 1; counts.kills < kills; firstLife += writers) {
      for (let range = 0; range < writers; range++) {
        for (const file of [journalOf(path, range), promisesOf(path, range)]) rmSync(file, { force: true });
      }
      const models = carried.models.map(({ a, b }) => ({ a: [...a], b: [...b] }));
      const orders: KillOrders = {
        kind: 'kill',
        path,
        seed: random.below(2 ** 31),
        writers,
        firstLife,
        models,
      };
      const delay = random.below(random.pick([20, 200, 1000]));
      const { signal, stderr } = await runHost(orders, MS_MIN, (kill) => setTimeout(kill, delay));
      if (signal !== 'SIGKILL') throw new Violation(`a writing process ended by itself: ${stderr}`);
      counts.kills++;
      counts.operations += await judgeKilled(orders, carried);
    }
    return counts;
  });
}

async function judgeKilled(
  { path, seed, writers, firstLife }: KillOrders,
  carried: Carried,
): Promise<number> {
  const db = await open(path, optionsOf(new Random(seed)));
  let operations = 0;
  try {
    const keyspaces = openKeyspaces(db);
    const { sequence } = db.stats();
    const snapshot = db.snapshot();
    for (let range = 0; range < writers; range++) {
      const sequences = numbersOf(journalOf(path, range));
      const acked = sequences.length;
      const handedOver = numbersOf(promisesOf(path, range))[0] ?? 0;
      const base = carried.models[range]!;
      const life = firstLife + range;
      const record: LifeRecord = {
        seed,
        life,
        range,
        base,
        started: acked + 1,
        acked,
        handedOver,
        sequences,
      };
      const { model, from, to } = judgeRecovered(snapshot, keyspaces, record, sequence);
      carried.models[range] = model;
      count(carried.counters, record, from, to);
      operations += from;
    }
    snapshot.close();
    checkCounters(carried.counters, keyspaces);
    keyspaces.common.deleteRange({ gte: 'race', lt: 'racf' });
  } finally {
    await db.close();
  }
  return operations;
}

function numbersOf(path: string): Float64Array {
  try {
    const bytes = readFileSync(path);
    return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (bytes.length & ~7)));
  } catch {
    // It was killed before it had anything to note.
    return new Float64Array(0);
  }
}

/** Starts the process and reads it to its end; `ready` is called with what kills it once it says so. */
async function runHost(
  orders: HostOrders,
  hangMs: number,
  ready: (kill: () => void) => unknown,
): Promise<HostEnd> {
  const entry = programEntry('./host', import.meta.url);
  // In a file: what a database holds is more than fits an argument.
  const file = `${orders.path}.orders`;
  writeFileSync(file, JSON.stringify(orders));
  const child = spawn(process.execPath, [...entry.execArgv, entry.path, file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Most of what a short life takes is loading the engine.
    env: { ...process.env, NODE_COMPILE_CACHE: join(dirname(orders.path), 'code') },
  });
  const kill = (): void => void child.kill('SIGKILL');
  const hanging = setTimeout(kill, hangMs);
  process.once('exit', kill);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (text.includes('ready\n')) ready(kill);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  try {
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (...how) => resolve(how));
    });
    return { code, signal, stdout, stderr };
  } finally {
    clearTimeout(hanging);
    process.off('exit', kill);
    kill();
  }
}

async function inDirectory<T>(keepFailed: boolean, run: (root: string) => Promise<T>): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), 'varve-threads-'));
  let isDone = false;
  try {
    const result = await run(root);
    isDone = true;
    return result;
  } catch (error) {
    if (keepFailed && error instanceof Violation)
      throw new Violation(`${error.message}\nwhat is left is in ${root}`);
    throw error;
  } finally {
    if (isDone || !keepFailed) rmSync(root, { recursive: true, force: true });
  }
}
