/**
 * One open of a shared database with threads that write and die: terminates them one after another and holds what is there
 * against what they were told. All of a dead thread's acknowledged operations are there, of the one that it was in the
 * middle of all or nothing; everybody else goes on; whatever it held is given up.
 *
 * The owner is this thread, or one of its own that may be terminated as well. What a session leaves is taken up by the next.
 */
import { Worker } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  attach,
  type Database,
  type DatabaseOptions,
  type DatabaseStats,
  open,
  type ShareHandle,
  type Snapshot,
  VarveError,
} from 'varve';
import { Random, SharedWords } from 'varve/testing';
import { Violation } from '../check.ts';
import { programEntry } from '../program-entry.ts';
import { BUSY } from './board.ts';
import { COUNTERS, emptyModel, names, type RangeModel } from './history.ts';
import {
  checkCounters,
  count,
  type Counters,
  differenceOf,
  judge,
  judgeRecovered,
  type LifeRecord,
  recordOf,
} from './judge.ts';
import { type Keyspaces, openKeyspaces } from './keyspaces.ts';
import { moment, momentKinds } from './moments.ts';
import type { OwnerInput } from './owner.worker.ts';
import { type Running, WATCHDOG_MS, Writers } from './writers.ts';

export type SessionEnding = 'close' | 'stop' | 'owner-dies' | 'owner-closes';

export interface SessionOrders {
  readonly path: string;
  readonly seed: number;
  readonly writers: number;
  readonly terminations: number;
  readonly owner: 'here' | 'thread';
  readonly ending: SessionEnding;
  readonly options: DatabaseOptions;
  /** Life numbers from here on are this session's. */
  readonly firstLife: number;
}

/** What the database has to hold, from session to session. */
export interface Carried {
  models: RangeModel[];
  readonly counters: Counters;
}

export function nothingCarried(ranges: number): Carried {
  return {
    models: Array.from({ length: ranges }, emptyModel),
    counters: Array.from({ length: COUNTERS }, () => ({ low: 0, high: 0 })),
  };
}

export interface SessionCounts {
  terminations: number;
  operations: number;
  /** Terminations after which the operation in progress was there, and was not, where that shows. */
  completed: number;
  undone: number;
  busy: number;
  hits: Record<string, number>;
  slowestMs: number;
}

export function nothingCounted(): SessionCounts {
  return { terminations: 0, operations: 0, completed: 0, undone: 0, busy: 0, hits: {}, slowestMs: 0 };
}

export class Session {
  readonly counts: SessionCounts = nothingCounted();
  readonly #orders: SessionOrders;
  readonly #carried: Carried;
  readonly #random: Random;
  #owner: Worker | undefined;
  #db!: Database;
  #keyspaces!: Keyspaces;
  #words!: SharedWords;
  #writers!: Writers;
  #held: { snapshot: Snapshot; range: number; model: RangeModel } | undefined;

  constructor(orders: SessionOrders, carried: Carried) {
    this.#orders = orders;
    this.#carried = carried;
    this.#random = new Random(orders.seed);
  }

  get nextLife(): number {
    return this.#writers.nextLife;
  }

  async run(): Promise<void> {
    const { writers, terminations, ending } = this.#orders;
    await this.#open();
    try {
      for (let range = 0; range < writers; range++) this.#writers.start(range, this.#carried.models[range]!);
      for (let i = 0; i < terminations; i++) await this.#terminateOne();
      if (ending === 'owner-dies') await this.#ownerDies();
      else if (ending === 'owner-closes') await this.#ownerCloses();
      else await this.#closeInOrder();
    } finally {
      await this.#writers.terminateAll();
      await this.#owner?.terminate();
    }
  }

