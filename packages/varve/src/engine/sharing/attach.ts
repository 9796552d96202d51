/**
 * Opens, in a worker thread, the database that another thread shares: the same memtables, cache and log in place, with this
 * thread's own objects over them, and its own descriptors.
 *
 * Reads and writes need nobody else. What only the owner does (new keyspaces, flush, compaction, fsync in the background) is
 * asked of it. A thread takes a slot here and gives it back when it closes; should it die before, the owner sees to that.
 */
import { threadId } from 'node:worker_threads';
import { SegmentPool } from '../../arena/segment-pool.ts';
import { systemClock } from '../../base/clock.ts';
import { PointResult } from '../../base/entry.ts';
import { closed, invalid, VarveError } from '../../base/errors.ts';
import { BlockCache } from '../../cache/block-cache.ts';
import { RowCache } from '../../cache/row-cache.ts';
import { blobName, inDirectory, tableName } from '../../fs/file-names.ts';
import { nodeFileSystem } from '../../fs/node-fs.ts';
import { withReads } from '../../fs/table-reads.ts';
import { ManifestFollower } from '../../manifest/follow.ts';
import { type EventDetails, type EventName, Events } from '../../observe/events.ts';
import { Poison } from '../../runtime/poison.ts';
import { systemScheduler, type Timer } from '../../runtime/scheduler.ts';
import { ready } from '../../sstable/checksum.ts';
import { TableCache } from '../../sstable/table-cache.ts';
import { AttachedLog } from '../../wal/attached-log.ts';
import { SyncPolicy } from '../../wal/sync-policy.ts';
import { packError, reviveError, type TransferredError } from '../../workers/error-transfer.ts';
import { workerEntry } from '../../workers/resolve.ts';
import { ThreadRunner } from '../../workers/thread-runner.ts';
import { BlockFetcher } from '../block-fetcher.ts';
import { CommitPipeline } from '../commit-pipeline.ts';
import type { Session } from '../core.ts';
import { Durability } from '../durability.ts';
import { ExternalPosition } from '../external-position.ts';
import { ManyGets } from '../get-many.ts';
import type { KeyspaceAnswer } from '../keyspace-table.ts';
import { LEVEL0_WAITING_STOP, Pressure } from '../pressure.ts';
import { HeldSnapshots } from '../held-snapshots.ts';
import { SnapshotRegister } from '../snapshot-register.ts';
import { EngineState } from '../state.ts';
import { Tree } from '../tree.ts';
import type { Transactions, UpperFloors } from '../database.ts';
import { AttachedDatabase } from './attached-database.ts';
import { AttachedPast } from './attached-past.ts';
import { AttachedKeyspaces } from './attached-keyspaces.ts';
import { AttachedRunner } from './attached-runner.ts';
import { AttachedViews } from './attached-views.ts';
import { CacheAccess } from './cache-access.ts';
import {
  ASKED,
  FLAG_OWNER_GONE,
  FLAG_POISONED,
  FLAGS,
  LEVEL0_FILES,
  MEMTABLE_KIB_MAX,
} from './control-words.ts';
import { KeyspaceWords } from './keyspace-words.ts';
import { LockRecords, repairLocks } from './lock-records.ts';
import { redo } from './redo.ts';
import { checkNotEnded, takeSlot } from './attach-slot.ts';
import { type Notice, RequestClient } from './requests.ts';
import { checkAttachable, type ShareData } from './share-handle.ts';
import { SharedRegister } from './shared-register.ts';
import { SharedViews } from './shared-views.ts';
import { ThreadAccess } from './thread-access.ts';
import { freeSlot, generationOf, isSlotDead, openFilesShare, OWNER_SLOT } from './thread-slots.ts';

/** How often a thread looks whether the owner is still there, unless it writes. */
const LOOK_MS = 250;
/** Row caches are a thread's own: an attached one has a quarter of what the owner has. */
const ROW_BYTES_MAX = 8 * 1024 * 1024;
const ROW_SHARE = 1 / 64;
const FILTER_SHARE = 1 / 32;
const READ_THREADS = 2;

