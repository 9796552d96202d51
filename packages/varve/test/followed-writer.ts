/**
 * A writer and a reader of one simulated directory, as two processes would be: between any two calls that the reader makes on
 * its file system the writer may go on, in steps that a seed chooses. Knows every state that the writer went through.
 */
import { type Clock, type Database, type DatabaseOptions, type FileSystem, type Keyspace, utf8 } from 'varve';
import { openSimulated, type Random, type Scheduler, type SimFs, type Timer } from 'varve/testing';

const KIB = 1024;
const KEYS = 40;
export const NAMES = ['a', 'b', 'c'] as const;

export const keyOf = (number: number): string => `k${String(number).padStart(3, '0')}`;

/** Small enough for flushes, compactions and recycled segments within some hundred writes. */
export const small: DatabaseOptions = {
  memoryBytesMax: 4096 * KIB,
  memtableBytesMax: 256 * KIB,
  batchBytesMax: 128 * KIB,
  logBytesMax: 256 * KIB,
  cacheBytesMax: 256 * KIB,
  syncWaitMsMax: 0,
  sync: { everyN: 16 },
  pressure: 'fail',
  keyspaceDefaults: {
    memtableBytes: 24 * KIB,
    tableBytes: 16 * KIB,
    blockBytes: 1024,
    compaction: { strategy: 'leveled', level0Files: 2, level1Bytes: 64 * KIB },
  },
};

/** Runs what is due when it is told to. */
class Steps implements Scheduler {
  now = 1_000;
  readonly #tasks: { readonly run: () => void; readonly due: number }[] = [];
  readonly clock: Clock = { now: () => 1_700_000_000_000 + this.now, monotonic: () => this.now };

  soon(run: () => void): void {
    this.#tasks.push({ run, due: this.now });
  }

  after(ms: number, run: () => void): Timer {
    const task = { run, due: this.now + ms };
    this.#tasks.push(task);
    return {
      cancel: () => {
        const at = this.#tasks.indexOf(task);
        if (at >= 0) this.#tasks.splice(at, 1);
      },
    };
  }

  step(): boolean {
    const at = this.#tasks.findIndex((task) => task.due <= this.now);
    if (at < 0) return false;
    this.#tasks.splice(at, 1)[0]!.run();
    return true;
  }
}

/** What one sequence did: to keys of a keyspace, or to the keyspace. */
type Change =
  | { readonly kind: 'put'; readonly name: string; readonly key: string; readonly value: string }
  | { readonly kind: 'delete'; readonly name: string; readonly key: string }
  | { readonly kind: 'deleteRange'; readonly name: string; readonly from: string; readonly to: string }
  | { readonly kind: 'create' | 'drop'; readonly name: string };

export type State = Map<string, Map<string, string>>;

export class FollowedWriter {
  readonly random: Random;
  readonly fs: SimFs;
  /** How often the reader was interrupted. */
  interruptions = 0;
  /** Calls of the reader that would have changed something. */
  readonly changedByReader: string[] = [];
  readonly history: Change[][] = [[]];
  db!: Database;
  #steps = new Steps();
  #time = 1_000;
  /** Sequence through which everything is handed to the system. */
  handedOver = 0;
  isBusy = false;
  /** An ingestion that may be committed at any time; one at a time. */
  #ingesting: { readonly changes: Change[]; readonly abort: AbortController } | undefined;

  constructor(random: Random, fs: SimFs) {
    this.random = random;
    this.fs = fs;
  }

  get written(): number {
    this.#noteIngested();
    return this.history.length - 1;
  }

