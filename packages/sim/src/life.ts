/**
 * One life of a simulated machine: opens the database, checks what it recovered, does random things to it, and ends by a
 * crash (power loss or SIGKILL, at a random operation or at a sync point) or by a clean close.
 *
 * What is promised is kept in `promised`: the highest sequence that reached each class. A write that was in flight when the
 * machine died may or may not have survived; the sequence that the next open reports decides, for all keyspaces at once.
 */
import { append, type Database, utf8, VarveError } from 'varve';
import { openSimulated, type Random, type SimFs, SimulatedCrash } from 'varve/testing';
import { Ingests } from './ingests.ts';
import { brief, checkKeyspace, checkRecovered, type TextKeyspace, Violation } from './check.ts';
import type { Followers } from './followers.ts';
import { HeldSnapshots } from './held-snapshots.ts';
import type { Change, Model, Point, Write } from './model.ts';
import { ScriptedScheduler } from './scripted-scheduler.ts';
import { settled } from './steps.ts';
import type { StoredTime, Times } from './stored-time.ts';
import { Walks } from './walks.ts';
import { type Ending, type LifeSettings, padded, randomChange, randomKey } from './workload.ts';
import { addChange, writeChange } from './write-change.ts';

export interface Promised {
  os: number;
  disk: number;
}

export class Life {
  readonly #fs: SimFs;
  readonly #random: Random;
  readonly #model: Model;
  readonly #promised: Promised;
  readonly #settings: LifeSettings;
  readonly #scheduler: ScriptedScheduler;
  readonly #keyspaces = new Map<string, TextKeyspace>();
  #db!: Database;
  readonly #snapshots: HeldSnapshots;
  readonly #walks: Walks;
  readonly #ingests: Ingests;
  /** Changes of awaited writes that wait for room, oldest first. */
  #waiting: Change[][] = [];
  #failure: Error | undefined;
  #crashAfter: number;
  readonly #time: StoredTime;
  readonly #followers: Followers | undefined;

