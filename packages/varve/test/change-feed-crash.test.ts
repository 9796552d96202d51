/**
 * Seeded runs over several lives of a simulated machine: a consumer that goes on by its token sees every batch that survived
 * exactly once and in order, whatever crashes came between, and is told when it has seen one that did not survive.
 */
import { type Change, type Database, type Keyspace, open, utf8, VarveError } from 'varve';
import { Random, SimFs, SimulatedCrash } from 'varve/testing';
import { expect, test } from 'vitest';
import { collectGarbage } from './collect.ts';
import { ManualScheduler } from './manual-scheduler.ts';

const SEEDS = Number(process.env['VARVE_SEEDS'] ?? 12);
const KIB = 1024;

/** What a sequence stands for, as a consumer notes it. */
type Noted = string;

interface World {
  readonly random: Random;
  /** By sequence: what was, or may have been, written there last. */
  readonly written: Map<number, Noted>;
  readonly consumers: Consumer[];
  fs: SimFs;
}

class Consumer {
  readonly durability: 'os' | 'disk';
  /** By sequence, in the order of arrival. */
  readonly seen: [number, Noted][] = [];
  token: { incarnation: number; sequence: number } | 'oldest' = 'oldest';
  losses = 0;

  constructor(durability: 'os' | 'disk') {
    this.durability = durability;
  }

  open(db: Database): AsyncIterator<Change> {
    try {
      return db.changes({ since: this.token, durability: this.durability });
    } catch (error) {
      if (!(error instanceof VarveError) || error.code !== 'CHANGES_LOST') throw error;
      this.losses++;
      const last = error.context['lastCommon'] as { incarnation: number; sequence: number };
      if (last.sequence >= (this.token as { sequence: number }).sequence) throw error;
      while ((this.seen.at(-1)?.[0] ?? 0) > last.sequence) this.seen.pop();
      // The token is stored as JSON.
      this.token = JSON.parse(JSON.stringify(last));
      return db.changes({ since: this.token, durability: this.durability });
    }
  }

  parts: string[] = [];

  take({ token, sequence, operations, ingestion }: Change): void {
    const notes = operations.map((operation) => note(operation));
    if (ingestion !== undefined) {
      if (ingestion.part === 0) this.parts = [];
      this.parts.push(...notes);
      if (!ingestion.isLast) return;
      this.seen.push([sequence, this.parts.join(' ')]);
    } else this.seen.push([sequence, notes.join(' ')]);
    this.token = JSON.parse(JSON.stringify(token));
  }
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function note(operation: Change['operations'][number]): string {
  const { type, keyspace } = operation;
  switch (operation.type) {
    case 'put':
      return `${type}:${keyspace}:${text(operation.key)}:${text(operation.value).slice(0, 20)}`;
    case 'merge':
      return `${type}:${keyspace}:${text(operation.key)}:${operation.operands.map(text).join('+')}`;
    case 'delete':
      return `${type}:${keyspace}:${text(operation.key)}`;
    case 'deleteRange':
      return `${type}:${keyspace}:${text(operation.range.gte)}-${text(operation.range.lt)}`;
    default:
      return `${type}:${keyspace}`;
  }
}

class Life {
  readonly #world: World;
  readonly #time = new ManualScheduler();
  readonly #random: Random;
  #db!: Database;
  #keyspaces: Keyspace<string, string>[] = [];
  #feeds: AsyncIterator<Change>[] = [];
  #waiting: (Promise<void> | undefined)[] = [];

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random;
  }

