/**
 * A thread that shares the database: attaches, writes its history, and reads in between what it must find. It is terminated
 * at any point of all that, or ends by itself when the database is closed under it.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { attach, type Database, type ShareHandle, VarveError } from 'varve';
import { Random } from 'varve/testing';
import { Violation } from '../check.ts';
import {
  ACKED,
  Board,
  BUSY,
  HANDED_OVER,
  Life,
  type LifeMemory,
  OPERATIONS_MAX,
  PHASE,
  PHASE_ATTACHED,
  PHASE_ENDED,
  STARTED,
} from './board.ts';
import { openKeyspaces, type Keyspaces } from './keyspaces.ts';
import { apply, counted, type Operation, operationAt, type RangeModel } from './history.ts';
import { Reader } from './reader.ts';

export interface WriterInput {
  readonly handle: ShareHandle;
  readonly seed: number;
  readonly life: number;
  readonly range: number;
  readonly ranges: number;
  readonly model: RangeModel;
  readonly lifeMemory: LifeMemory;
  readonly board: SharedArrayBuffer;
  /** Files in which what was acknowledged is noted so that it survives the process; undefined when nothing has to. */
  readonly journal: { readonly sequences: string; readonly promises: string } | undefined;
}

/** How the thread ended: by itself when it was told to, refused with a code, or with what it found. */
export type WriterEnd =
  | { readonly ended: 'stopped' }
  | { readonly ended: 'refused'; readonly code: string }
  | { readonly ended: 'violation'; readonly message: string };

const input = workerData as WriterInput;
const { seed, life, range, model } = input;
const words = new Life(input.lifeMemory);
const board = new Board(input.board);
const random = new Random(seed ^ Math.imul(life, 0x2545f491));
/** After so many operations the event loop turns. */
const TURN = 40;

class Writer {
  readonly #db: Database;
  readonly #keyspaces: Keyspaces;
  readonly #reader: Reader;
  readonly #journal: Journal | undefined;

  constructor(db: Database) {
    this.#db = db;
    this.#keyspaces = openKeyspaces(db);
    this.#reader = new Reader(db, this.#keyspaces, range, input.ranges, model, random);
    this.#journal = input.journal === undefined ? undefined : new Journal(input.journal);
  }

  async run(): Promise<void> {
    for (let index = 0; index < OPERATIONS_MAX && !board.stopped; index++) {
      words.set(STARTED, index + 1);
      const operation = operationAt(seed, life, range, index);
      const sequence = await this.#write(operation);
      words.sequences[index] = sequence;
      if (operation.kind === 'countCommon') words.count(operation.counter);
      words.set(ACKED, index + 1);
      const isHandedOver =
        operation.kind === 'write' && (operation.wait === 'os' || operation.wait === 'disk');
      if (isHandedOver) words.set(HANDED_OVER, index + 1);
      this.#journal?.note(index, sequence, isHandedOver);
      apply(model, operation);
      if (random.oneIn(3)) this.#reader.look();
      if (random.oneIn(TURN)) await this.#turn();
    }
    this.#reader.close();
  }

