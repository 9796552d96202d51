/**
 * A bank whose money never changes: tasks move it between accounts in transactions of every kind, the machine crashes at
 * random, and at any time, in any snapshot and at any point of the past that is kept the accounts hold what they always held.
 * Everything follows from the seed.
 *
 * Each transfer also writes a receipt, so after a crash it is known which of them survived: every one that was promised
 * durable, and each whole or not at all. A database lives several lives on one simulated disk.
 */
import { type Database, type Keyspace, type Transaction, u64, utf8, VarveError } from 'varve';
import { openSimulated, Random, SimFs, SimulatedCrash } from 'varve/testing';
import { ScriptedScheduler } from '../scripted-scheduler.ts';

const ACCOUNTS = 6;
const BALANCE = 100;
const TOTAL: number = ACCOUNTS * BALANCE;
const TASKS = 8;
const LIVES = 4;
const STEPS_MAX = 4000;
const WINDOW_MS = 60_000;
const MICROTASKS = 30;

export interface BankResult {
  readonly transfers: number;
  readonly crashes: number;
  readonly pastStates: number;
  readonly inDoubt: number;
}

/** The money was not what it was to be, or something that was promised is not there. */
export class BankFailure extends Error {}

type Phase = 'asked to prepare' | 'prepared' | 'asked to commit' | 'asked to roll back';
type Outcome = 'prepared' | 'committed' | 'gone';

/** What may be found of a transaction after a crash in that phase. */
const outcomes: Readonly<Record<Phase, readonly Outcome[]>> = {
  'asked to prepare': ['prepared', 'gone'],
  prepared: ['prepared'],
  'asked to commit': ['prepared', 'committed'],
  'asked to roll back': ['prepared', 'gone'],
};

type Accounts = Keyspace<string, number | bigint>;

const accountOf = (i: number): string => `account ${i}`;

/** Runs the lives of a seed. @throws BankFailure */
export async function runBank(seed: number): Promise<BankResult> {
  const bank = new Bank(seed);
  for (let life = 0; life < LIVES; life++) await bank.live(life === LIVES - 1);
  return bank.result;
}

