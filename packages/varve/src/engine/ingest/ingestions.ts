/**
 * The moment at which ingested tables become part of their keyspaces: one of `db.ingest`, several of a transaction that is
 * larger than a batch. Ingestions whose tables are on disk wait here, and are committed one after the other, each in one step on the owner's thread, with the write lock:
 *
 *   record in the log, at the next sequence -> tables into the view -> visible sequence -> edit queued for the manifest
 *
 * As with a batch, the log makes it durable and the view shows it; the manifest follows as it does with a flush. Nobody waits
 * for an fsync, and nobody sees part of it. Replay makes the edit from the record when the manifest does not have it.
 *
 * Readers ask memtables first, so that step needs memtables that hold nothing at the keys of the tables: what is there is
 * older. It is flushed before, while writes go on; when they come back to those keys every time, writes are held for the
 * last of those flushes, which is small then (back-pressure, reason 'ingest'). A table that has to go to level 0 needs memtables
 * that hold nothing at all. One ingestion at a time is ahead of the manifest.
 * Everything here is calls, not promises: a thread that is parked in a write that is held gets on by finished jobs alone.
 */
import { asError, busy, invalid, VarveError } from '../../base/errors.ts';
import { pickManual } from '../../compaction/picker-manual.ts';
import { deepestLevelFor } from '../../compaction/placement.ts';
import { successor } from '../../base/bytes.ts';
import {
  encodeIngestion,
  type IngestionEdit,
  ingestionEdit,
  type PlacedTable,
} from '../../manifest/ingestion.ts';
import type { VersionEdit } from '../../manifest/version-edit.ts';
import type { Memtable } from '../../memtable/memtable.ts';
import { gatheredFiles } from '../../options/compaction-settings.ts';
import { Deferred } from '../../runtime/deferred.ts';
import type { Timer } from '../../runtime/scheduler.ts';
import { leveledSettings } from '../../compaction/strategy.ts';
import { pickerSettings } from '../compactions/next-plan.ts';
import type { Core, IngestionWork } from '../core.ts';
import type { Tree } from '../tree.ts';
import type { CommitRequest, Ingesting, NewTables } from './commit-request.ts';
import { memtableOverlaps } from './memtable-overlap.ts';

/** Flushes of what is in the way before writes are held. */
const FREE_TRIES = 2;
/** Writes are held for this long at most; then the ingestion is given up. */
const HELD_MS_MAX = 2000;
/** More tables than this in level 0 would stop writes for long: then level 0 is compacted before. */
const LEVEL0_TABLES_MAX = 4;
/** Compactions of level 0 that one ingestion waits for. */
const COMPACTIONS_MAX = 8;

class Waiting implements CommitRequest {
  readonly tables: readonly NewTables[];
  readonly startedMs: number;
  /** May refuse it, with the write lock, in the step that commits. */
  readonly validate: (() => void) | undefined;
  readonly #done = new Deferred<void>();
  sequence = 0;
  mayBeInLog = false;
  /** Flushes and compactions that it has waited for. */
  flushes = 0;
  compactions = 0;
  /** An edit behind that of the keyspace's creation is on its way. */
  awaitsKeyspace = false;
  /** Keyspaces whose memtables were in the way when it was looked at last. */
  hinderedBy: readonly string[] = [];

  constructor(tables: readonly NewTables[], startedMs: number, validate: (() => void) | undefined) {
    this.tables = tables;
    this.startedMs = startedMs;
    this.validate = validate;
  }

  get committed(): Promise<void> {
    return this.#done.promise;
  }

  settle(error?: unknown): void {
    if (error === undefined) this.#done.resolve();
    else this.#done.reject(error);
  }
}

export class Ingestions implements IngestionWork {
  readonly #core: Core;
  readonly #running = new Set<Ingesting>();
  #waiting: Waiting[] = [];
  #isLooking = false;
  /** When writes began to be held; undefined while they are not. */
  #heldSince: number | undefined;
  #heldTimer: Timer | undefined;

  constructor(core: Core) {
    this.#core = core;
  }

  began(run: Ingesting): void {
    this.#running.add(run);
  }

  ended(run: Ingesting): void {
    this.#running.delete(run);
  }

