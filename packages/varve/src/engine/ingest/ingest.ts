/**
 * `db.ingest`: sorted entries become tables of a keyspace without log and memtable, and all visible at once at one sequence.
 *
 * The entries come from user code, so they are encoded and compared here, on the owner's thread, about half a millisecond
 * between two turns of the event loop; tables are made of them by jobs (table-feed.ts). When all are on disk they are
 * committed (ingestions.ts). Whatever ends it before that leaves nothing behind, and nobody has seen any of it.
 */
import { cloneOf, describeBytes, sharedPrefix, successor } from '../../base/bytes.ts';
import { invalid, VarveError } from '../../base/errors.ts';
import { stampExpiry, withTtl } from '../../base/expiry.ts';
import { KIND_PUT, KIND_PUT_EXPIRY, KIND_RANGE_DELETE } from '../../base/kinds.ts';
import { Patience } from '../../runtime/patience.ts';
import type { IngestOptions, IngestReport } from '../api-types.ts';
import type { Keyspace } from '../keyspace-types.ts';
import type { Core } from '../core.ts';
import { KeyspaceHandle } from '../keyspace.ts';
import { checkOptionMembers } from '../option-members.ts';
import { untilUnlocked } from '../until-unlocked.ts';
import { checkWait, reach } from '../write-wait.ts';
import type { NewTables } from './commit-request.ts';
import { TableFeed } from './table-feed.ts';
import { TablesRun } from './tables-run.ts';

type Entries<K, V> = Iterable<readonly [K, V]> | AsyncIterable<readonly [K, V]>;

const members = new Set(['signal', 'durability']);
/** So long transactions that have locked keys between those of a table are waited for. */
const LOCKED_MS_MAX = 2000;

/** See `Database.ingest`. */
export async function ingest<K, V>(
  core: Core,
  keyspace: Keyspace<K, V>,
  entries: Entries<K, V>,
  options: IngestOptions = {},
): Promise<IngestReport> {
  const { durability, signal } = checked(options);
  core.pipeline.checkMutable();
  if (core.log === undefined) {
    const message = "with log: 'external' batches come through applyExternal; nothing can be ingested";
    throw invalid('LOG_EXTERNAL', message, {});
  }
  const run = new IngestRun(core, KeyspaceHandle.of(keyspace, core), signal);
  core.runner.hold();
  try {
    const report = await run.toCommit(entries);
    if (report.entries === 0) return report;
    await run.orAborted(reach(core, durability, report.sequence));
    return report;
  } finally {
    run.end();
    core.runner.unhold();
  }
}

function checked(options: IngestOptions): Required<Pick<IngestOptions, 'durability'>> & IngestOptions {
  checkOptionMembers('ingest', options, members);
  const { durability = 'disk', signal } = options;
  checkWait(signal === undefined ? { durability } : { durability, signal });
  return { durability, ...(signal === undefined ? {} : { signal }) };
}

/** One ingestion under way. */
class IngestRun<K, V> {
  readonly #core: Core;
  readonly #handle: KeyspaceHandle<K, V>;
  readonly #feed: TableFeed;
  readonly #run: TablesRun;
  readonly #ttlMs: number | undefined;
  readonly #signal: AbortSignal | undefined;

  constructor(core: Core, handle: KeyspaceHandle<K, V>, signal: AbortSignal | undefined) {
    this.#core = core;
    this.#handle = handle;
    this.#signal = signal;
    // As a put without options of its own: it expires when the keyspace says so.
    this.#ttlMs = handle.ttlOf(undefined);
    this.#run = new TablesRun(core);
    this.#feed = this.#run.adds(new TableFeed(core, core.state.trees.get(handle.id)!));
    if (signal?.aborted === true) throw this.#aborted();
    signal?.addEventListener('abort', this.#abort, { once: true });
  }

  end(): void {
    this.#signal?.removeEventListener('abort', this.#abort);
  }

  readonly #abort = (): void => {
    this.#run.withdraw();
    this.#run.stop(this.#aborted());
  };

  #aborted(): VarveError {
    const context = { applied: this.#run.isCommitted };
    const { reason: cause } = this.#signal!;
    return new VarveError('busy', 'ABORTED', 'the ingestion was aborted', context, { cause });
  }

  /** Reads the entries to their end, makes tables of them, and commits those. */
  toCommit(entries: Entries<K, V>): Promise<IngestReport> {
    const { state } = this.#core;
    return this.#run.within('nothing was ingested', async () => {
      await this.#read(entries);
      const files = await this.orAborted(this.#feed.finish());
      this.#check();
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      const count = this.#feed.entries;
      if (count === 0) return { sequence: state.visible, entries: 0, files: 0, bytes: 0 };
      const tree = state.trees.get(this.#handle.id)!;
      const sequence = await this.#commit({ tree, files });
      return { sequence, entries: count, files: files.length, bytes };
    });
  }

  /** `promise`, unless the run is stopped before. */
  orAborted<T>(promise: Promise<T>): Promise<T> {
    return this.#run.orStopped(promise);
  }