class Bank {
  readonly result: { -readonly [Name in keyof BankResult]: BankResult[Name] } = {
    transfers: 0,
    crashes: 0,
    pastStates: 0,
    inDoubt: 0,
  };
  readonly #random: Random;
  #fs = new SimFs();
  #wall = 1_700_001_000_000;
  #ids = 0;
  /** Receipts that have to be there after a loss of power, and after the death of the process. */
  readonly #onDisk = new Set<string>();
  readonly #inSystem = new Set<string>();
  /** How far those have come that commit in two phases. */
  readonly #phases = new Map<string, Phase>();

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** One life of the machine: ends by a crash, the last one by a clean close. */
  async live(isLast: boolean): Promise<void> {
    const random = this.#random;
    const scheduler = new ScriptedScheduler(random, this.#wall);
    const fs = this.#fs;
    const life = new Life(this, fs, random, scheduler);
    let left = isLast ? Number.POSITIVE_INFINITY : 50 + random.below(400);
    try {
      await life.open();
      this.#recovered(life);
      fs.onOperation = () => {
        if (--left < 0) throw new SimulatedCrash();
      };
      await life.work(isLast ? STEPS_MAX / 4 : STEPS_MAX);
      if (isLast) await life.close();
    } catch (error) {
      if (!fs.stopped) throw error;
    }
    this.#wall = scheduler.clock.now() + random.below(1000);
    if (isLast) return;
    this.result.crashes++;
    fs.stop();
    if (random.oneIn(3)) this.#fs = fs.crashProcess();
    else {
      this.#fs = fs.crash(random);
      this.#inSystem.clear();
    }
  }

  newId(): string {
    return `transfer ${this.#ids++}`;
  }

  promised(id: string, durability: 'os' | 'disk'): void {
    this.result.transfers++;
    if (durability === 'disk') this.#onDisk.add(id);
    this.#inSystem.add(id);
  }

  inTwoPhases(id: string, phase: Phase | 'over'): void {
    if (phase === 'over') this.#phases.delete(id);
    else this.#phases.set(id, phase);
  }

  /** After an open: what was promised is there, what is in doubt may be so, and the money is whole. */
  #recovered({ db, accounts, receipts }: Life): void {
    const inDoubt = new Set(db.preparedTransactions().map(({ id }) => id));
    for (const id of inDoubt) {
      if (!this.#phases.has(id)) throw new BankFailure(`'${id}' is prepared, which nobody asked for`);
    }
    for (const [id, phase] of this.#phases) {
      const found = inDoubt.has(id) ? 'prepared' : receipts.has(id) ? 'committed' : 'gone';
      if (!outcomes[phase].includes(found)) throw new BankFailure(`'${id}' was ${phase} and is ${found}`);
      if (found === 'prepared') this.#phases.set(id, 'prepared');
      else this.#phases.delete(id);
    }
    this.result.inDoubt += inDoubt.size;
    for (const id of [...this.#onDisk, ...this.#inSystem]) {
      if (!receipts.has(id)) throw new BankFailure(`'${id}' was promised and is not there`);
    }
    for (const id of receipts.range().keys()) {
      // What has survived once survives the next crash only if it is on disk by then: the database's own affair.
      if (Number(id.split(' ')[1]) >= this.#ids) throw new BankFailure(`'${id}' was never made`);
    }
    checkTotal('after the open', accounts.range().values());
  }
}

class Life {
  db!: Database;
  accounts!: Accounts;
  receipts!: Keyspace<string, string>;
  readonly #bank: Bank;
  readonly #fs: SimFs;
  readonly #random: Random;
  readonly #scheduler: ScriptedScheduler;
  #failure: Error | undefined;

  constructor(bank: Bank, fs: SimFs, random: Random, scheduler: ScriptedScheduler) {
    this.#bank = bank;
    this.#fs = fs;
    this.#random = random;
    this.#scheduler = scheduler;
  }

  async open(): Promise<void> {
    const small = 16 * 1024;
    this.db = await openSimulated(
      '/bank',
      {
        fileSystem: this.#fs,
        clock: this.#scheduler.clock,
        sync: 'manual',
        memoryBytesMax: 4 * 2 ** 20,
        logBytesMax: 256 * 1024,
        keyspaceDefaults: { memtableBytes: small, tableBytes: small },
      },
      { scheduler: this.#scheduler, sliceMs: 0 },
    );
    this.accounts = this.db.keyspace('accounts', { key: utf8, value: u64, retention: { ms: WINDOW_MS } });
    this.receipts = this.db.keyspace('receipts', { key: utf8, value: utf8 });
    if (this.accounts.count() > 0) return;
    const batch = this.db.batch();
    for (let i = 0; i < ACCOUNTS; i++) batch.put(this.accounts, accountOf(i), BALANCE);
    this.db.write(batch);
  }

  async work(steps: number): Promise<void> {
    void this.#settle(this.db.preparedTransactions().map(({ id }) => id));
    for (let task = 0; task < TASKS; task++) void this.#task();
    for (let step = 0; step < steps && !this.#fs.stopped; step++) {
      await this.#turn();
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#random.oneIn(20)) this.#look();
      if (this.#random.oneIn(60)) void this.db.flush().catch(() => undefined);
      if (this.#random.oneIn(400)) void this.db.compact().catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    let isClosed = false;
    const closing = this.db.close();
    void closing.then(() => (isClosed = true));
    while (!isClosed) await this.#turn();
    await closing;
  }

  /** A state of now and states of the past: the money is always the same. */
  #look(): void {
    const { db, accounts } = this;
    using snapshot = db.snapshot();
    checkTotal('in a snapshot', snapshot.range(accounts).values());
    const { history } = db.stats().keyspaces['accounts']!;
    for (let i = 0; i < 3; i++) {
      const { sequence } = db.stats();
      const from = history!.sequence;
      const asked = from + this.#random.below(sequence - from + 1);
      using past = db.at(asked);
      this.#bank.result.pastStates++;
      checkTotal(`at sequence ${asked}`, past.range(accounts).values());
    }
    const now = db.stats().timeMs;
    const time = history!.time + this.#random.below(now - history!.time + 1);
    using past = db.at(new Date(time));
    checkTotal(`at ${time}`, past.range(accounts).values());
  }

  async #task(): Promise<void> {
    try {
      for (;;) {
        await this.#pause();
        await this.#transfer();
      }
    } catch (error) {
      if (this.#fs.stopped || (error instanceof VarveError && error.kind === 'closed')) return;
      this.#failure = asError(error);
    }
  }

  async #transfer(): Promise<void> {
    const random = this.#random;
    const id = this.#bank.newId();
    const from = accountOf(random.below(ACCOUNTS));
    const to = accountOf(random.below(ACCOUNTS));
    const amount = random.below(20);
    const durability = random.pick(['memory', 'os', 'disk'] as const);
    const isLocking = random.oneIn(3);
    const move = async (tx: Transaction): Promise<boolean> => {
      const read = (account: string): number | bigint | undefined | Promise<number | bigint | undefined> =>
        isLocking ? tx.getForUpdate(this.accounts, account) : tx.get(this.accounts, account);
      const left = Number(await read(from)) - amount;
      if (random.oneIn(2)) await this.#pause();
      if (left < 0) return false;
      tx.put(this.accounts, from, left);
      tx.put(this.accounts, to, Number(from === to ? left : await read(to)) + amount);
      tx.put(this.receipts, id, `${from} to ${to}: ${amount}`);
      return true;
    };
    if (random.oneIn(4)) {
      await this.#inTwoPhases(id, move);
      return;
    }
    const isolation = random.pick(['snapshot', 'serializable'] as const);
    let hasMoved = false;
    try {
      await this.db.transaction(async (tx) => void (hasMoved = await move(tx)), {
        isolation,
        durability,
        retriesMax: 50,
      });
    } catch (error) {
      if (isConflict(error)) return;
      throw error;
    }
    if (hasMoved && durability !== 'memory') this.#bank.promised(id, durability);
  }

  async #inTwoPhases(id: string, move: (tx: Transaction) => Promise<boolean>): Promise<void> {
    const tx = this.db.begin();
    try {
      if (!(await move(tx))) {
        tx.rollback();
        return;
      }
      this.#bank.inTwoPhases(id, 'asked to prepare');
      await tx.prepare(id);
    } catch (error) {
      tx.rollback();
      if (!isConflict(error)) throw error;
      this.#bank.inTwoPhases(id, 'over');
      return;
    }
    this.#bank.inTwoPhases(id, 'prepared');
    await this.#pause();
    await this.#decide(id);
  }

  async #decide(id: string): Promise<void> {
    if (this.#random.oneIn(4)) {
      this.#bank.inTwoPhases(id, 'asked to roll back');
      this.db.rollbackPrepared(id);
      return;
    }
    this.#bank.inTwoPhases(id, 'asked to commit');
    await this.db.commitPrepared(id, { durability: 'disk' });
    this.#bank.inTwoPhases(id, 'over');
    this.#bank.promised(id, 'disk');
  }

  /** Decides what an earlier life has left in doubt, some time after the open. */
  async #settle(ids: readonly string[]): Promise<void> {
    try {
      for (const id of ids) {
        // One that nobody decides is there in the next life too.
        if (this.#random.oneIn(2)) continue;
        for (let pauses = this.#random.below(10); pauses > 0; pauses--) await this.#pause();
        await this.#decide(id);
      }
    } catch (error) {
      if (!this.#fs.stopped) this.#failure = asError(error);
    }
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => this.#scheduler.after(this.#random.below(3), resolve));
  }

  async #turn(): Promise<void> {
    if (!this.#scheduler.step()) this.#scheduler.advance(1);
    for (let i = 0; i < MICROTASKS; i++) await Promise.resolve();
  }
}

function checkTotal(where: string, balances: Iterable<number | bigint>): void {
  let total = 0;
  let count = 0;
  for (const balance of balances) {
    total += Number(balance);
    count++;
  }
  // Before the bank was opened there is nothing.
  if (total === TOTAL || count === 0) return;
  throw new BankFailure(`the accounts hold ${total} ${where}; it was to be ${TOTAL}`);
}

function isConflict(error: unknown): boolean {
  return error instanceof VarveError && (error.kind === 'conflict' || error.code === 'LOCK_TIMEOUT');
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
