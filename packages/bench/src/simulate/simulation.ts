/**
 * One run: a workload, a picker, a machine. Entries of the model stand for `scale` real ones each, so bytes, files and
 * times are those of the database that is meant, while keys and versions are counted one by one.
 *
 * Deterministic: the same input gives the same outcome. At its end every key is looked up and compared with what was
 * written (truth.ts); with `verify` after each memtable as well.
 */
import { UsageError } from '../options.ts';
import { filesOverlapping } from 'varve/internals';
import { encodeKey, type Points, sortWrites, SEQUENCE_MAX, WRITES_MAX } from './contents.ts';
import { type Fragment, fragmentsOf } from './fragments.ts';
import { Machine, type Rates } from './machine.ts';
import type { Picker } from './picker.ts';
import { Tree } from './tree.ts';
import { problemOf, Truth } from './truth.ts';
import type { Workload } from './workload.ts';
import { Writes } from './writes.ts';

export interface Sizes {
  /** Keys of the database that is meant. */
  readonly entries: number;
  /** Real entries for one of the model. */
  readonly scale: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  /** A memtable is full; entries take more room in it than in a table. */
  readonly memtableBytes: number;
}

export interface SimulationInput {
  readonly workload: Workload;
  readonly picker: Picker;
  readonly sizes: Sizes;
  readonly rates: Rates;
  readonly seed: number;
  readonly verify: boolean;
}

/** A moment of a run. */
export interface Sample {
  readonly seconds: number;
  /** Real operations so far. */
  readonly operations: number;
  /** Bytes of flush and compaction over bytes written, from the start. */
  readonly writeAmplification: number;
  /** Bytes on disk over those of the live entries. */
  readonly spaceAmplification: number;
  /** Tables that a get may have to ask, over probes. */
  readonly runs: number;
  readonly level0Files: number;
}

export interface Outcome {
  readonly samples: readonly Sample[];
  readonly seconds: number;
  readonly userBytes: number;
  readonly flushBytes: number;
  readonly compactionBytes: number;
  readonly liveBytes: number;
  readonly diskBytes: number;
  /** The most at once, the inputs of running compactions and what they have written included, over live bytes then. */
  readonly spaceAmplificationMax: number;
  readonly runsMean: number;
  readonly runsMax: number;
  readonly level0FilesMax: number;
  readonly stalledSeconds: number;
  readonly delayedSeconds: number;
  readonly merges: number;
  readonly moves: number;
  readonly drops: number;
  /** Files by level at the end. */
  readonly levels: readonly number[];
}

/** What the engine's B+tree takes for an entry beside its key and value. */
const MEMTABLE_ENTRY_BYTES = 42;
const RANGE_BYTES = 16;
/** Steps in which a memtable fills, so that what is delayed is known in between. */
const STEPS = 8;
/** Amplification of space is not looked at before so much of all operations: little data makes any ratio. */
const WARM_UP = 0.1;
const PROBES = 64;

/** A key is not found with its newest version: the picker has broken the order of places. */
export class LossError extends Error {
  override readonly name = 'LossError';
}

export function simulate(input: SimulationInput): Outcome {
  return new Run(input).run();
}

class Run {
  readonly #input: SimulationInput;
  readonly #tree: Tree;
  readonly #truth: Truth;
  readonly #machine: Machine;
  readonly #writes: Writes;
  readonly #entries: number;
  readonly #ttl: number | undefined;
  readonly #samples: Sample[] = [];
  readonly #keys: Uint32Array;
  readonly #stamps: Uint32Array;
  #count = 0;
  #ranges: Fragment[] = [];
  #memtableBytes = 0;
  #sinceStep = 0;
  #sequence = 0;
  #userBytes = 0;
  #spaceMax = 0;