/** The databases that this thread has attached. */
const attachedHere = new Set<string>();

/** See `attach` of the package. */
export async function attachDatabase(handle: unknown, upper: UpperFloors): Promise<AttachedDatabase> {
  const data = checkAttachable(handle);
  if (attachedHere.has(data.id)) {
    throw invalid('ATTACHED', 'this thread has attached the database already; close that first', {
      threadId,
    });
  }
  attachedHere.add(data.id);
  let slot = -1;
  try {
    await ready();
    slot = await takeSlot(data);
    return new Attachment(data, slot, upper).database;
  } catch (error) {
    attachedHere.delete(data.id);
    if (slot >= 0) freeSlot(new Int32Array(data.control), slot);
    throw error;
  }
}

/** The parts of one attached database, put together. */
class Attachment {
  readonly database: AttachedDatabase;
  readonly #data: ShareData;
  readonly #control: Int32Array;
  readonly #slot: number;
  readonly #state: EngineState;
  readonly #events = new Events();
  readonly #poison: Poison;
  readonly #client: RequestClient;
  readonly #durability: Durability;
  readonly #pressure: Pressure;
  readonly #register: SharedRegister;
  readonly #tables: TableCache;
  readonly #runner: AttachedRunner;
  readonly #reads: BlockFetcher;
  readonly #transactions: Transactions;
  #timer: Timer | undefined;
  #isClosed = false;