  async run(steps: number): Promise<void> {
    const { fs } = this.#world;
    const random = this.#random;
    this.#db = await this.#time.run(
      this.#time.open(
        '/db',
        {
          fileSystem: fs,
          sync: random.pick(['manual', 'everyWrite', { everyN: 5 }, { everyN: 3, intervalMs: 50 }] as const),
          logBytesMax: 64 * KIB,
          memoryBytesMax: 8 * KIB * KIB,
          batchBytesMax: 4 * KIB * KIB,
          timestamps: random.below(4) > 0,
          changesRetention: { bytes: 256 * KIB * KIB },
          keyspaceDefaults: { memtableBytes: 64 * KIB },
        },
        { sliceMs: 0 },
      ),
    );
    this.#checkConsumers();
    this.#feeds = this.#world.consumers.map((consumer) => consumer.open(this.#db));
    for (let i = 0; i < steps; i++) await this.#step();
  }

  /** What consumers have seen is still what there is, up to where they are. */
  #checkConsumers(): void {
    const { sequence } = this.#db.stats();
    for (const known of this.#world.written.keys()) if (known > sequence) this.#world.written.delete(known);
  }

  /** Reads everything that there is. */
  async finish(): Promise<void> {
    // Something more, so that nobody waits in vain.
    this.#world.written.set(this.#db.stats().sequence + 1, 'createKeyspace:end');
    this.#keyspace('end');
    this.#db.syncNow('disk');
    const { sequence } = this.#db.stats();
    for (const [i, consumer] of this.#world.consumers.entries()) {
      const feed = this.#feeds[i] as AsyncIterator<Change> & { token: { sequence: number } };
      await this.#time.run(Promise.resolve(this.#waiting[i]));
      while (feed.token.sequence < sequence) {
        const { value } = await this.#time.run(feed.next());
        consumer.take(value as Change);
      }
    }
  }

  close(): Promise<void> {
    return this.#time.run(this.#db.close());
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const db = this.#db;
    const { written, consumers } = this.#world;
    const next = (): number => db.stats().sequence + 1;
    switch (random.below(14)) {
      case 0:
        db.syncNow(random.pick(['os', 'disk'] as const));
        break;
      case 1:
        await this.#time.run(db.flush());
        break;
      case 2:
        await this.#time.advance(random.below(200));
        break;
      case 3: {
        const sequence = next();
        const names = db.keyspaces();
        if (names.length < 3) {
          const name = random.pick(['a', 'b', 'c', 'd'].filter((each) => !names.includes(each)));
          written.set(sequence, `createKeyspace:${name}`);
          this.#keyspaces.push(this.#keyspace(name));
        } else if (random.below(3) === 0) {
          const name = random.pick(names);
          written.set(sequence, `dropKeyspace:${name}`);
          this.#keyspaces = [];
          await this.#time.run(db.dropKeyspace(name));
        }
        break;
      }
      case 4: {
        const keyspace = this.#any();
        if (keyspace === undefined || random.below(2) > 0) break;
        const entries = Array.from({ length: 1 + random.below(600) }, (_, i): [string, string] => [
          `i${String(i).padStart(4, '0')}`,
          `v${random.below(1000)}`,
        ]);
        const notes = entries.map(([key, value]) => `put:${keyspace.name}:${key}:${value}`);
        written.set(next(), notes.join(' '));
        await this.#time.run(db.ingest(keyspace, entries, { durability: 'memory' }));
        break;
      }
      case 5:
      case 6:
      case 7: {
        const i = random.below(consumers.length);
        for (let n = 1 + random.below(60); n > 0 && this.#waiting[i] === undefined; n--) {
          this.#take(i);
          await this.#time.settle();
        }
        break;
      }
      default:
        this.#write(next());
    }
  }

  /** Asks for one more change. */
  #take(i: number): void {
    const waiting = this.#feeds[i]!.next().then(
      ({ value }) => {
        this.#waiting[i] = undefined;
        this.#world.consumers[i]!.take(value as Change);
      },
      (error: unknown) => {
        if (!this.#world.fs.stopped) throw error;
      },
    );
    waiting.catch(() => undefined);
    this.#waiting[i] = waiting;
  }

  #write(sequence: number): void {
    const random = this.#random;
    const batch = this.#db.batch();
    const notes: string[] = [];
    for (let i = 1 + random.below(4); i > 0; i--) {
      const keyspace = this.#any();
      if (keyspace === undefined) return;
      const key = `k${random.below(50)}`;
      const { name } = keyspace;
      const choice = random.below(8);
      if (choice === 0) {
        batch.delete(keyspace, key);
        notes.push(`delete:${name}:${key}`);
      } else if (choice === 1) {
        batch.deleteRange(keyspace, { gte: key, lt: `${key}z` });
        notes.push(`deleteRange:${name}:${key}-${key}z`);
      } else {
        const value = `${random.below(100_000)}`.padEnd(20, '.');
        const length = random.below(20) === 0 ? 300_000 : random.below(6000);
        const options = random.below(4) === 0 ? { ttlMs: 1 + random.below(1000) } : undefined;
        batch.put(keyspace, key, value + 'x'.repeat(length), options);
        notes.push(`put:${name}:${key}:${value}`);
      }
    }
    this.#world.written.set(sequence, notes.join(' '));
    this.#db.write(batch);
  }

  #keyspace(name: string): Keyspace<string, string> {
    return this.#db.keyspace(name, { key: utf8, value: utf8 });
  }

  #any(): Keyspace<string, string> | undefined {
    const names = this.#db.keyspaces();
    return names.length === 0 ? undefined : this.#keyspace(this.#random.pick(names));
  }
}

async function run(seed: number): Promise<{ losses: number; seen: number }> {
  const random = new Random(seed);
  const world: World = {
    random,
    written: new Map(),
    consumers: [new Consumer('disk'), new Consumer('os'), new Consumer('disk')],
    fs: new SimFs(),
  };
  const lives = 2 + random.below(5);
  for (let i = 0; i < lives; i++) {
    const life = new Life(world);
    const ending = random.pick(['power', 'process', 'closed', 'torn'] as const);
    let left = 20 + random.below(400);
    if (ending === 'torn') {
      world.fs.onOperation = () => {
        if (left-- <= 0) throw new SimulatedCrash();
      };
    }
    try {
      await life.run(random.below(120));
      if (ending === 'closed') await life.close();
    } catch (error) {
      if (!world.fs.stopped) throw error;
    }
    world.fs.onOperation = undefined;
    world.fs = ending === 'process' ? world.fs.crashProcess() : world.fs.crash(random);
  }
  const last = new Life(world);
  await last.run(10);
  await last.finish();
  const expected = [...world.written].sort(([a], [b]) => a - b);
  const [disk] = world.consumers;
  expect(disk!.losses).toBe(0);
  for (const { seen } of world.consumers) {
    expect(seen.map(([sequence]) => sequence)).toEqual(expected.map(([sequence]) => sequence));
    expect(seen).toEqual(expected);
  }
  await last.close();
  return { losses: world.consumers[1]!.losses, seen: expected.length };
}

test(
  'a consumer that resumes by its token sees every surviving batch once and in order, over crashes',
  async () => {
    // Its first open waits for a library, outside of the simulated world.
    await (await open(':memory:')).close();
    let losses = 0;
    let seen = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      // The shared memory of machines that died is given back by nothing else.
      if (seed % 2 === 0) await collectGarbage();
      try {
        const result = await run(seed);
        losses += result.losses;
        seen += result.seen;
      } catch (error) {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      }
    }
    // The runs are worth something: batches were seen, and some that were seen were lost again.
    expect(seen).toBeGreaterThan(20 * SEEDS);
    expect(losses).toBeGreaterThan(0);
  },
  120_000 + SEEDS * 2000,
);
