/**
 * The crash rig: rounds of a writer process that is killed, and of reopening what it left. Nothing that was promised may be
 * missing, and what is there must be the state of the history at the sequence that open reports: no hole, nothing invented.
 *
 * When the writer dies is up to the system; everything else follows from the seed. Before each reopening the directory is
 * copied, so that a failure can be looked at as the crash left it.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseOptions } from 'varve';
import { openSimulated, Random } from 'varve/testing';
import { Violation } from '../check.ts';
import { checkState } from './check-state.ts';
import { type KillMoment, runWriter, type WriterEnd } from './child.ts';
import { ExpectedState } from '../steps.ts';
import { flagsOf, type Variants } from '../variants.ts';
import { stepAt } from './history.ts';
import { PLANNED_ERROR, type WriterEnding, type WriterOrders } from './orders.ts';

/** Variants are those of the writers and of their parent when it looks: 'pread' and 'btree' by default. */
export interface KillOptions extends Variants {
  readonly rounds: number;
  readonly seed: number;
  readonly log: (line: string) => void;
  /** Where the databases are made, in a directory of the run; the system's temporary directory when it is not given. */
  readonly directory?: string;
  /** Leaves what a failing round found on disk; the error says where. */
  readonly keepFailed?: boolean;
}

export interface KillSummary {
  readonly rounds: number;
  readonly killed: number;
  /** Rounds by how the writer ended. */
  readonly endings: Readonly<Record<WriterEnding, number>>;
  /** Sequences that were recovered, promises that were held, bytes of torn records. */
  readonly sequences: number;
  readonly promises: number;
  readonly cutBytes: number;
}

const KIB = 1024;
/** What a writer leaves that was killed while it opened. */
const killedInOpen = /^MANIFEST-\d+ was not completed and is ignored$/;

/** Runs the rounds; throws a Violation that says which round of which seed found what. */
export async function runRounds(options: KillOptions): Promise<KillSummary> {
  const root = mkdtempSync(join(options.directory ?? tmpdir(), 'varve-kill-'));
  let failed = false;
  try {
    return await new Rounds(options, root).run();
  } catch (error) {
    failed = true;
    if (options.keepFailed !== true || !(error instanceof Violation)) throw error;
    throw new Violation(`${error.message}\nwhat the writer left is in ${root}`);
  } finally {
    if (!failed || options.keepFailed !== true) rmSync(root, { recursive: true, force: true });
  }
}

class Rounds {
  readonly #options: KillOptions;
  readonly #random: Random;
  readonly #root: string;
  #path = '';
  #expected = new ExpectedState();
  readonly #endings: Record<WriterEnding, number> = { kill: 0, exit: 0, throw: 0, reject: 0, close: 0 };
  #killed = 0;
  #sequences = 0;
  #promises = 0;
  #cutBytes = 0;

