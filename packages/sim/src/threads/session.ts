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
  open,
  type ShareHandle,
  type Snapshot,
  VarveError,
} from 'varve';
import { Random, SharedWords } from 'varve/testing';
import { Violation } from '../check.ts';
import { programEntry } from '../program-entry.ts';
import { ACKED, Board, BUSY, Life, PHASE, PHASE_ATTACHED, PHASE_ENDED, STARTED } from './board.ts';
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
import type { WriterEnd, WriterInput } from './writer.worker.ts';

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

/** How long anything may take before it counts as hanging. The machine may be busy with other things. */
const WATCHDOG_MS = 30_000;

interface Running {
  readonly worker: Worker;
  readonly threadId: number;
  readonly number: number;
  readonly range: number;
  readonly life: Life;
  readonly base: RangeModel;
  readonly exited: Promise<unknown>;
  end: WriterEnd | undefined;
}

export class Session {
  readonly counts: SessionCounts = {
    terminations: 0,
    operations: 0,
    completed: 0,
    undone: 0,
    busy: 0,
    hits: {},
    slowestMs: 0,
  };
  readonly #orders: SessionOrders;
  readonly #carried: Carried;
  readonly #random: Random;
  readonly #board = new Board();
  readonly #running: (Running | undefined)[] = [];
  #owner: Worker | undefined;
  #db!: Database;
  #keyspaces!: Keyspaces;
  #handle: ShareHandle;
  #words!: SharedWords;
  #nextLife: number;
  #violation: string | undefined;
  /** From the end of the database on. */
  #mayRefuse = false;
  #held: { snapshot: Snapshot; range: number; model: RangeModel } | undefined;

  constructor(orders: SessionOrders, carried: Carried) {
    this.#orders = orders;
    this.#carried = carried;
    this.#random = new Random(orders.seed);
    this.#nextLife = orders.firstLife;
  }

  get nextLife(): number {
    return this.#nextLife;
  }

