/**
 * The process that the crash rig kills: writes the history of its epoch as fast as it can, in every way there is, and says
 * on standard output what it was promised, after it was promised.
 *
 * Started by rounds.ts with its orders as the only argument. Ends by itself after `lifeMs`, and when the parent is gone:
 * then its next report fails.
 */
import { writeSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { append, type Batch, type Database, utf8, VarveError } from 'varve';
import { openSimulated, Random } from 'varve/testing';
import type { TextKeyspace } from '../check.ts';
import type { Change } from '../model.ts';
import type { Step } from '../steps.ts';
import { addChange, writeChange } from '../write-change.ts';
import { settingsOf, stepAt } from './history.ts';
import { PLANNED_ERROR, type ReportKind, type WriterOrders } from './orders.ts';

const RUNNING_MAX = 100;

function report(kind: ReportKind, detail: number | string): void {
  const line = Buffer.from(`${kind} ${detail}\n`);
  for (let done = 0; done < line.length; ) {
    try {
      done += writeSync(1, line, done);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

class Writer {
  readonly #orders: WriterOrders;
  readonly #db: Database;
  /** Decides how things are written; what is written follows from the sequence. */
  readonly #random: Random;
  readonly #keyspaces = new Map<string, TextKeyspace>();
  readonly #running = new Set<Promise<void>>();
  /** The sequence that comes next. */
  #next: number;

  constructor(orders: WriterOrders, db: Database) {
    this.#orders = orders;
    this.#db = db;
    this.#random = new Random(orders.seed + orders.epoch * 7919);
    this.#next = db.stats().sequence + 1;
    for (const name of db.keyspaces()) this.#use(name);
  }

  get last(): number {
    return this.#next - 1;
  }

  async run(untilMs: number): Promise<void> {
    while (performance.now() < untilMs) {
      for (let count = this.#random.below(40); count >= 0; count--) {
        await this.#step();
        this.#aside();
      }
      if (this.#running.size > RUNNING_MAX) await this.settle();
      await turn();
    }
  }

  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Plain writes in this turn of the event loop: no time for a hand-over. */
  burst(): void {
    for (let count = 1 + this.#random.below(30); count > 0; count--) {
      const step = this.#nextStep();
      if (step.kind !== 'batch') this.#change(step);
      else if (!this.#unlessBusy(() => this.#wrote(this.#writePlain(step.changes)))) return;
    }
  }

  #nextStep(): Step {
    return stepAt(this.#orders.seed, this.#orders.epoch, this.#next);
  }

  async #step(): Promise<void> {
    const step = this.#nextStep();
    if (step.kind !== 'batch') {
      this.#unlessBusy(() => this.#change(step));
      return;
    }
    const { osWrites, diskWrites } = this.#orders;
    const roll = this.#random.below(100);
    if (roll < osWrites) await this.#writeAwaited(step.changes, 'os');
    else if (roll < osWrites + diskWrites) await this.#writeAwaited(step.changes, 'disk');
    else this.#unlessBusy(() => this.#wrote(this.#writePlain(step.changes)));
  }

  /** What goes on beside the writes. */
  #aside(): void {
    const db = this.#db;
    const roll = this.#random.below(2000);
    if (roll < 4) report('os', db.syncNow('os'));
    else if (roll < 8) report('disk', db.syncNow('disk'));
    else if (roll < 30) this.#track(db.sync('os').then((sequence) => report('os', sequence)));
    else if (roll < 40) this.#track(db.sync('disk').then((sequence) => report('disk', sequence)));
    else if (roll < 44) this.#track(db.flush());
    else if (roll === 44) this.#track(db.compact());
  }

  #change(step: Step): void {
    if (step.kind === 'create') this.#use(step.keyspace);
    else if (step.kind === 'drop') {
      this.#keyspaces.delete(step.keyspace);
      this.#track(this.#db.dropKeyspace(step.keyspace));
    }
    this.#wrote(this.#db.stats().sequence);
  }

  #use(name: string): void {
    const keyspace = this.#db.keyspace(name, {
      key: utf8,
      value: utf8,
      mergeOperator: append,
      ...settingsOf(this.#random),
    });
    this.#keyspaces.set(name, keyspace);
  }

  #writePlain(changes: readonly Change[]): number {
    const change = changes[0]!;
    if (changes.length > 1) return this.#db.write(this.#batch(changes));
    return writeChange(this.#keyspaces.get(change.keyspace)!, change, undefined);
  }

  async #writeAwaited(changes: readonly Change[], durability: 'os' | 'disk'): Promise<void> {
    const expected = this.#next;
    const promise = this.#db.write(this.#batch(changes), { durability }).then((sequence) => {
      if (sequence !== expected) throw new Error(`an awaited write got ${sequence}, should be ${expected}`);
      report(durability, sequence);
    });
    this.#track(promise);
    const applied = (): boolean => this.#db.stats().sequence >= expected;
    // Under pressure the write waits for room; the next one must not overtake it.
    if (!applied()) await promise.catch(() => undefined);
    if (applied()) this.#wrote(expected);
  }

  #batch(changes: readonly Change[]): Batch {
    const batch = this.#db.batch();
    for (const change of changes) {
      addChange(batch, this.#keyspaces.get(change.keyspace)!, change, undefined);
    }
    return batch;
  }

  #wrote(sequence: number): void {
    if (sequence !== this.#next) throw new Error(`a write got sequence ${sequence}, should be ${this.#next}`);
    if (this.#orders.options.sync === 'everyWrite') report('disk', sequence);
    this.#next++;
  }

  /** False when the write was refused for now: it comes again, with the same sequence. */
  #unlessBusy(write: () => void): boolean {
    try {
      write();
      return true;
    } catch (error) {
      if (!isBusy(error)) throw error;
      return false;
    }
  }

  #track(promise: Promise<unknown>): void {
    const settled = promise.then(
      () => void this.#running.delete(settled),
      (error: unknown) => {
        this.#running.delete(settled);
        if (!isBusy(error)) fail(error);
      },
    );
    this.#running.add(settled);
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof VarveError && error.kind === 'busy';
}

function fail(error: unknown): never {
  const text = error instanceof Error ? `${error.stack} ${JSON.stringify(error)}` : String(error);
  report('failed', text.replaceAll('\n', ' | '));
  process.exit(3);
}

async function live(orders: WriterOrders): Promise<void> {
  report('opening', 0);
  const db = await openSimulated(orders.path, orders.options, { memtable: orders.memtable });
  db.events.addEventListener('poison', (event) =>
    fail((event as CustomEvent<{ cause: unknown }>).detail.cause),
  );
  report('ready', db.stats().sequence);
  const writer = new Writer(orders, db);
  await writer.run(performance.now() + orders.lifeMs);
  if (orders.ending === 'close') {
    await writer.settle();
    await db.close();
    report('end', writer.last);
    return;
  }
  setImmediate(() => {
    writer.burst();
    report('end', writer.last);
    if (orders.ending === 'throw') throw new Error(PLANNED_ERROR);
    if (orders.ending === 'reject') void Promise.reject(new Error(PLANNED_ERROR));
    else process.exit(0);
  });
}

await live(JSON.parse(process.argv[2]!) as WriterOrders).catch(fail);