  /** Ends all that are not committed; resolves when nothing is left of them. */
  async close(error: Error): Promise<void> {
    const running = [...this.#running];
    for (const run of running) run.stop(error);
    await Promise.all(running.map((run) => run.done));
  }

  /** Commits the tables in their turn, if `validate` does not throw in that step. */
  request(tables: readonly NewTables[], startedMs: number, validate?: () => void): CommitRequest {
    const request = new Waiting(tables, startedMs, validate);
    this.#waiting.push(request);
    this.look();
    return request;
  }

  /** It is not to be committed any more, if it is not yet. */
  withdraw(request: CommitRequest): void {
    const at = this.#waiting.indexOf(request as Waiting);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    if (at > 0) return;
    this.#release();
    this.look();
  }

  /** Something was installed: commits what can be. */
  look(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      for (let request = this.#waiting[0]; request !== undefined; request = this.#waiting[0]) {
        if (!this.#advance(request)) return;
        this.#waiting = this.#waiting.filter((each) => each !== request);
        this.#release();
      }
    } finally {
      this.#isLooking = false;
    }
  }

  /** True when nothing is left to do for the request: it is committed, or has failed. */
  #advance(request: Waiting): boolean {
    const { state, installer, poison, background } = this.#core;
    const { tables } = request;
    try {
      state.checkOpen();
      poison.check();
      const gone = tables.find(({ tree }) => tree.isDropped);
      if (gone !== undefined) throw dropped(gone.tree);
      if (installer.ahead !== undefined) return false;
      if (!tables.every(({ tree }) => installer.version.keyspaces.has(tree.id))) {
        this.#awaitKeyspace(request);
        return false;
      }
      const isCommitted = state.exclusive(() => this.#tryCommit(request));
      // Outside of the lock: what was rotated is flushed, what was committed goes to the manifest.
      installer.pump();
      background.schedule();
      if (!isCommitted) {
        if (request.flushes > FREE_TRIES) this.#hold(request);
        return false;
      }
      request.settle();
      return true;
    } catch (error) {
      request.settle(asError(error));
      return true;
    }
  }

  /** The keyspace is new, and its creation on the way to the manifest: looks again when that is there. */
  #awaitKeyspace(request: Waiting): void {
    if (request.awaitsKeyspace) return;
    request.awaitsKeyspace = true;
    this.#core.installer.install(
      () => this.#core.editFacts(),
      () => this.look(),
    );
  }

  #tryCommit(request: Waiting): boolean {
    if (
      !this.#areFlushed(request, request.tables, ({ files }, memtable) => memtableOverlaps(memtable, files))
    )
      return false;
    const placed = request.tables.map((each) => ({ ...each, places: this.#place(each) }));
    const inLevel0 = placed.filter(({ places }) => inLevel(places, 0) > 0);
    const isCrowded = inLevel0.filter(({ places }) => inLevel(places, 0) > LEVEL0_TABLES_MAX);
    if (isCrowded.some((each) => this.#makeRoomBelow(request, each))) return false;
    // Level 0 is ordered by sequences, and files of it are merged there as neighbours: none with older ones may come after.
    if (!this.#areFlushed(request, inLevel0, (_, memtable) => memtable.entries > 0)) return false;
    this.#core.durability!.admit();
    request.validate?.();
    this.#commit(request, placed);
    return true;
  }

  /** True when no memtable of the keyspaces is in the way; else the active ones that are are rotated. */
  #areFlushed(
    request: Waiting,
    tables: readonly NewTables[],
    isInWay: (tables: NewTables, memtable: Memtable) => boolean,
  ): boolean {
    const hinderedBy: string[] = [];
    let isRotating = false;
    for (const each of tables) {
      const { memtable, immutables } = each.tree.view;
      if (memtable !== undefined && isInWay(each, memtable)) {
        hinderedBy.push(each.tree.name);
        isRotating = true;
        this.#core.background.rotate(each.tree);
      } else if (immutables.some((immutable) => isInWay(each, immutable))) hinderedBy.push(each.tree.name);
    }
    if (isRotating) request.flushes++;
    request.hinderedBy = hinderedBy;
    return hinderedBy.length === 0;
  }

  #place({ tree, files }: NewTables): PlacedTable[] {
    // Deeper levels count as older, and go first.
    if (tree.settings.compaction.strategy === 'fifo') return files.map((file) => ({ level: 0, file }));
    const running = this.#core.background.compactions.runningOf(tree);
    return files.map((file) => ({ level: deepestLevelFor(tree.view.version, running, file), file }));
  }

  /** Has level 0 compacted where the tables are to come; false when there is nothing to wait for. */
  #makeRoomBelow(request: Waiting, { tree, files }: NewTables): boolean {
    const { compactions } = this.#core.background;
    // What gathers its files in level 0 does not stop writes for them.
    if (gatheredFiles(tree.settings.compaction) === undefined) return false;
    if (request.compactions >= COMPACTIONS_MAX || compactions.isWaiting || compactions.gate.isPaused)
      return false;
    if (compactions.failureOf(tree) !== undefined) return false;
    const running = compactions.runningOf(tree);
    const plan = pickManual(tree.view.version, running, leveledSettings(pickerSettings(tree)), {
      level: 0,
      from: files[0]!.smallestKey,
      to: successor(files.at(-1)!.largestKey),
    });
    if (plan === 'nothing') return false;
    request.compactions++;
    if (plan !== 'busy') compactions.start(tree, plan);
    // Also when it fails: then nothing is installed.
    void compactions.change().then(() => this.look());
    return true;
  }

  // ATOMIC: the log has it, the views show it, the sequence is visible.
  #commit(request: Waiting, placed: readonly Placed[]): void {
    const core = this.#core;
    const { state, installer, counters } = core;
    let edit: IngestionEdit | undefined;
    try {
      request.sequence = core.pipeline.commitTables(
        (sequence) => {
          edit = ingestionEdit(
            placed.map(({ tree, places }) => ({ keyspace: tree.id, tables: places })),
            sequence,
          );
          const body = encodeIngestion(edit);
          state.sharing?.ahead.prepare(body, sequence);
          request.mayBeInLog = true;
          return body;
        },
        (sequence) => this.#show(request.tables, edit!, sequence),
      );
    } catch (error) {
      state.sharing?.ahead.forget();
      // What is refused with `busy` is not in the log and will not be.
      if (error instanceof VarveError && error.kind === 'busy') request.mayBeInLog = false;
      throw error;
    }
    core.keptTables.ingested(
      request.sequence,
      placed.flatMap(({ files }) => files),
    );
    core.background.versionInstalled(installer.current);
    const heldMs = this.#heldSince === undefined ? 0 : core.clock.monotonic() - this.#heldSince;
    for (const { tree, files, places } of placed) {
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      counters.ingest += bytes;
      core.events.emit('ingest', () => ({
        keyspace: tree.name,
        sequence: request.sequence,
        files: files.length,
        levels: [...new Set(places.map(({ level }) => level))].sort((a, b) => a - b),
        entries: files.reduce((sum, file) => sum + file.entries, 0),
        bytes,
        ms: core.clock.monotonic() - request.startedMs,
        heldMs,
      }));
    }
  }

  #show(tables: readonly NewTables[], edit: IngestionEdit, sequence: number): void {
    const { state, installer, editFacts } = this.#core;
    // Until the edit is made that carries it: no other edit may let replay start behind the record.
    state.pendingChanges.add(sequence);
    if (edit.addedFiles.some(({ file }) => file.expiry !== undefined)) state.hasExpiring = true;
    const make = (): VersionEdit => {
      state.pendingChanges.delete(sequence);
      return editFacts();
    };
    installer.installAhead(edit, make, () => this.look());
    state.sharing?.ahead.show();
    for (const { tree } of tables) {
      tree.installVersion(installer.current.keyspaces.get(tree.id)!);
      // Where nothing was visible something may be now.
      tree.dead?.clear();
    }
  }

  /** Writes wait from here on, until the request is committed or given up. */
  #hold(request: Waiting): void {
    if (this.#heldSince !== undefined) return;
    const { clock, scheduler, background } = this.#core;
    this.#heldSince = clock.monotonic();
    background.holdWrites(true);
    this.#heldTimer = scheduler.after(HELD_MS_MAX, () => {
      if (this.#waiting[0] !== request) return;
      this.withdraw(request);
      request.settle(late(request));
    });
  }

  #release(): void {
    if (this.#heldSince === undefined) return;
    this.#heldSince = undefined;
    this.#heldTimer?.cancel();
    this.#core.background.holdWrites(false);
  }
}

interface Placed extends NewTables {
  readonly places: readonly PlacedTable[];
}

function inLevel(places: readonly PlacedTable[], wanted: number): number {
  return places.filter(({ level }) => level === wanted).length;
}

/** It is one of `db.ingest`, or a large transaction. */
function late({ tables, hinderedBy }: Waiting): VarveError {
  const keyspaces = hinderedBy.length > 0 ? hinderedBy : tables.map(({ tree }) => tree.name);
  const named = `keyspace${keyspaces.length === 1 ? '' : 's'} ${keyspaces.map((name) => `'${name}'`).join(', ')}`;
  const message = `what others have written to the same keys of ${named} could not be put into tables within ${HELD_MS_MAX} ms; nothing was committed`;
  return busy('INGEST_BUSY', message, { keyspace: keyspaces[0], keyspaces, heldMs: HELD_MS_MAX });
}

function dropped(tree: Tree): VarveError {
  return invalid('KEYSPACE_DROPPED', `keyspace '${tree.name}' was dropped`, { keyspace: tree.name });
}