  async run(): Promise<void> {
    const { writers, terminations, ending } = this.#orders;
    await this.#open();
    try {
      for (let range = 0; range < writers; range++) this.#start(range);
      for (let i = 0; i < terminations; i++) await this.#terminateOne();
      if (ending === 'owner-dies') await this.#ownerDies();
      else if (ending === 'owner-closes') await this.#ownerCloses();
      else await this.#closeInOrder();
    } finally {
      await Promise.all(this.#running.map((running) => running?.worker.terminate()));
      await this.#owner?.terminate();
    }
  }

  async #open(): Promise<void> {
    const { path, options, owner } = this.#orders;
    if (owner === 'here') {
      this.#db = await open(path, options);
      this.#handle = this.#db.share();
    } else {
      this.#handle = await this.#startOwner({ path, options });
      this.#db = await attach(this.#handle);
    }
    this.#words = new SharedWords(this.#handle);
    this.#keyspaces = openKeyspaces(this.#db);
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

  #start(range: number): void {
    const life = new Life();
    const number = this.#nextLife++;
    const base = this.#carried.models[range]!;
    const input: WriterInput = {
      handle: this.#handle,
      seed: this.#orders.seed,
      life: number,
      range,
      ranges: this.#orders.writers,
      model: base,
      lifeMemory: life.memory,
      board: this.#board.memory,
      journal: undefined,
    };
    const entry = programEntry('./writer.worker', import.meta.url);
    const worker = new Worker(entry.path, { workerData: input, execArgv: [...entry.execArgv] });
    const exited = new Promise((resolve) => worker.once('exit', resolve));
    const { threadId } = worker;
    const running: Running = { worker, threadId, number, range, life, base, exited, end: undefined };
    worker.on('message', (end: WriterEnd) => {
      running.end = end;
      if (end.ended === 'violation') this.#violation ??= end.message;
      else if (end.ended === 'refused' && !this.#mayRefuse)
        this.#violation ??= `life ${number} was refused with ${end.code}`;
    });
    worker.on('error', (error) => (this.#violation ??= `life ${number}: ${error.stack ?? String(error)}`));
    this.#running[range] = running;
  }

  async #terminateOne(): Promise<void> {
    const random = this.#random;
    const range = random.below(this.#orders.writers);
    const victim = this.#running[range]!;
    const kind = random.pick(momentKinds);
    if (kind !== 'attaching' || random.oneIn(2)) await this.#attached(victim);
    else await sleep(random.below(120));
    const hit = await moment(kind, victim, this.#words, random);
    if (hit) this.counts.hits[kind] = (this.counts.hits[kind] ?? 0) + 1;
    await victim.worker.terminate();
    const others = this.#others(victim);
    this.counts.terminations++;
    await this.#settle();
    this.#judge(victim);
    this.#lookAtHeld();
    if (random.oneIn(5)) this.#hold(range);
    this.#start(range);
    await this.#goOn(others);
    await this.#until(
      () => !this.#words.threads().includes(victim.threadId),
      () => `the slot of thread ${victim.threadId} is not given back`,
    );
  }

  /** A write after which nobody's operation can still be half done: it takes the lock from whoever died with it. */
  async #settle(): Promise<void> {
    const since = performance.now();
    for (;;) {
      this.#checkViolation();
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

  #others(victim: Running): Map<Running, number> {
    const others = new Map<Running, number>();
    for (const running of this.#running) {
      if (running === undefined || running === victim || running.life.get(PHASE) !== PHASE_ATTACHED) continue;
      others.set(running, running.life.get(ACKED));
    }
    return others;
  }

  /** Everybody else has acknowledged more since. */
  async #goOn(others: Map<Running, number>): Promise<void> {
    for (const [running, acked] of others) {
      await this.#until(
        () => running.life.get(ACKED) > acked || running.life.get(PHASE) === PHASE_ENDED,
        () => `life ${running.number} stands still at operation ${acked} after another one's death`,
      );
    }
  }

  async #attached(running: Running): Promise<void> {
    await this.#until(
      () => running.life.get(PHASE) !== 0 && running.life.get(ACKED) > 0,
      () => `life ${running.number} does not begin`,
    );
  }

  async #until(holds: () => boolean, otherwise: () => string): Promise<void> {
    const until = performance.now() + WATCHDOG_MS;
    while (!holds()) {
      this.#checkViolation();
      if (performance.now() > until) throw new Violation(`${otherwise()}; ${this.#state()}`);
      await sleep(1);
    }
    this.#checkViolation();
  }

  #checkViolation(): void {
    if (this.#violation !== undefined) throw new Violation(this.#violation);
  }

  /** For messages. */
  #state(): string {
    const words = this.#words;
    const lives = this.#running.map(
      (each) =>
        `${each?.number}(thread ${each?.threadId}): ${each?.life.get(STARTED)}/${each?.life.get(ACKED)} phase ${each?.life.get(PHASE)} busy ${each?.life.get(BUSY)}`,
    );
    return (
      `threads ${words.threads().join()}, write lock ${words.holder('write')}, cache lock ${words.holder('cache')}, ` +
      `changing ${words.isChanging}; ${lives.join('; ')}; ${this.#stats()}`
    );
  }

  #stats(): string {
    try {
      return JSON.stringify(this.#db.stats());
    } catch (error) {
      return String(error);
    }
  }

  async #closeInOrder(): Promise<void> {
    if (this.#orders.ending === 'stop') {
      this.#board.stop();
      await this.#allEnded('stop');
    } else await Promise.all(this.#running.map((running) => running!.worker.terminate()));
    await this.#settle();
    for (const running of this.#running) this.#judge(running!);
    this.#running.length = 0;
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
    await this.#until(
      () => this.#words.threads().length === alone,
      () => `${this.#words.threads().length} slots are taken with ${alone} threads left`,
    );
    await this.#db.flush();
    const db = this.#db;
    let pool = -1;
    let snapshots = -1;
    await this.#until(
      () => {
        const stats = db.stats();
        pool = stats.memoryBytes.pool;
        snapshots = stats.snapshots.count;
        return pool === 0 && snapshots === 0;
      },
      () => `${pool} bytes of the memtable pool and ${snapshots} snapshots are held with nobody writing`,
    );
    for (const lock of ['write', 'cache'] as const) {
      await this.#until(
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
    for (let race = 0; race < this.#board.race; race++) {
      const winner = this.#board.winner(race);
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
    this.#mayRefuse = true;
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
    await this.#allEnded('CLOSED');
    await this.#judgePrefix(true);
  }

  async #ownerDies(): Promise<void> {
    this.#mayRefuse = true;
    const owner = this.#owner!;
    const spin = performance.now() + this.#random.below(30);
    while (performance.now() < spin);
    await owner.terminate();
    this.#owner = undefined;
    await this.#allEnded('OWNER_GONE');
    await this.#refused();
    await this.#db.close();
    await this.#judgePrefix(false);
  }

  /** Every call says that the owner is gone, before long. */
  async #refused(): Promise<void> {
    await this.#until(
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

  async #allEnded(why: string): Promise<void> {
    const since = performance.now();
    for (const running of this.#running) {
      const late = sleep(WATCHDOG_MS, 'late', { ref: false });
      if ((await Promise.race([running!.exited, late])) === 'late') {
        throw new Violation(`life ${running!.number} does not end after ${why}; ${this.#state()}`);
      }
    }
    this.counts.slowestMs = Math.max(this.counts.slowestMs, performance.now() - since);
    this.#checkViolation();
  }

  /** What the next open finds is everything up to one sequence, and all that was handed over. */
  async #judgePrefix(isWhole: boolean): Promise<void> {
    const db = await open(this.#orders.path, this.#orders.options);
    try {
      this.#db = db;
      this.#keyspaces = openKeyspaces(db);
      const { sequence } = db.stats();
      const snapshot = db.snapshot();
      for (const running of this.#running) {
        const told = this.#recordOf(running!);
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
    this.#running.length = 0;
  }
}
