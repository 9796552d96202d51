/**
 * The phases of `adapt` and what is measured of one: a load that writes, then reads more than the cache holds, then writes
 * again, then both. Run in a child process of its own (child.ts).
 */
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { type Bytes, type Database, type DatabaseOptions, type Keyspace, open } from 'varve';
import { KeyBuffer, scatterStep } from '../keys.ts';
import { Random } from '../random.ts';
import { ValuePool } from '../values.ts';

const KEY_SIZE = 16;
const VALUE_SIZE = 100;
const SEED = 301;
const CHUNK = 1_000;
/** Compaction is at rest when it has written nothing for so long. */
const REST_MS = 2_500;

export type Mode = 'fixed' | 'adaptive';

export interface Job {
  readonly mode: Mode;
  readonly path: string;
  readonly entries: number;
  readonly memoryBytes: number;
}

export interface PhaseResult {
  readonly phase: string;
  readonly operations: number;
  readonly seconds: number;
  /** Processor time of the thread for one operation; of the whole process where the runtime can not say. */
  readonly cpuNs: number;
  readonly readBytes: number;
  readonly flushBytes: number;
  readonly compactionBytes: number;
  readonly rssBytes: number;
  /** Shares of the budget at its end. */
  readonly budget: { readonly memtables: number; readonly cache: number; readonly indexes: number };
}

export interface ModeResult {
  readonly phases: readonly PhaseResult[];
  /** Each decision in words. */
  readonly decisions: readonly string[];
}

/** What a phase does with one operation; the number says which. */
type Act = (index: number) => void;

export async function runPhases({ mode, path, entries, memoryBytes }: Job): Promise<ModeResult> {
  const db = await open(path, optionsOf(mode, memoryBytes));
  const decisions: string[] = [];
  const started = performance.now();
  db.events.addEventListener('adapt', (event) => {
    const at = ((performance.now() - started) / 1000).toFixed(1);
    decisions.push(`${at} s ${JSON.stringify((event as CustomEvent<unknown>).detail)}`);
  });
  try {
    const data = db.keyspace('bench');
    const { fill, overwrite, read, mixed } = acts(data, entries);
    const phases = [
      await measure(db, 'fill', entries, fill),
      await measure(db, 'overwrite', entries * 4, overwrite),
      await measure(db, 'read', entries * 3, read),
      await measure(db, 'overwrite', entries * 2, overwrite),
      await measure(db, '9 reads to a write', entries * 2, mixed),
    ];
    return { phases, decisions };
  } finally {
    await db.close();
  }
}

/** `fixed` gives the sizes that the other begins with, so that they stay. */
function optionsOf(mode: Mode, memoryBytesMax: number): DatabaseOptions {
  if (mode === 'adaptive') return { memoryBytesMax };
  const memtableBytesMax = Math.min(64 * 2 ** 20, Math.floor(memoryBytesMax / 2));
  const cacheBytesMax = memoryBytesMax - memtableBytesMax - Math.floor(memoryBytesMax / 8);
  const memtableBytes = Math.min(32 * 2 ** 20, Math.ceil(memtableBytesMax / 2));
  return { memoryBytesMax, memtableBytesMax, cacheBytesMax, keyspaceDefaults: { memtableBytes } };
}

function acts(
  data: Keyspace<Bytes, Bytes>,
  entries: number,
): Record<'fill' | 'overwrite' | 'read' | 'mixed', Act> {
  const random = new Random(SEED);
  const values = new ValuePool(VALUE_SIZE, random);
  const key = new KeyBuffer(KEY_SIZE);
  const step = scatterStep(entries);
  let scattered = 0;
  const overwrite = (): void => {
    key.set(random.below(entries));
    data.put(key.bytes, values.next());
  };
  const read = (): void => {
    key.set(random.below(entries));
    if (data.get(key.bytes) === undefined) throw new Error('an entry that was put is not there');
  };
  return {
    fill() {
      key.set(scattered);
      data.put(key.bytes, values.next());
      scattered = (scattered + step) % entries;
    },
    overwrite,
    read,
    mixed: (index) => (index % 10 === 0 ? overwrite() : read()),
  };
}

async function measure(db: Database, phase: string, operations: number, act: Act): Promise<PhaseResult> {
  const before = db.stats();
  const started = performance.now();
  const cpu = cpuNs();
  for (let from = 0; from < operations; from += CHUNK) {
    const to = Math.min(from + CHUNK, operations);
    for (let i = from; i < to; i++) act(i);
    await turn();
  }
  await db.sync('os');
  const seconds = (performance.now() - started) / 1000;
  const used = cpuNs() - cpu;
  await settled(db);
  const after = db.stats();
  return {
    phase,
    operations,
    seconds,
    cpuNs: used / operations,
    readBytes: after.read.bytes - before.read.bytes,
    flushBytes: after.written.flush - before.written.flush,
    compactionBytes: after.written.compaction - before.written.compaction,
    rssBytes: process.memoryUsage.rss(),
    budget: after.memoryBudget,
  };
}

/** Compactions that the phase has left to do are its own: resolves when they are done. */
async function settled(db: Database): Promise<void> {
  for (let before = -1, now = db.stats().written.compaction; now !== before; ) {
    await delay(REST_MS);
    before = now;
    now = db.stats().written.compaction;
  }
}

function cpuNs(): number {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return (user + system) * 1000;
}