  constructor(
    fs: SimFs,
    random: Random,
    model: Model,
    promised: Promised,
    { time, wall }: Times,
    settings: LifeSettings,
    followers?: Followers,
  ) {
    this.#time = time;
    this.#followers = followers;
    this.#fs = fs;
    this.#random = random;
    this.#model = model;
    this.#promised = promised;
    this.#settings = settings;
    this.#scheduler = new ScriptedScheduler(random, wall);
    this.#snapshots = new HeldSnapshots(random, model, this.#keyspaces);
    this.#walks = new Walks(random, model, this.#keyspaces, settings, () => this.#now());
    this.#ingests = new Ingests(random, settings, () => fs.stopped);
    this.#crashAfter = settings.crashAtOperation ?? Number.POSITIVE_INFINITY;
    fs.otherReads.directRefusal = settings.directRefusal;
    fs.onOperation = (operation) => {
      const counted = settings.crashAtSync ? operation.toLowerCase().includes('sync') : true;
      if (counted && --this.#crashAfter < 0) throw new SimulatedCrash();
    };
  }

  /** What the machine's clock shows, milliseconds since 1970. */
  get wall(): number {
    return this.#scheduler.clock.now();
  }

  /** What a reader sees who comes now; after the machine died, what one saw last. */
  #now(): Point {
    if (this.#fs.stopped) return { sequence: this.#model.latest, time: this.#time.last };
    return this.#time.point(this.#db, this.wall, this.#model);
  }

  /** Lives until the end; returns how it ended. Throws a Violation when a promise was broken. */
  async run(): Promise<Ending> {
    const { actions, ending } = this.#settings;
    try {
      const opened = await this.#pump(() => this.#open());
      if (opened)
        for (let i = 0; i < actions && !this.#fs.stopped && this.#failure === undefined; i++)
          await this.#act();
      if (this.#failure !== undefined && !this.#fs.stopped) throw this.#failure;
      if (ending === 'closed' && !this.#fs.stopped) {
        await this.#close();
        if (!this.#fs.stopped) {
          this.#promised.os = this.#promised.disk = this.#model.latest;
          this.#time.closed();
          return 'closed';
        }
      }
    } catch (error) {
      if (!this.#fs.stopped) throw error;
      if (error instanceof Violation) throw error;
    }
    this.#fs.stop();
    if (this.#model.possible.length === 0) this.#model.possible = this.#ingests.histories();
    return ending === 'closed' ? 'power' : ending;
  }

  async #open(): Promise<void> {
    const { options, memtable, directRefusal, losesThreads } = this.#settings;
    this.#db = await openSimulated(
      '/db',
      {
        ...options,
        ...this.#followers?.options,
        fileSystem: this.#fs,
        clock: this.#scheduler.clock,
      },
      {
        scheduler: this.#scheduler,
        pickLane: (count) => this.#random.below(count),
        sliceMs: 0,
        uniqueId: () => Uint8Array.from({ length: 16 }, () => this.#random.below(256)),
        memtable,
        losesJob: (lane) => losesThreads && lane === 'compaction' && this.#random.oneIn(200),
      },
    );
    const isRefused = options.reads === 'direct' && directRefusal !== 'none';
    if (isRefused !== this.#db.recovered.warnings.some((warning) => warning.includes('refuses direct reads')))
      throw new Violation(`open warns of [${this.#db.recovered.warnings.join('; ')}]`);
    const recovered = this.#db.stats().sequence;
    const floor = this.#settings.before === 'power' ? this.#promised.disk : this.#promised.os;
    const least = this.#settings.before === 'closed' ? this.#model.latest : floor;
    // Open syncs what it replayed before it takes the first write.
    this.#promised.os = this.#promised.disk = recovered;
    this.#time.opened(this.#db, this.wall);
    for (const name of this.#db.keyspaces()) this.#use(name);
    const at = { sequence: recovered, time: this.#now().time };
    checkRecovered(this.#db, this.#keyspaces, this.#model, at, least);
    this.#ingests.listen(this.#db);
    this.#followers?.opened(this.#db);
  }

  async #act(): Promise<void> {
    this.#catchUp();
    if (this.#followers !== undefined) this.#background(this.#followers.act(this.#now().time));
    const random = this.#random;
    const roll = random.below(100);
    if (roll < 45) this.#write();
    else if (roll < 50) this.#writeBatch();
    else if (roll < 55) this.#awaited();
    else if (roll < 62) this.#checkReads();
    else if (roll < 65) this.#snapshots.take(this.#db, this.#now().time);
    else if (roll < 68) this.#snapshots.check();
    else if (roll < 72) this.#walks.act(() => this.#name());
    else if (roll < 73) this.#createKeyspace();
    else if (roll < 74) this.#dropKeyspace();
    else if (roll < 76) this.#background(this.#db.flush());
    else if (roll < 77) this.#compact();
    else if (roll < 79) this.#syncNow();
    else if (roll < 80) this.#pass();
    else if (roll < (this.#settings.large ? 90 : 82)) this.#ingest();
    else for (let steps = random.below(30); steps > 0; steps--) await this.#step();
    await settled();
  }

  /** Time passes, or jumps. */
  #pass(): void {
    const random = this.#random;
    if (this.#settings.setsClock && random.oneIn(2)) {
      this.#scheduler.setWall(random.oneIn(3) ? random.below(1000) : -random.below(5000));
    } else this.#scheduler.advance(random.below(this.#settings.pauseMsMax));
  }

  #compact(): void {
    const name = this.#name();
    if (name !== undefined && this.#random.oneIn(2)) this.#use(name);
    else this.#background(this.#db.compact());
  }

  #name(): string | undefined {
    const names = [...this.#keyspaces.keys()];
    return names.length === 0 ? undefined : this.#random.pick(names);
  }

  #write(): void {
    const name = this.#name();
    if (name === undefined) return this.#createKeyspace();
    const keyspace = this.#keyspaces.get(name)!;
    const change = randomChange(this.#random, name, this.#settings);
    this.#commit([change], () => writeChange(keyspace, change, this.#optionsOf(change)));
  }

  #writeBatch(): void {
    const changes: Change[] = [];
    const batch = this.#db.batch();
    const most = this.#settings.uniformBytes === undefined ? 12 : 1;
    for (let i = this.#random.below(most) + 1; i > 0; i--) {
      const name = this.#name();
      if (name === undefined) return;
      const change = randomChange(this.#random, name, this.#settings);
      const keyspace = this.#keyspaces.get(name)!;
      changes.push(change);
      addChange(batch, keyspace, change, this.#optionsOf(change));
    }
    this.#commit(changes, () => this.#db.write(batch));
  }

  /** Not where all writes have one size: their records in the log are to lie one where another lay. */
  #ingest(): void {
    const name = this.#name();
    if (name === undefined || this.#settings.uniformBytes !== undefined) return;
    const reached = this.#promise.bind(this);
    const into =
      this.#settings.large && this.#random.oneIn(2)
        ? [...this.#keyspaces.values()]
        : this.#keyspaces.get(name)!;
    this.#background(this.#ingests.act(this.#db, into, this.#now().time, reached));
  }

  /** Writes, and tells the model: what throws `busy` was not written, what meets the crash may have been. */
  #commit(changes: readonly Change[], write: () => number): void {
    let sequence = this.#model.latest + 1;
    const { time } = this.#now();
    try {
      const got = write();
      // While the write waited, an ingestion may have been committed.
      if (got === sequence + 1 && this.#ingests.pending !== undefined)
        this.#apply(this.#ingests.take(sequence), sequence++);
      if (got !== sequence) throw new Violation(`a write got sequence ${got}, should be ${sequence}`);
      if (this.#now().time !== time) throw new Violation('time has passed in a write');
      this.#apply({ changes, time }, sequence);
      if (this.#settings.options.sync === 'everyWrite') this.#promised.disk = this.#promised.os = sequence;
    } catch (error) {
      if (error instanceof VarveError && error.kind === 'busy') return;
      // Perhaps in an ingestion that was committed while the write waited.
      if (this.#fs.stopped) this.#model.possible = this.#ingests.histories({ changes, time });
      throw error;
    }
  }

  #apply({ changes, time }: Write, sequence: number): void {
    const at = { sequence, time };
    const expires = changes.some((change) => change.kind === 'put' && change.ttlMs !== undefined);
    this.#time.wrote(at, expires, this.#settings.options.timestamps === true);
    this.#model.apply(changes, at);
  }

  #optionsOf(change: Change): { ttlMs?: number } | undefined {
    const ttlMs = change.kind === 'put' ? change.ttlMs : undefined;
    return ttlMs === undefined || ttlMs === this.#settings.keyspace.ttlMs ? undefined : { ttlMs };
  }

  #awaited(): void {
    const name = this.#name();
    if (name === undefined) return;
    const durability = this.#random.oneIn(2) ? 'os' : 'disk';
    const key = randomKey(this.#random, this.#settings);
    const value = padded(`awaited-${this.#model.latest + 1}`, this.#settings);
    const { ttlMs } = this.#settings.keyspace;
    const changes: Change[] = [{ kind: 'put', keyspace: name, key, value, ttlMs }];
    const { time } = this.#now();
    const before = this.#db.stats().sequence;
    const promise = this.#keyspaces.get(name)!.put(key, value, { durability });
    // Without pressure the write is visible at once; when the machine died in it, it may have survived all the same.
    if (this.#fs.stopped || this.#db.stats().sequence > before) this.#apply({ changes, time }, before + 1);
    else this.#waiting.push(changes);
    promise.catch(() => {
      this.#waiting = this.#waiting.filter((each) => each !== changes);
    });
    this.#background(promise.then((sequence) => this.#promise(durability, sequence)));
  }

  /** Awaited writes that had to wait for room commit in their order, whenever there is some: the model follows. */
  #catchUp(): void {
    if (this.#fs.stopped) return;
    while (this.#db.stats().sequence > this.#model.latest) {
      const { sequence, time } = this.#now();
      const ingested = this.#ingests.takeAt(sequence + 1);
      const changes = ingested?.changes ?? this.#waiting.shift();
      if (changes === undefined) throw new Violation(`nobody knows what happened at ${sequence + 1}`);
      this.#apply({ changes, time: ingested?.time ?? time }, sequence + 1);
    }
  }

  #promise(durability: 'os' | 'disk', sequence: number): void {
    if (this.#fs.stopped) return;
    this.#promised.os = Math.max(this.#promised.os, sequence);
    if (durability === 'disk') this.#promised.disk = Math.max(this.#promised.disk, sequence);
  }

  #syncNow(): void {
    const durability = this.#random.oneIn(2) ? 'os' : 'disk';
    if (this.#random.oneIn(2)) this.#promise(durability, this.#db.syncNow(durability));
    else this.#background(this.#db.sync(durability).then((sequence) => this.#promise(durability, sequence)));
  }

  #checkReads(): void {
    const name = this.#name();
    if (name === undefined) return;
    const keyspace = this.#keyspaces.get(name)!;
    const at = this.#now();
    for (let i = 0; i < 5; i++) {
      const key = randomKey(this.#random, this.#settings);
      const got = keyspace.get(key);
      const expected = this.#model.get(name, key, at);
      if (got !== expected)
        throw new Violation(`get ${name}/${key} gives ${brief(got)}, should be ${brief(expected)}`);
    }
    if (this.#random.oneIn(4)) checkKeyspace(keyspace, undefined, this.#model, at, 'while running');
  }

  #createKeyspace(): void {
    const name = `ks${this.#random.below(4)}`;
    if (this.#keyspaces.has(name)) return;
    const sequence = this.#model.latest + 1;
    try {
      this.#use(name);
      this.#model.create(name, sequence);
    } catch (error) {
      if (error instanceof VarveError && error.kind === 'busy') return;
      if (this.#fs.stopped) this.#model.create(name, sequence);
      throw error;
    }
  }

  #dropKeyspace(): void {
    const name = this.#name();
    if (name === undefined || this.#keyspaces.size < 2) return;
    this.#walks.forget(name);
    this.#snapshots.forget(name);
    this.#keyspaces.delete(name);
    const dropped = this.#db.dropKeyspace(name);
    this.#model.drop(name, this.#model.latest + 1);
    this.#background(dropped);
  }

  #use(name: string): void {
    this.#keyspaces.set(
      name,
      this.#db.keyspace(name, {
        key: utf8,
        value: utf8,
        ...this.#settings.keyspace,
        ...(this.#settings.merges && { mergeOperator: append }),
        compaction: this.#random.pick(this.#settings.strategies),
      }),
    );
  }

  /** A promise that goes on while other things happen; a failure that is not the crash itself ends the run. */
  #background(promise: Promise<unknown>): void {
    promise.catch((error: unknown) => {
      if (this.#fs.stopped || (error instanceof VarveError && ['busy', 'closed'].includes(error.kind)))
        return;
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
    });
  }

  async #step(): Promise<void> {
    if (!this.#scheduler.step() && this.#random.oneIn(4)) this.#scheduler.skipToNext();
    await settled();
    this.#catchUp();
  }

  /** Runs `start` to its end by giving the scheduler steps; false when the machine died on the way. */
  async #pump(start: () => Promise<void>): Promise<boolean> {
    let done = false;
    let failure: Error | undefined;
    start().then(
      () => {
        done = true;
      },
      (error: unknown) => {
        done = true;
        failure = error instanceof Error ? error : new Error(String(error));
      },
    );
    for (let idle = 0; !done; ) {
      await settled();
      if (this.#scheduler.step() || this.#scheduler.skipToNext()) idle = 0;
      else if (++idle > 100) throw new Violation('nothing is scheduled, yet a promise is pending');
      else await new Promise((resolve) => setImmediate(resolve));
    }
    if (failure !== undefined && !this.#fs.stopped) throw failure;
    return failure === undefined;
  }

  async #close(): Promise<void> {
    await settled();
    this.#catchUp();
    this.#snapshots.close();
    await this.#pump(() => this.#db.close());
  }
}