  constructor(input: SimulationInput) {
    const { workload, picker, rates, seed } = input;
    const { entries, scale, keyBytes, valueBytes, memtableBytes } = input.sizes;
    this.#input = input;
    this.#entries = Math.max(1, Math.round(entries / scale));
    this.#writes = new Writes(workload, this.#entries, seed);
    const { total } = this.#writes;
    const perMemtable = Math.ceil(memtableBytes / (scale * (keyBytes + MEMTABLE_ENTRY_BYTES))) + 1;
    if (total > SEQUENCE_MAX || perMemtable > WRITES_MAX)
      throw new UsageError(`${total} operations of the model, ${perMemtable} in a memtable: raise --scale.`);
    this.#keys = new Uint32Array(perMemtable);
    this.#stamps = new Uint32Array(perMemtable);
    this.#ttl = workload.ttl === undefined ? undefined : Math.round(workload.ttl * this.#entries);
    this.#truth = new Truth(this.#entries, this.#ttl === undefined ? undefined : total);
    this.#tree = new Tree({
      put: scale * (keyBytes + valueBytes),
      delete: scale * keyBytes,
      rangeDelete: 2 * keyBytes + RANGE_BYTES,
    });
    this.#machine = new Machine(this.#tree, picker, rates, {
      peak: (bytes) => this.#observe(bytes),
      dropped: (contents) => this.#truth.forget(contents),
      liveOf: (file) => this.#tree.liveOf(file, this.#truth),
    });
  }

  run(): Outcome {
    const { memtableBytes } = this.#input.sizes;
    const writes = this.#writes;
    while (writes.next()) {
      this.#rest();
      this.#write();
      if (this.#sinceStep >= memtableBytes / STEPS) this.#step();
      if (this.#memtableBytes >= memtableBytes) this.#rotate();
    }
    this.#rotate();
    this.#rest();
    this.#machine.rest();
    this.#sample();
    this.#verify();
    return this.#outcome();
  }

  #write(): void {
    const { scale, keyBytes, valueBytes } = this.#input.sizes;
    const writes = this.#writes;
    const { kind, key } = writes;
    const sequence = ++this.#sequence;
    let bytes = keyBytes;
    let real = scale;
    if (kind === 'range-delete') {
      this.#ranges.push({ start: key, end: writes.end, sequence });
      this.#truth.deleteRange(key, writes.end);
      bytes = 2 * keyBytes;
      real = 1;
    } else {
      this.#keys[this.#count] = key;
      this.#stamps[this.#count++] = sequence * 2 + Number(kind === 'delete');
      if (kind === 'put') {
        bytes += valueBytes;
        this.#truth.put(key, sequence);
      } else this.#truth.delete(key);
    }
    this.#userBytes += real * bytes;
    this.#sinceStep += real * (bytes + MEMTABLE_ENTRY_BYTES);
    this.#memtableBytes += real * (bytes + MEMTABLE_ENTRY_BYTES);
    if (this.#ttl !== undefined && sequence > this.#ttl) {
      this.#truth.expire(sequence - this.#ttl);
      this.#machine.expiredThrough = sequence - this.#ttl;
    }
  }

  /** Time goes on by what was written since the last step. */
  #step(): void {
    const { keyBytes, valueBytes } = this.#input.sizes;
    const userShare = (keyBytes + valueBytes) / (keyBytes + valueBytes + MEMTABLE_ENTRY_BYTES);
    this.#machine.write(this.#sinceStep * userShare);
    this.#sinceStep = 0;
  }

  #rotate(): void {
    this.#step();
    if (this.#count === 0 && this.#ranges.length === 0) return;
    const points: Points = sortWrites(this.#keys, this.#stamps, this.#count);
    this.#machine.rotate({ ...points, fragments: fragmentsOf(this.#ranges) });
    this.#count = 0;
    this.#ranges = [];
    this.#memtableBytes = 0;
    this.#sample();
    if (this.#input.verify) this.#verify();
  }

  /** The workload makes a pause. */
  #rest(): void {
    const seconds = this.#writes.idleSeconds;
    if (seconds === 0) return;
    this.#writes.idleSeconds = 0;
    this.#rotate();
    for (let i = 1; i <= STEPS; i++) {
      this.#machine.rest(this.#machine.now + seconds / STEPS);
      this.#sample();
    }
  }

  get #liveBytes(): number {
    const { scale, keyBytes, valueBytes } = this.#input.sizes;
    return this.#truth.live * scale * (keyBytes + valueBytes);
  }

  #observe(diskBytes: number): void {
    if (this.#sequence < WARM_UP * this.#writes.total) return;
    this.#spaceMax = Math.max(this.#spaceMax, diskBytes / Math.max(1, this.#liveBytes));
  }

  #sample(): void {
    const machine = this.#machine;
    const { flushBytes, compactionBytes, diskBytes } = machine;
    this.#observe(diskBytes);
    this.#samples.push({
      seconds: machine.now,
      operations: this.#sequence * this.#input.sizes.scale,
      writeAmplification: (flushBytes + compactionBytes) / Math.max(1, this.#userBytes),
      spaceAmplification: diskBytes / Math.max(1, this.#liveBytes),
      runs: this.#runs(),
      level0Files: this.#tree.keyspace.levels[0]!.length,
    });
  }

  /** Tables over a key, in the mean of a few keys. */
  #runs(): number {
    const { levels } = this.#tree.keyspace;
    let runs = 0;
    for (let probe = 0; probe < PROBES; probe++) {
      const key = encodeKey(Math.floor(((probe + 0.5) / PROBES) * this.#entries));
      const span = { smallestKey: key, largestKey: key, largestExclusive: false };
      for (let level = 0; level < levels.length; level++)
        runs += filesOverlapping(this.#tree.keyspace, level, span).length;
    }
    return runs / PROBES;
  }

  #verify(): void {
    const { immutable } = this.#machine;
    const places = this.#tree.places();
    if (immutable !== undefined) places.unshift({ name: 'the memtable', contents: immutable });
    const problem = problemOf(places, this.#truth);
    if (problem !== undefined) throw new LossError(`after ${this.#sequence} operations: ${problem}`);
  }

  #outcome(): Outcome {
    const machine = this.#machine;
    const samples = this.#samples;
    const runs = samples.map((sample) => sample.runs);
    return {
      samples,
      seconds: machine.now,
      userBytes: this.#userBytes,
      flushBytes: machine.flushBytes,
      compactionBytes: machine.compactionBytes,
      liveBytes: this.#liveBytes,
      diskBytes: machine.diskBytes,
      spaceAmplificationMax: this.#spaceMax,
      runsMean: runs.reduce((sum, each) => sum + each, 0) / runs.length,
      runsMax: Math.max(...runs),
      level0FilesMax: machine.level0FilesMax,
      stalledSeconds: machine.stalledSeconds,
      delayedSeconds: machine.delayedSeconds,
      merges: machine.merges,
      moves: machine.moves,
      drops: machine.drops,
      levels: this.#tree.keyspace.levels.map((files) => files.length),
    };
  }
}