  /** @param slot of this thread, given back by whoever took it when this throws */
  constructor(data: ShareData, slot: number, upper: UpperFloors) {
    this.#data = data;
    const control = new Int32Array(data.control);
    this.#control = control;
    const { options } = data;
    this.#slot = slot;
    const state = new EngineState(data.directory);
    this.#state = state;
    const rows = new KeyspaceWords(control, new Int32Array(data.rows));
    const pool = SegmentPool.attach(data.pool);
    const fs = nodeFileSystem;
    const cache = BlockCache.attach(data.cache, new CacheAccess(control, slot));
    this.#tables = new TableCache({
      fs: withReads(fs, options.reads),
      pathOf: (number) => inDirectory(data.directory, tableName(number)),
      blobPathOf: (number) => inDirectory(data.directory, blobName(number)),
      cache,
      openFilesMax: () => openFilesShare(control, options.openFilesMax),
      filterBytesMax: Math.floor(options.memoryBytesMax * FILTER_SHARE),
      ownsCache: false,
    });
    const counters = { log: 0, user: 0 };
    const log = new AttachedLog({
      fs,
      directory: data.directory,
      handle: data.log,
      counters,
      segmentFull: () => this.#ask(),
      checkOwner: () => this.#checkOwnerRuns(),
    });
    const access = new ThreadAccess(control, slot, {
      flagged: (flags) => this.#flagged(flags),
      follow: (isCurrent) => views.follow(isCurrent),
      load: () => log.load(),
      repair: () => {
        this.#checkOwnerRuns();
        log.load();
        access.endChange();
        redo({ control, rows, pool, writer: log.writer, tail: log.tail });
        repairLocks(data.locks);
      },
    });
    const sharedViews = new SharedViews(pool, rows, access, () => undefined);
    const views = new AttachedViews({
      control,
      state,
      rows,
      views: sharedViews,
      manifest: ManifestFollower.fromStart(fs, data.directory, data.manifest),
      tables: this.#tables,
      pool,
    });
    state.share(access);
    state.time.share(data.time);
    this.#register = new SharedRegister(control, new Int32Array(data.register), slot, state.time);
    const register = new SnapshotRegister(state);
    register.share(this.#register);
    this.#client = new RequestClient({
      id: data.id,
      control,
      slot,
      generation: generationOf(control, slot),
      noticed: (notice) => this.#noticed(notice),
      checkOwner: () => this.#checkOwnerRuns(),
    });
    const threads = new ThreadRunner({
      entry: workerEntry('../workers/job.worker', import.meta.url),
      threads: { io: 1, flush: 1, compaction: 1, read: READ_THREADS, scan: 1, care: 1 },
    });
    const runner = new AttachedRunner({
      control,
      slot,
      client: this.#client,
      threads,
      checkOwner: () => this.#checkOwnerRuns(),
    });
    this.#runner = runner;
    this.#reads = new BlockFetcher(runner, options.reads, READ_THREADS);
    this.#poison = new Poison((cause) => this.#poisoned(cause));
    this.#durability = new Durability({
      log,
      state,
      policy: new SyncPolicy(options.sync),
      runner,
      scheduler: systemScheduler,
      clock: systemClock,
      poison: this.#poison,
    });
    this.#durability.progressed = () => runner.tellProgress();
    this.#pressure = new Pressure({
      strategy: options.pressure,
      limitBytes: options.memtableBytesMax,
      syncWaitMsMax: options.syncWaitMsMax,
      runner,
      scheduler: systemScheduler,
      clock: systemClock,
      events: this.#events,
      usedBytes: () => pool.bytesUsed,
      flushPending: () => true,
      level0Files: () => Atomics.load(control, LEVEL0_FILES),
      // What the owner's compactions take it does not tell: half of the files, as when they keep up just so.
      level0Waiting: () => Atomics.load(control, LEVEL0_FILES) / 2,
      level0Room: () =>
        (LEVEL0_WAITING_STOP - Atomics.load(control, LEVEL0_FILES) / 2) *
        options.keyspaceDefaults.memtableBytes,
      makeRoom: () => {
        runner.awaitRoom();
        this.#ask();
      },
    });
    let poolBytesSeen = 0;
    const pipeline = new CommitPipeline({
      state,
      log,
      durability: this.#durability,
      external: new ExternalPosition(0),
      pressure: this.#pressure,
      poison: this.#poison,
      runner,
      batchBytesMax: options.batchBytesMax,
      lockMsMax: options.syncWaitMsMax,
      isReadOnly: false,
      counters,
      committed: (touched) => {
        if (pool.bytesUsed === poolBytesSeen) return;
        poolBytesSeen = pool.bytesUsed;
        const limit = Atomics.load(control, MEMTABLE_KIB_MAX) * 1024;
        // It moves with the memory budget, which the owner keeps.
        this.#pressure.limitBytes = limit;
        const isFull = touched.some((tree) => tree.activeBytes >= rows.memtableBytes(tree.id));
        if (isFull || poolBytesSeen >= limit / 2) this.#ask();
      },
    });
    let many: ManyGets | undefined;
    const session: Session = {
      state,
      clock: systemClock,
      scheduler: systemScheduler,
      runner,
      events: this.#events,
      register,
      snapshots: new HeldSnapshots(systemClock),
      durability: this.#durability,
      pressure: this.#pressure,
      past: new AttachedPast((...ask) => this.#client.askNow(...ask, options.syncWaitMsMax), register),
      pipeline,
      tables: this.#tables,
      reads: this.#reads,
      owner: undefined,
      found: new PointResult(),
      get many() {
        many ??= new ManyGets();
        return many;
      },
    };
    this.#transactions = upper.transactions(session);
    this.#transactions.locks.share(new LockRecords(control, data.locks, slot));
    const rowCache = new RowCache(Math.min(ROW_BYTES_MAX, Math.floor(options.cacheBytesMax * ROW_SHARE)));
    const keyspaces = new AttachedKeyspaces({
      session,
      known: (name) =>
        state.entered(() => {
          const record = views.recordOf(name);
          return record === undefined ? undefined : { record, settings: options.keyspaceDefaults };
        }),
      ask: (request) => this.#client.askNow<KeyspaceAnswer>('keyspace', request, options.syncWaitMsMax),
      tellNamed: (name) => this.#client.tell('keyspaceNamed', name),
      makeTree: ({ record, settings }) =>
        state.entered(() => {
          const version = views.versionOf(record);
          const tree = new Tree(state, record, settings, version, this.#tables, rowCache, () => {
            throw new Error('a shared tree has its memtables in shared memory');
          });
          tree.join(sharedViews, () => rows.ttl(record.id));
          views.add(tree);
          return tree;
        }),
    });
    this.database = new AttachedDatabase({
      path: data.path,
      recovered: data.recovered,
      session,
      transactions: this.#transactions,
      keyspaces,
      client: this.#client,
      askMsMax: options.syncWaitMsMax,
      diff: upper.diff,
      close: () => this.#close(),
    });
    process.on('exit', this.#exit);
    this.#lookLater();
  }

  /** Throws when the owner has closed the database, or is known to be gone. */
  #checkOwner(): void {
    this.#flagged(Atomics.load(this.#control, FLAGS));
  }

  /** The same, and looks whether the owner's thread still runs. */
  #checkOwnerRuns(): void {
    if (isSlotDead(this.#control, OWNER_SLOT, false)) Atomics.or(this.#control, FLAGS, FLAG_OWNER_GONE);
    this.#checkOwner();
  }

  #flagged(flags: number): void {
    checkNotEnded(flags, this.#data.path);
    if ((flags & FLAG_POISONED) !== 0 && this.#poison?.raised === false) {
      this.#poison.raise(new Error('the owner of the database could not write'));
    }
  }

  /** Asks the owner to make room, once until it has looked. */
  #ask(): void {
    if (Atomics.exchange(this.#control, ASKED, 1) === 0) this.#client.tell('asked', undefined);
  }

  #noticed({ notice, detail }: Notice): void {
    if (notice === 'progress') this.#pressure.relieved();
    else if (notice === 'closed')
      this.#end(closed('the database', { path: this.#data.path, by: 'its owner' }));
    else if (notice === 'poisoned') this.#poison.raise(reviveError(detail as TransferredError));
    else if (notice === 'event') {
      const event = detail as { name: EventName; detail: EventDetails[EventName] };
      this.#events.emit(event.name, () => event.detail);
    }
  }

  #poisoned(cause: unknown): void {
    this.#durability.poisoned();
    this.#pressure.abandon(this.#poison.error());
    const isFirst = (Atomics.or(this.#control, FLAGS, FLAG_POISONED) & FLAG_POISONED) === 0;
    if (isFirst) this.#client.tell('failed', packError(cause));
  }

  #lookLater(): void {
    this.#timer = systemScheduler.after(LOOK_MS, () => {
      try {
        this.#checkOwnerRuns();
        this.#lookLater();
      } catch (error) {
        this.#end(error as VarveError);
      }
    });
  }

  /** The owner is closed or gone: whoever waits gets `error`, and so does every later call. */
  #end(error: VarveError): void {
    if (this.#isClosed) return;
    this.#giveUp(error, false);
    void this.#runner.close();
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#giveUp(closed('the database', { path: this.#data.path }), true);
    await this.#runner.close();
  }

  #giveUp(error: VarveError, mayWrite: boolean): void {
    this.#isClosed = true;
    attachedHere.delete(this.#data.id);
    process.off('exit', this.#exit);
    this.#timer?.cancel();
    this.#transactions.close(error);
    this.#pressure.abandon(error);
    this.#durability.detach(error, mayWrite);
    this.#client.close(error);
    this.#state.isClosed = true;
    this.#state.endedBy = error;
    this.#reads.close();
    this.#tables.close();
    this.#state.access!.end(error, () => {
      this.#register.end();
      freeSlot(this.#control, this.#slot);
    });
  }

  /** The thread ends without having closed the database: nothing of it is left behind. */
  readonly #exit = (): void => this.#giveUp(closed('the thread', {}), true);
}