  /** What nobody else wrote was ingested. */
  #noteIngested(): void {
    if (this.#ingesting === undefined || this.db.stats().sequence < this.history.length) return;
    this.history.push(this.#ingesting.changes);
    this.#ingesting = undefined;
  }

  /** Begins an ingestion over part of the keys, which goes on when promises do. */
  #ingest(): void {
    const { random } = this;
    if (this.#ingesting !== undefined) return;
    const name = random.pick(NAMES);
    const space = this.keyspace(name);
    const from = random.below(KEYS);
    const changes = Array.from({ length: 1 + random.below(8) }, (_, i): Extract<Change, { kind: 'put' }> => {
      const value = `ingested ${random.u32()}:${'y'.repeat(random.below(random.pick([10, 3000])))}`;
      return { kind: 'put', name, key: keyOf(from + i), value };
    });
    const ingesting = { changes, abort: new AbortController() };
    this.#ingesting = ingesting;
    const entries = changes.map(({ key, value }): [string, string] => [key, value]);
    const { signal } = ingesting.abort;
    this.db.ingest(space, entries, { durability: 'memory', signal }).catch(() => {
      if (this.#ingesting === ingesting) this.#ingesting = undefined;
    });
  }

  /** A new process opens; the one before may have closed or is just gone. */
  async open(): Promise<void> {
    this.#steps = new Steps();
    this.#steps.now = this.#time;
    const fs = through(this.fs, () => undefined);
    const blobs = this.random.pick([{}, { blobValueBytes: 64 }]);
    const keyspaceDefaults = { ...small.keyspaceDefaults, ...blobs };
    const opening = openSimulated(
      '/db',
      { ...small, keyspaceDefaults, clock: this.#steps.clock, fileSystem: fs },
      { scheduler: this.#steps, sliceMs: 0, pickLane: (count) => this.random.below(count) },
    );
    this.db = await this.settle(opening);
    const { sequence } = this.db.stats();
    // What was only in the buffer of a process that is gone is lost.
    this.history.length = sequence + 1;
    this.handedOver = sequence;
  }

  /** The process is gone without a word. */
  kill(): void {
    this.#noteIngested();
    // Promises of a process that is gone do not go on.
    this.#ingesting?.abort.abort();
    this.#ingesting = undefined;
    this.#steps = new Steps();
    this.#steps.now = this.#time;
  }

  async settle<T>(promise: Promise<T>): Promise<T> {
    let isDone = false;
    const settled = (): void => void (isDone = true);
    promise.then(settled, settled);
    for (let idle = 0; !isDone; ) {
      idle = this.#steps.step() ? 0 : idle + 1;
      if (idle > 50) this.#steps.now += 10;
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
    return promise;
  }

  keyspace(name: string): Keyspace<string, string> {
    this.#noteIngested();
    if (!this.db.keyspaces().includes(name)) this.history.push([{ kind: 'create', name }]);
    return this.db.keyspace(name, { key: utf8, value: utf8 });
  }

  /** Some writes and some background work. */
  act(writes: number): void {
    for (let i = 0; i < writes; i++) {
      this.#write();
      const steps = this.random.below(12);
      for (let step = 0; step < steps; step++) this.#steps.step();
    }
    this.#steps.now += this.random.below(3);
    this.#time = this.#steps.now;
    if (this.random.oneIn(2)) this.handOver();
  }

  /** Background work until there is none, without time passing. */
  finish(): void {
    while (this.#steps.step());
  }

  handOver(): void {
    this.handedOver = this.db.syncNow('os');
    if (this.handedOver !== this.written) throw new Error('the writer counts other sequences than its test');
  }

  #write(): void {
    const { random } = this;
    const name = random.pick(NAMES);
    try {
      this.#noteIngested();
      if (random.oneIn(12)) this.#ingest();
      if (random.oneIn(60) && this.db.keyspaces().includes(name)) {
        void this.db.dropKeyspace(name).catch(() => undefined);
        this.history.push([{ kind: 'drop', name }]);
        return;
      }
      const changes = Array.from({ length: random.oneIn(5) ? 1 + random.below(6) : 1 }, () => this.#change());
      const spaces = new Map(changes.map((change) => [change.name, this.keyspace(change.name)]));
      const batch = this.db.batch();
      for (const change of changes) {
        const space = spaces.get(change.name)!;
        if (change.kind === 'put') batch.put(space, change.key, change.value);
        else if (change.kind === 'delete') batch.delete(space, change.key);
        else if (change.kind === 'deleteRange') batch.deleteRange(space, { gte: change.from, lt: change.to });
      }
      this.#noteIngested();
      const before = this.db.stats().sequence;
      const sequence = this.db.write(batch);
      if (sequence > before) this.history.push(changes);
      if (sequence !== this.written) throw new Error('the writer counts other sequences than its test');
    } catch (error) {
      // Too much memory is in use: the flush needs steps.
      if ((error as { kind?: string }).kind !== 'busy') throw error;
      for (let step = 0; step < 50; step++) this.#steps.step();
      this.#steps.now += 10;
    }
  }

  #change(): Change {
    const { random } = this;
    const name = random.pick(NAMES);
    const number = random.below(KEYS);
    const key = keyOf(number);
    if (random.oneIn(6)) return { kind: 'delete', name, key };
    if (random.oneIn(25))
      return { kind: 'deleteRange', name, from: key, to: keyOf(number + 1 + random.below(8)) };
    return {
      kind: 'put',
      name,
      key,
      value: `${random.u32()}:${'x'.repeat(random.below(random.pick([10, 3000])))}`,
    };
  }

  /** The file system as the reader has it: `before` each call the writer may go on; nothing may be changed. */
  readerFs(before: () => void): FileSystem {
    return through(this.fs, (call, path) => {
      if (call !== 'read') this.changedByReader.push(`${call} ${path}`);
      this.interruptions++;
      before();
    });
  }

  /** What there was after `sequence`, out of the state `from` after an earlier one. */
  stateAt(sequence: number, from: State = new Map(), after = 0): State {
    const state: State = new Map([...from].map(([name, space]) => [name, new Map(space)]));
    for (const changes of this.history.slice(after + 1, sequence + 1))
      for (const each of changes) apply(state, each);
    return state;
  }
}

function apply(state: State, change: Change): void {
  if (change.kind === 'create') state.set(change.name, new Map());
  else if (change.kind === 'drop') state.delete(change.name);
  else {
    const space = state.get(change.name)!;
    if (change.kind === 'put') space.set(change.key, change.value);
    else if (change.kind === 'delete') space.delete(change.key);
    else if (change.kind === 'deleteRange')
      for (const key of space.keys()) if (key >= change.from && key < change.to) space.delete(key);
  }
}

/** `inner` without its lock, telling `before` of each call: 'read', or what it would change. */
function through(inner: FileSystem, before: (call: string, path: string) => void): FileSystem {
  return {
    name: inner.name,
    threads: inner.threads,
    ...(inner.otherReads === undefined ? {} : { otherReads: inner.otherReads }),
    open(path, mode) {
      before(mode === 'read' ? 'read' : mode, path);
      const file = inner.open(path, mode);
      return {
        path,
        read(...of) {
          before('read', path);
          return file.read(...of);
        },
        write(...of) {
          before('write', path);
          return file.write(...of);
        },
        size: () => file.size(),
        truncate(length) {
          before('truncate', path);
          file.truncate(length);
        },
        sync() {
          before('sync', path);
          file.sync();
        },
        dataSync() {
          before('sync', path);
          file.dataSync();
        },
        close: () => file.close(),
      };
    },
    status(path) {
      before('read', path);
      return inner.status(path);
    },
    list(path) {
      before('read', path);
      return inner.list(path);
    },
    makeDirectory(path) {
      before('makeDirectory', path);
      inner.makeDirectory(path);
    },
    remove(path) {
      before('remove', path);
      inner.remove(path);
    },
    removeDirectory(path) {
      before('removeDirectory', path);
      inner.removeDirectory(path);
    },
    rename(from, to) {
      before('rename', from);
      inner.rename(from, to);
    },
    link(from, to) {
      before('link', from);
      inner.link(from, to);
    },
    syncDirectory(path) {
      before('syncDirectory', path);
      inner.syncDirectory(path);
    },
    lock: () => Promise.resolve({ release: () => Promise.resolve() }),
  };
}