  #check(): void {
    this.#run.check();
    this.#handle.check();
  }

  /** Waits for what is locked, as an awaited write with a deadline does: all its work is done by now. */
  async #commit(tables: NewTables): Promise<number> {
    const { pipeline, scheduler } = this.#core;
    let refused: VarveError | undefined;
    let patience: Patience | undefined;
    const attempt = (): void => this.#checkLocks(tables);
    const wait = (change: Promise<void>, refusal: VarveError): Promise<void> => {
      refused = refusal;
      const late = (): Error => refused!;
      patience ??= new Patience(scheduler, LOCKED_MS_MAX, undefined, { late, aborted: late });
      return this.orAborted(patience.race(change));
    };
    try {
      return await untilUnlocked({ pipeline, attempt, wait }, (check) => this.#run.commit([tables], check));
    } finally {
      patience?.end();
    }
  }

  /** Which keys the tables have is not known any more. @throws conflict `KEY_LOCKED` when one between their ends is locked */
  #checkLocks({ tree, files }: NewTables): void {
    const { guard } = this.#core.pipeline;
    for (const { smallestKey, largestKey } of files) {
      guard?.one(tree.id, KIND_RANGE_DELETE, smallestKey, successor(largestKey));
    }
  }

  async #read(entries: Entries<K, V>): Promise<void> {
    this.#run.beginSlice();
    const source = new Source(entries);
    // A source that has ended or thrown is not asked to end.
    let isOpen = false;
    try {
      for (;;) {
        isOpen = false;
        const next = source.next();
        isOpen = true;
        const step = source.isAsync ? await this.orAborted(Promise.resolve(next)) : (next as Step<K, V>);
        if (typeof step !== 'object' || step === null) throw notEntries(entries);
        if (step.done === true) {
          isOpen = false;
          return;
        }
        this.#check();
        const wait = this.#take(step.value) ?? this.#run.pause();
        if (wait !== undefined) await wait;
      }
    } finally {
      if (isOpen) source.endEarly();
    }
  }

  /** Adds an entry; a promise when there was no room. */
  #take(entry: readonly [K, V]): Promise<void> | undefined {
    if (!Array.isArray(entry) || entry.length !== 2) {
      throw invalid('ENTRY_INVALID', 'what is ingested are pairs [key, value]', {
        position: this.#feed.entries,
        got: Array.isArray(entry) ? `an array of ${entry.length}` : typeof entry,
      });
    }
    const feed = this.#feed;
    const key = this.#handle.encodeKey(entry[0]);
    const last = feed.lastKey;
    const shared = sharedPrefix(last, 0, last.length, key, 0, key.length);
    if (feed.entries > 0 && !follows(key, last, shared)) throw this.#notSorted(key, last);
    const value = this.#stored(this.#handle.encodeValue(entry[1]));
    this.#run.worked(key.length + value.length);
    if (feed.add(this.#kind, key, shared, value)) return undefined;
    // Others may use the codecs meanwhile, which may give out the same memory again.
    return this.#addLater(cloneOf(key), shared, cloneOf(value));
  }

  get #kind(): number {
    return this.#ttlMs === undefined ? KIND_PUT : KIND_PUT_EXPIRY;
  }

  /** The value as tables store it. */
  #stored(value: Uint8Array): Uint8Array {
    const ttlMs = this.#ttlMs;
    if (ttlMs === undefined) return value;
    const stored = withTtl(value, ttlMs);
    stampExpiry(stored, 0, ttlMs, this.#core.state.time.now());
    return stored;
  }

  async #addLater(key: Uint8Array, shared: number, value: Uint8Array): Promise<void> {
    await this.orAborted(this.#feed.room(key.length, value.length));
    this.#check();
    this.#feed.add(this.#kind, key, shared, value);
    this.#run.beginSlice();
  }

  #notSorted(key: Uint8Array, last: Uint8Array): VarveError {
    const [got, before] = [describeBytes(key), describeBytes(last)];
    const position = this.#feed.entries;
    return invalid(
      'INGEST_NOT_SORTED',
      `keys are ingested in ascending order, each once; entry ${position} has ${got} behind ${before}`,
      { keyspace: this.#handle.name, position, key: got, previousKey: before },
    );
  }
}

/** Does `key` come after `last`, with which it shares so many bytes? */
function follows(key: Uint8Array, last: Uint8Array, shared: number): boolean {
  if (shared === last.length) return key.length > last.length;
  return shared < key.length && key[shared]! > last[shared]!;
}

type Step<K, V> = IteratorResult<readonly [K, V], unknown>;

/** Methods of user code, which may be anything. */
interface Methods {
  readonly [Symbol.asyncIterator]?: () => unknown;
  readonly [Symbol.iterator]?: () => unknown;
}

/** Where the entries come from: user code. */
class Source<K, V> {
  readonly isAsync: boolean;
  readonly #iterator: Iterator<readonly [K, V]> | AsyncIterator<readonly [K, V]>;

  constructor(entries: Entries<K, V>) {
    const { [Symbol.asyncIterator]: async, [Symbol.iterator]: sync } = (entries ?? {}) as Methods;
    this.isAsync = typeof async === 'function';
    const method = this.isAsync ? async : sync;
    const iterator: unknown = typeof method === 'function' ? Reflect.apply(method, entries, []) : undefined;
    if (typeof (iterator as Partial<Iterator<unknown>> | undefined | null)?.next !== 'function') {
      throw notEntries(entries);
    }
    this.#iterator = iterator as Iterator<readonly [K, V]> | AsyncIterator<readonly [K, V]>;
  }

  next(): Step<K, V> | Promise<Step<K, V>> {
    return this.#iterator.next();
  }

  /** Tells it that no more is wanted; what it answers is its own affair. */
  endEarly(): void {
    try {
      const ended: unknown = this.#iterator.return?.();
      if (ended instanceof Promise) ended.catch(() => undefined);
    } catch {
      // What ended the ingestion is what is reported.
    }
  }
}

function notEntries(entries: unknown): VarveError {
  const message = 'what is ingested is an iterable or an async iterable of [key, value]';
  return invalid('ENTRIES_INVALID', message, { got: typeof entries });
}
