/**
 * The log on the simulated disk: random use, a crash at a random operation, recovery, and on in the next life. What was
 * synced must be there, what was handed over must survive a killed process, nothing may have a hole or old bytes in it.
 */
import { expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { equalBytes } from '../base/bytes.ts';
import { SimFs } from '../fs/sim-fs.ts';
import { SimulatedCrash } from '../fs/sim-power.ts';
import type { Log } from './log.ts';
import { appendSome, bodyOf, LogBench } from './log.suite.ts';

const LENGTHS = [4, 40, 300, 900];

/** What the engine would know and what it has promised. */
interface Model {
  /** Bodies by sequence - 1, of the life that wrote them. */
  readonly bodies: { length: number; life: number }[];
  /** Sequence up to which the test's manifest calls everything flushed. */
  flushed: number;
  handedOver: number;
  synced: number;
}

/** The engine's I/O lane: work that was asked for and is done later, in order. */
type Lane = (() => void)[];

function use(bench: LogBench, log: Log, model: Model, lane: Lane, random: Random, life: number): void {
  switch (random.below(12)) {
    case 0:
      log.syncNow();
      break;
    case 1:
      log.handOver();
      lane.push(askSync(bench, log));
      break;
    case 2:
      lane.shift()?.();
      break;
    case 3:
    case 4:
      log.handOver();
      break;
    case 5:
      log.writeMarker();
      break;
    case 6:
      bench.syncedPosition = log.synced;
      break;
    case 7: {
      if (log.syncedSequence > model.flushed)
        model.flushed += random.below(log.syncedSequence - model.flushed + 1);
      bench.firstSegment = Math.max(bench.firstSegment, log.firstNeeded(model.flushed));
      for (const path of log.release(model.flushed, bench.firstSegment))
        lane.push(() => bench.fs.remove(path));
      break;
    }
    default: {
      const length = random.pick(LENGTHS);
      model.bodies.push({ length, life });
      appendSome(log, 1, length, life);
    }
  }
  model.handedOver = Math.max(model.handedOver, log.handedOverSequence);
  model.synced = Math.max(model.synced, log.syncedSequence);
}

/** An fsync by name, as a job does it; the result carries it out and tells the log. */
function askSync({ fs }: LogBench, log: Log): () => void {
  const { paths, directory, upTo, sequence } = log.unsynced();
  return () => {
    for (const path of paths) {
      const file = fs.open(path, 'readWrite');
      file.dataSync();
      file.close();
    }
    if (directory !== undefined) fs.syncDirectory(directory);
    log.markSynced(upTo, sequence);
  };
}

/** Recovers (a crash in between recovers again) and checks what came back against what was promised. */
function recover(bench: LogBench, model: Model, promised: number, random: Random): Log {
  const machine = bench.fs as SimFs;
  if (random.oneIn(3)) crashWithin(machine, random, 6);
  try {
    const { log, recovered } = bench.reopen();
    machine.onOperation = undefined;
    const { report, batches } = recovered;
    const first = batches[0]?.sequence ?? report.lastSequence + 1;
    expect(first).toBeLessThanOrEqual(Math.max(model.flushed, report.lastSequence) + 1);
    for (const [i, { sequence, body }] of batches.entries()) {
      expect(sequence).toBe(first + i);
      const { length, life } = model.bodies[sequence - 1]!;
      expect(equalBytes(body, bodyOf(sequence, length, life))).toBe(true);
    }
    expect(Math.max(report.lastSequence, model.flushed)).toBeGreaterThanOrEqual(promised);
    return log;
  } catch (error) {
    if (!(error instanceof SimulatedCrash)) throw error;
    bench.fs = machine.crash(random);
    // The power went this time, so only what was synced is owed.
    return recover(bench, model, model.synced, random);
  }
}

function crashWithin(machine: SimFs, random: Random, operations: number): void {
  let left = random.below(operations);
  machine.onOperation = () => {
    if (left-- <= 0) throw new SimulatedCrash();
  };
}

function run(seed: number): void {
  const random = new Random(seed);
  const bench = new LogBench(new SimFs());
  bench.settings = {
    segmentBytes: random.pick([300, 1000, 4000]),
    bufferBytes: random.pick([200, 1000, 4096]),
  };
  const model: Model = { bodies: [], flushed: 0, handedOver: 0, synced: 0 };
  let log = bench.open();
  for (let life = 1; life <= 5; life++) {
    const machine = bench.fs as SimFs;
    const lane: Lane = [];
    crashWithin(machine, random, 60);
    try {
      for (let step = 0; step < 200; step++) use(bench, log, model, lane, random, life);
      machine.stop();
    } catch (error) {
      if (!(error instanceof SimulatedCrash)) throw error;
    }
    machine.onOperation = undefined;
    const killed = random.oneIn(3);
    bench.fs = killed ? machine.crashProcess() : machine.crash(random);
    log = recover(bench, model, killed ? model.handedOver : model.synced, random);
    // What was not recovered is gone, and its sequences are given out again.
    model.bodies.length = log.lastSequence;
    model.handedOver = log.lastSequence;
    model.synced = log.lastSequence;
  }
}

test('120 seeds of five lives each lose nothing that was promised and leave no hole', () => {
  const failures: string[] = [];
  for (let seed = 1; seed <= 120; seed++) {
    try {
      run(seed);
    } catch (error) {
      failures.push(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
  expect(failures).toEqual([]);
});