  constructor(options: KillOptions, root: string) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#root = root;
  }

  async run(): Promise<KillSummary> {
    const { rounds, seed, log } = this.#options;
    const flags = flagsOf(this.#options);
    for (let round = 1; round <= rounds; round++) {
      if (round === 1 || this.#random.oneIn(12)) this.#startAnew(round);
      const ending = endingOf(round);
      const { orders, moment } = this.#plan(round, ending);
      try {
        const end = await runWriter(orders, moment, join(this.#root, 'code'));
        checkEnd(end, orders, moment, this.#expected.sequence);
        this.#count(ending, end);
        log(`round ${round}: ${ending} ${await this.#reopen(orders, end)}`);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        throw new Violation(
          `round ${round} of seed ${seed}: ${error.name === 'Violation' ? error.message : error.stack}\n` +
            `orders: ${JSON.stringify(orders)}, kill: ${JSON.stringify(moment)}\n` +
            `run it again with: npm run sim -- kill --rounds ${round} --seed ${seed}${flags}`,
        );
      }
    }
    return {
      rounds,
      killed: this.#killed,
      endings: this.#endings,
      sequences: this.#sequences,
      promises: this.#promises,
      cutBytes: this.#cutBytes,
    };
  }

  #startAnew(round: number): void {
    if (this.#path !== '') rmSync(this.#path, { recursive: true, force: true });
    this.#path = join(this.#root, `db-${round}`);
    this.#expected = new ExpectedState();
  }

  #plan(epoch: number, ending: WriterEnding): { orders: WriterOrders; moment: KillMoment | undefined } {
    const random = this.#random;
    const [osWrites, diskWrites] = random.pick([
      [0, 0],
      [20, 5],
      [60, 0],
      [5, 40],
      [2, 1],
    ] as const);
    const orders: WriterOrders = {
      path: this.#path,
      seed: this.#options.seed,
      epoch,
      options: { ...optionsOf(random), reads: this.#options.reads ?? 'pread' },
      memtable: this.#options.memtable ?? 'btree',
      osWrites,
      diskWrites,
      ending,
      lifeMs: ending === 'kill' ? 10_000 : random.below(200),
    };
    const ready: KillMoment = { after: 'ready', ms: random.below(random.pick([20, 150, 500])) };
    // Recovery takes a few milliseconds: this hits it.
    const opening: KillMoment = { after: 'opening', ms: random.below(40) };
    const moment = random.oneIn(6) ? opening : ready;
    return { orders, moment: ending === 'kill' ? moment : undefined };
  }

  #count(ending: WriterEnding, end: WriterEnd): void {
    this.#endings[ending]++;
    if (end.signal === 'SIGKILL') this.#killed++;
    this.#promises += end.promises;
  }

  /** Opens what the writer left and holds it against its history; returns what there is to say. */
  async #reopen(orders: WriterOrders, end: WriterEnd): Promise<string> {
    copyDatabase(this.#path, `${this.#path}.crashed`);
    const random = this.#random;
    // The writer of the next round then recovers the same state, from the same files.
    const readOnly = random.oneIn(4) && end.ready !== undefined;
    const options = { ...sizesOf(orders.options), readOnly };
    const db = await openSimulated(this.#path, options, { memtable: orders.memtable });
    try {
      const { sequence } = db.stats();
      const promised = Math.max(end.os, end.disk, end.ready ?? 0, end.end ?? 0, this.#expected.sequence);
      if (sequence < promised) {
        throw new Violation(
          `recovered through sequence ${sequence}, but ${promised} was promised (os ${end.os}, disk ${end.disk}, ` +
            `found at open ${end.ready}, written before an orderly end ${end.end})`,
        );
      }
      if (end.end !== undefined && sequence !== end.end) {
        throw new Violation(`recovered through sequence ${sequence}, but only ${end.end} were written`);
      }
      const before = this.#expected.sequence;
      while (this.#expected.sequence < sequence) {
        this.#expected.apply(stepAt(orders.seed, orders.epoch, this.#expected.sequence + 1));
      }
      checkState(db, this.#expected);
      const { warnings, cutBytes, segments } = db.recovered;
      const strange = warnings.filter((warning) => !killedInOpen.test(warning));
      if (strange.length > 0) throw new Violation(`open warns: ${strange.join('; ')}`);
      if (random.oneIn(3)) {
        const { problems } = await db.verify();
        if (problems.length > 0) throw new Violation(`verify finds ${JSON.stringify(problems[0])}`);
      }
      this.#sequences += sequence - before;
      this.#cutBytes += cutBytes;
      rmSync(`${this.#path}.crashed`, { recursive: true, force: true });
      return (
        `after ${sequence - before} writes (${end.promises} promised), sequence ${sequence}, ` +
        `${segments} log segments, ${cutBytes} bytes cut${readOnly ? ', read-only' : ''}`
      );
    } finally {
      await db.close();
    }
  }
}

/** Most rounds end by SIGKILL; each of the orderly ends has its turn in every ten. The first leaves compiled code. */
function endingOf(round: number): WriterEnding {
  return ({ 1: 'close', 3: 'exit', 5: 'throw', 7: 'reject' } as const)[round % 10] ?? 'kill';
}

/** Did the writer end as it was told to? */
function checkEnd(end: WriterEnd, orders: WriterOrders, moment: KillMoment | undefined, found: number): void {
  const how = `code ${end.code}, signal ${end.signal}, stderr: ${end.stderr}`;
  if (end.failed !== undefined) throw new Violation(`the writer failed: ${end.failed}`);
  if (end.hung) throw new Violation(`the writer did not end by itself (${how})`);
  if (end.ready !== undefined && end.ready !== found) {
    throw new Violation(`the writer opened at sequence ${end.ready}, its parent before it at ${found}`);
  }
  const planned = orders.ending === 'throw' || orders.ending === 'reject';
  const right =
    moment !== undefined
      ? end.signal === 'SIGKILL'
      : end.end !== undefined &&
        end.code === (planned ? 1 : 0) &&
        end.stderr.includes(PLANNED_ERROR) === planned;
  if (!right) throw new Violation(`the writer was to end by ${orders.ending}, but ended with ${how}`);
}

function optionsOf(random: Random): DatabaseOptions {
  return {
    sync: random.pick([
      'manual',
      'everyWrite',
      { everyN: 50 },
      { intervalMs: 20 },
      { everyN: 1000, intervalMs: 200 },
    ] as const),
    pressure: random.pick(['slow', 'block', 'fail'] as const),
    logBytesMax: random.pick([512, 2048]) * KIB,
    timestamps: !random.oneIn(4),
    syncWaitMsMax: 20,
    workers: 1,
    memtableBytesMax: random.pick([4096, 16_384]) * KIB,
    cacheBytesMax: random.pick([0, 1024 * KIB]),
    memoryBytesMax: 64 * 1024 * KIB,
    batchBytesMax: 4096 * KIB,
  };
}

/** Of the writer's options those that a reopening shares. */
function sizesOf({
  memtableBytesMax,
  cacheBytesMax,
  memoryBytesMax,
  batchBytesMax,
  workers,
  reads,
}: DatabaseOptions): DatabaseOptions {
  return {
    memtableBytesMax,
    cacheBytesMax,
    memoryBytesMax,
    batchBytesMax,
    workers,
    reads,
  } as DatabaseOptions;
}

/** The files of a database, without its lock. */
function copyDatabase(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to);
  let names: string[] = [];
  try {
    names = readdirSync(from);
  } catch {
    // Killed before it made the directory.
  }
  for (const name of names) if (!name.startsWith('LOCK')) copyFileSync(join(from, name), join(to, name));
}