  /** What needs a turn of the event loop, or just gives it one. */
  async #turn(): Promise<void> {
    const roll = random.below(100);
    if (roll < 70) await new Promise((resolve) => setImmediate(resolve));
    else if (roll < 80) await this.#reader.walk();
    else if (roll < 86) await this.#allowed(() => this.#db.flush());
    else if (roll < 88) await this.#allowed(() => this.#db.compact());
    else if (roll < 92) await this.#allowed(async () => this.#passing());
    else if (roll < 96) await this.#allowed(async () => void this.#db.stats());
    else if (roll < 98) await this.#allowed(async () => void this.#db.syncNow(random.pick(['os', 'disk'])));
    else await this.#allowed(async () => void (await this.#db.sync(random.pick(['os', 'disk']))));
  }

  /** A keyspace that comes and goes. */
  async #passing(): Promise<void> {
    const name = `passing-${range}`;
    const keyspace = this.#db.keyspace(name);
    for (let i = 0; i < 5; i++) keyspace.put(Uint8Array.of(i), new Uint8Array(100 * i));
    if (random.oneIn(2)) await this.#db.dropKeyspace(name);
  }

  async #allowed(step: () => Promise<unknown>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  }

  /** Does the operation, as often as back-pressure refuses it; gives its sequence where the call does. */
  async #write(operation: Operation): Promise<number> {
    for (;;) {
      try {
        return await this.#once(operation);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        words.set(BUSY, words.get(BUSY) + 1);
        await sleep(1);
      }
    }
  }

  #once(operation: Operation): number | Promise<number> {
    const keyspaces = this.#keyspaces;
    if (operation.kind === 'write') return this.#change(operation);
    if (operation.kind === 'putIfAbsent') {
      const { keyspace, key, value } = operation;
      const wasAbsent = !model[keyspace].has(key);
      if (keyspaces[keyspace].putIfAbsent(key, value) !== wasAbsent) {
        throw new Violation(`putIfAbsent ${key} says that it was ${wasAbsent ? 'there' : 'absent'}`);
      }
    } else if (operation.kind === 'count') {
      const { keyspace, key } = operation;
      const expected = counted(model[keyspace].get(key));
      const got = keyspaces[keyspace].update(key, counted);
      if (got !== expected) throw new Violation(`update of ${key} gives ${got}, should be ${expected}`);
    } else if (operation.kind === 'countCommon') {
      this.#reader.countedTo(
        operation.counter,
        keyspaces.common.update(`counter${operation.counter}`, counted),
      );
    } else this.#race();
    return 0;
  }

  #change({ changes, wait }: Extract<Operation, { kind: 'write' }>): number | Promise<number> {
    const keyspaces = this.#keyspaces;
    const how = wait === 'none' ? undefined : { durability: wait };
    const [first] = changes;
    if (changes.length > 1) {
      const batch = this.#db.batch();
      for (const change of changes) {
        const keyspace = keyspaces[change.keyspace];
        if (change.kind === 'put') batch.put(keyspace, change.key, change.value);
        else if (change.kind === 'delete') batch.delete(keyspace, change.key);
        else batch.deleteRange(keyspace, { gte: change.from, lt: change.to });
      }
      return how === undefined ? this.#db.write(batch) : this.#db.write(batch, how);
    }
    const keyspace = keyspaces[first!.keyspace];
    if (first!.kind === 'put') {
      return how === undefined
        ? keyspace.put(first!.key, first!.value)
        : keyspace.put(first!.key, first!.value, how);
    }
    if (first!.kind === 'delete') {
      return how === undefined ? keyspace.delete(first!.key) : keyspace.delete(first!.key, how);
    }
    return keyspace.deleteRange({ gte: first!.from, lt: first!.to }, how);
  }

  #race(): void {
    const { race } = board;
    const key = `race${race}`;
    const { common } = this.#keyspaces;
    if (common.putIfAbsent(key, String(life))) {
      if (!board.win(race, life)) {
        throw new Violation(`lives ${board.winner(race)} and ${life} have both written the absent ${key}`);
      }
    } else if (common.get(key) === undefined) {
      throw new Violation(`${key} was there for putIfAbsent and is absent`);
    }
    board.raced(race);
  }
}

/** Numbers of 8 bytes in a file: the sequence of each operation; in another one how many were handed over. */
class Journal {
  readonly #sequences: number;
  readonly #promises: number;

  constructor({ sequences, promises }: { readonly sequences: string; readonly promises: string }) {
    this.#sequences = openSync(sequences, 'w');
    this.#promises = openSync(promises, 'w');
    process.on('exit', () => [this.#sequences, this.#promises].forEach(closeSync));
  }

  note(index: number, sequence: number, isHandedOver: boolean): void {
    writeSync(this.#sequences, Float64Array.of(sequence), 0, 8, index * 8);
    if (isHandedOver) writeSync(this.#promises, Float64Array.of(index + 1), 0, 8, 0);
  }
}

/** What back-pressure and a busy owner may say at any time. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof VarveError)) return false;
  return error.kind === 'busy' || error.code === 'KEYSPACE_DROPPED';
}

async function live(): Promise<WriterEnd> {
  try {
    const db = await attach(input.handle);
    words.set(PHASE, PHASE_ATTACHED);
    await new Writer(db).run();
    await db.close();
    return { ended: 'stopped' };
  } catch (error) {
    if (error instanceof VarveError && error.kind === 'closed') return { ended: 'refused', code: error.code };
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const context = error instanceof VarveError ? JSON.stringify(error.context) : '';
    return { ended: 'violation', message: `life ${life} of range ${range}: ${text} ${context}` };
  }
}

const end = await live();
words.set(PHASE, PHASE_ENDED);
parentPort!.postMessage(end);