  async #open(): Promise<void> {
    const { path, options, owner } = this.#orders;
    let handle: ShareHandle;
    if (owner === 'here') {
      this.#db = await open(path, options);
      handle = this.#db.share();
    } else {
      handle = await this.#startOwner({ path, options });
      this.#db = await attach(handle);
    }
    this.#words = new SharedWords(handle);
    this.#keyspaces = openKeyspaces(this.#db);
    const { seed, writers: ranges, firstLife } = this.#orders;
    const stats = (): DatabaseStats => this.#db.stats();
    this.#writers = new Writers({ handle, words: this.#words, seed, ranges, firstLife, stats });
  }

  async #startOwner(input: OwnerInput): Promise<ShareHandle> {
    const entry = programEntry('./owner.worker', import.meta.url);
    const worker = new Worker(entry.path, { workerData: input, execArgv: [...entry.execArgv] });
    this.#owner = worker;
    return new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  }

  async #terminateOne(): Promise<void> {
    const random = this.#random;
    const range = random.below(this.#orders.writers);
    const victim = this.#writers.running[range]!;
    const kind = random.pick(momentKinds);
    if (kind !== 'attaching' || random.oneIn(2)) await this.#writers.attached(victim);
    else await sleep(random.below(120));
    const hit = await moment(kind, victim, this.#words, random);
    if (hit) this.counts.hits[kind] = (this.counts.hits[kind] ?? 0) + 1;
    await victim.worker.terminate();
    const others = this.#writers.others(victim);
    this.counts.terminations++;
    await this.#settle();
    this.#judge(victim);
    this.#lookAtHeld();
    if (random.oneIn(5)) this.#hold(range);
    this.#writers.start(range, this.#carried.models[range]!);
    await this.#writers.goOn(others);
    await this.#writers.until(
      () => !this.#words.threads().includes(victim.threadId),
      () => `the slot of thread ${victim.threadId} is not given back`,
    );
  }

  /** A write after which nobody's operation can still be half done: it takes the lock from whoever died with it. */
  async #settle(): Promise<void> {
    const since = performance.now();
    for (;;) {
      this.#writers.check();
      try {
        this.#keyspaces.common.put('settled', String(this.counts.terminations));
        this.counts.slowestMs = Math.max(this.counts.slowestMs, performance.now() - since);
        return;
      } catch (error) {
        if (!(error instanceof VarveError) || error.kind !== 'busy') throw error;
        if (performance.now() - since > WATCHDOG_MS) {
          throw new Violation(
            `a write is refused for ${WATCHDOG_MS} ms: ${error.message} ${JSON.stringify(error.context)}`,
          );
        }
        await sleep(5);
      }
    }
  }

  /** A dead thread's range is that of its acknowledged operations, or of one more. */
  #judge(dead: Running): void {
    const record = this.#recordOf(dead);
    const { acked, started, range } = record;
    const snapshot = this.#db.snapshot();
    try {
      const { model, at } = judge(snapshot, this.#keyspaces, record, acked, started);
      this.#carried.models[range] = model;
      if (at > acked) this.counts.completed++;
      else if (started > acked) this.counts.undone++;
    } finally {
      snapshot.close();
    }
    count(this.#carried.counters, record, acked, started);
    this.counts.operations += acked;
    this.counts.busy += dead.life.get(BUSY);
  }

  #recordOf({ number, range, base, life }: Running): LifeRecord {
    return recordOf(this.#orders.seed, number, range, base, life);
  }

  /** This thread's own snapshots show the same through other threads' deaths. */
  #hold(range: number): void {
    this.#held?.snapshot.close();
    const model = this.#carried.models[range]!;
    const snapshot = this.#db.snapshot();
    this.#held = { snapshot, range, model };
    this.#lookAtHeld();
  }

  #lookAtHeld(): void {
    if (this.#held === undefined) return;
    const { snapshot, range, model } = this.#held;
    const difference = differenceOf(snapshot, this.#keyspaces, range, model, 0);
    if (difference !== undefined)
      throw new Violation(`a snapshot held at ${snapshot.sequence}: ${difference}`);
  }

  async #closeInOrder(): Promise<void> {
    if (this.#orders.ending === 'stop') {
      this.#writers.board.stop();
      await this.#writers.allEnded('stop');
    } else await this.#writers.terminateAll();
    await this.#settle();
    for (const running of this.#writers.running) this.#judge(running);
    this.#writers.running.length = 0;
    this.#held?.snapshot.close();
    await this.#checkLevel();
    checkCounters(this.#carried.counters, this.#keyspaces);
    this.#checkRaces(true);
    if (this.#orders.owner === 'here') await this.#db.close();
    else {
      await this.#db.close();
      const owner = this.#owner!;
      const exited = new Promise((resolve) => owner.once('exit', resolve));
      owner.postMessage('close');
      await exited;
      this.#owner = undefined;
    }
    await this.#reopen();
  }

  /** With nobody left, everything that the dead have held is given up. */
  async #checkLevel(): Promise<void> {
    const alone = this.#orders.owner === 'here' ? 1 : 2;
    await this.#writers.until(
      () => this.#words.threads().length === alone,
      () => `${this.#words.threads().length} slots are taken with ${alone} threads left`,
    );
    await this.#db.flush();
    const db = this.#db;
    let pool = -1;
    let snapshots = -1;
    await this.#writers.until(
      () => {
        const stats = db.stats();
        pool = stats.memoryBytes.pool;
        snapshots = stats.snapshots.count;
        return pool === 0 && snapshots === 0;
      },
      () => `${pool} bytes of the memtable pool and ${snapshots} snapshots are held with nobody writing`,
    );
    for (const lock of ['write', 'cache'] as const) {
      await this.#writers.until(
        () => this.#words.holder(lock) === undefined,
        () => `the ${lock} lock is held by thread ${this.#words.holder(lock)}`,
      );
    }
    this.#checkCache();
  }

  /** The cache takes blocks again, whoever died in it. */
  #checkCache(): void {
    for (let i = 0; i < 4; i++) for (const name of names) this.#keyspaces[name].count();
    const stats = this.#db.stats();
    const tables = Object.values(stats.keyspaces).reduce((sum, { bytes }) => sum + bytes, 0);
    if (tables > 100_000 && stats.memoryBytes.cache < 16_384) {
      throw new Violation(`the cache holds ${stats.memoryBytes.cache} bytes after everything was read`);
    }
  }

  /** Races have a winner that says so; `isWhole`: each of them. */
  #checkRaces(isWhole: boolean): void {
    const { common } = this.#keyspaces;
    for (let race = 0; race < this.#writers.board.race; race++) {
      const winner = this.#writers.board.winner(race);
      const got = common.get(`race${race}`);
      if (isWhole && got === undefined) throw new Violation(`race${race} is decided and has no winner`);
      if (got !== undefined && winner !== 0 && got !== String(winner)) {
        throw new Violation(`race${race} was won by life ${winner} and shows ${got}`);
      }
    }
    common.deleteRange({ gte: 'race', lt: 'racf' });
  }

  async #reopen(): Promise<void> {
    const db = await open(this.#orders.path, this.#orders.options);
    try {
      this.#db = db;
      this.#keyspaces = openKeyspaces(db);
      const snapshot = db.snapshot();
      this.#carried.models.forEach((model, range) => {
        const difference = differenceOf(snapshot, this.#keyspaces, range, model, 0);
        if (difference !== undefined)
          throw new Violation(`after the database was opened again, range ${range}: ${difference}`);
      });
      snapshot.close();
      const { problems } = await db.verify({ full: true });
      if (problems.length > 0) throw new Violation(`verify finds ${JSON.stringify(problems[0])}`);
    } finally {
      await db.close();
    }
  }

  /** The owner closes the database under threads that write. */
  async #ownerCloses(): Promise<void> {
    this.#writers.mayRefuse = true;
    this.#held?.snapshot.close();
    if (this.#orders.owner === 'here') await this.#db.close();
    else {
      const owner = this.#owner!;
      const exited = new Promise((resolve) => owner.once('exit', resolve));
      owner.postMessage('close');
      await exited;
      this.#owner = undefined;
      await this.#db.close();
    }
    await this.#writers.allEnded('CLOSED');
    await this.#judgePrefix(true);
  }

  async #ownerDies(): Promise<void> {
    this.#writers.mayRefuse = true;
    const owner = this.#owner!;
    const spin = performance.now() + this.#random.below(30);
    while (performance.now() < spin);
    await owner.terminate();
    this.#owner = undefined;
    await this.#writers.allEnded('OWNER_GONE');
    await this.#refused();
    await this.#db.close();
    await this.#judgePrefix(false);
  }

  /** Every call says that the owner is gone, before long. */
  async #refused(): Promise<void> {
    await this.#writers.until(
      () => {
        try {
          this.#keyspaces.common.put('settled', 'late');
        } catch (error) {
          return error instanceof VarveError && error.kind === 'closed';
        }
        return false;
      },
      () => 'a write is taken although the owner is gone',
    );
  }

  /** What the next open finds is everything up to one sequence, and all that was handed over. */
  async #judgePrefix(isWhole: boolean): Promise<void> {
    const db = await open(this.#orders.path, this.#orders.options);
    try {
      this.#db = db;
      this.#keyspaces = openKeyspaces(db);
      const { sequence } = db.stats();
      const snapshot = db.snapshot();
      for (const running of this.#writers.running) {
        const told = this.#recordOf(running);
        const record = isWhole ? { ...told, handedOver: told.acked } : told;
        const { model, from, to } = judgeRecovered(snapshot, this.#keyspaces, record, sequence);
        this.#carried.models[record.range] = model;
        this.counts.operations += from;
        count(this.#carried.counters, record, from, to);
      }
      snapshot.close();
      checkCounters(this.#carried.counters, this.#keyspaces);
      this.#checkRaces(isWhole);
    } finally {
      await db.close();
    }
    this.#writers.running.length = 0;
  }
}
