/**
 * `db.refresh()`: makes a read-only database follow the one that another process writes.
 *
 * Order: manifest, then the log behind what was applied, then the tables are opened, then everything becomes visible in one
 * step. The manifest comes first because it names tables only after the log is handed over as far as they reach; so
 * a log that was read after it covers every keyspace, and no half of a batch shows. Until that step, records lie in memtables
 * above the visible sequence, where nobody sees them. Where the log does not go on (segments were released), the manifest is
 * read again; a manifest of the writer's successor, a log that stays away and memtable memory that does not suffice
 * make it read everything anew, as open does, into other memtables.
 * Owner's thread; one refresh at a time. A refresh that fails leaves what is visible as it was.
 */
import { invalid, systemCode, VarveError } from '../base/errors.ts';
import { KIND_PUT_EXPIRY } from '../base/kinds.ts';
import { blobName, inDirectory, tableName } from '../fs/file-names.ts';
import type { HeldFiles } from '../fs/held-files.ts';
import { ManifestFollower } from '../manifest/follow.ts';
import { decodeIngestion, editsByKeyspace, keyspaceOf } from '../manifest/ingestion.ts';
import type { LoadedManifest } from '../manifest/manifest-file.ts';
import { applyEdit, type KeyspaceVersion, type Version } from '../manifest/version.ts';
import type { KeyspaceRecord } from '../manifest/version-edit.ts';
import { BatchReader } from '../record/batch.ts';
import { comparePosition } from '../record/log-record.ts';
import { LogFollower } from '../wal/follow.ts';
import type { ReplayReport, ReplaySink } from '../wal/replay-run.ts';
import type { RefreshReport } from './api-types.ts';
import { insert } from './commit-pipeline.ts';
import type { Core } from './core.ts';
import { isHidden } from './ingest/replay-ingestion.ts';
import { decodeDecision, decodePrepared } from '../record/prepared.ts';
import { decodeKeyspaceChange, editOfChange, recordOf } from './keyspace-change.ts';
import type { KeyspaceTable } from './keyspace-table.ts';
import { filesSeen } from './recovery.ts';
import type { LoggedChange } from './replay-env.ts';
import type { EngineState, PreparedState } from './state.ts';
import type { Tree } from './tree.ts';

/** Log bytes between two turns of the event loop: some milliseconds. */
const SLICE_BYTES = 1024 * 1024;
/** Looks at a manifest and a log that change while they are looked at, before everything is read anew. */
const LOOKS_MAX = 8;
const READS_ANEW_MAX = 10;

/** What reading manifest and log from the start gives. */
export interface ReadState {
  readonly loaded: LoadedManifest;
  readonly report: ReplayReport;
  readonly changes: readonly LoggedChange[];
  readonly trees: ReadonlyMap<number, Tree>;
  readonly prepared: ReadonlyMap<string, PreparedState>;
}

export interface FollowerEnv {
  readonly core: Core;
  readonly keyspaces: KeyspaceTable;
  readonly held: HeldFiles;
  newTree(state: EngineState, record: KeyspaceRecord, version: Version): Tree;
  /** Reads everything anew, into trees of a state and a pool of their own. */
  readAnew(): ReadState;
}

export class Follower {
  readonly #env: FollowerEnv;
  readonly #batch = new BatchReader();
  #manifest!: ManifestFollower;
  #log!: LogFollower;
  /** Changes of keyspaces and ingestions that the log has and the manifest may not have yet. */
  #changes: LoggedChange[] = [];
  /** The log has tables that memtables here would hide: the writer had put into tables before what they hold. */
  #isHiding = false;
  /** What the log is applied to, by id: the trees of the database, new ones, and after reading anew others. */
  #trees = new Map<number, Tree>();
  /** Versions that the log is applied on top of: what they have in tables is passed over. */
  #keyspaces: ReadonlyMap<number, KeyspaceVersion> = new Map();
  /** What is prepared by what was read of the log. */
  #prepared = new Map<string, PreparedState>();
  #batches = 0;
  /** Latest time of what was read from the log. */
  #time = 0;
  /** What is open here and what is in the directory are not of one history any more. */
  #rewound: VarveError | undefined;
  #running: Promise<unknown> | undefined;
  #waiting: Promise<RefreshReport> | undefined;

  constructor(env: FollowerEnv, read: ReadState) {
    this.#env = env;
    this.#start(read);
  }

  /** See `Database.refresh`. Calls that wait for a running one share the next: it looks after all of them were made. */
  refresh(): Promise<RefreshReport> {
    this.#waiting ??= this.#next();
    return this.#waiting;
  }

  async #next(): Promise<RefreshReport> {
    await this.#running?.catch(() => undefined);
    this.#waiting = undefined;
    const run = this.#run();
    this.#running = run;
    return run;
  }

  close(): void {
    this.#env.held.keepOnly(new Set());
  }

  #start({ loaded, report, changes, trees, prepared }: ReadState): void {
    const { fs, state } = this.#env.core;
    this.#manifest = new ManifestFollower(fs, state.path, loaded);
    this.#log = new LogFollower(fs, state.path, report, this.#sink);
    this.#changes = [...changes];
    this.#isHiding = false;
    this.#trees = new Map(trees);
    this.#prepared = new Map(prepared);
    this.#keyspaces = loaded.version.keyspaces;
  }

  async #run(): Promise<RefreshReport> {
    const { clock, state } = this.#env.core;
    const started = clock.monotonic();
    this.#batches = 0;
    state.checkOpen();
    if (this.#rewound !== undefined) throw this.#rewound;
    for (let anew = 0; ; anew++) {
      try {
        if (await this.#catchUp()) break;
      } catch (error) {
        if (!isOutOfMemory(error) || anew === READS_ANEW_MAX) throw error;
      }
      if (anew === READS_ANEW_MAX) this.#giveUp();
      this.#readAnew();
    }
    const files = this.#publish();
    return { sequence: state.visible, batches: this.#batches, files, ms: clock.monotonic() - started };
  }

  /** Manifest, log and tables, until they fit; false when only reading everything anew can help. */
  async #catchUp(): Promise<boolean> {
    const { state } = this.#env.core;
    const { number } = this.#manifest;
    for (let look = 1; look <= LOOKS_MAX; look++) {
      const version = this.#manifest.advance();
      if (this.#manifest.number !== number) return false;
      this.#log.skipTo(version.logSegment);
      this.#keyspaces = version.keyspaces;
      for (const { record, flushedSequence } of version.keyspaces.values()) {
        this.#addTree(record);
        this.#trees.get(record.id)?.setAside(flushedSequence);
      }
      let outcome = this.#log.advance(version.incarnation, SLICE_BYTES);
      while (outcome === 'more') {
        await new Promise<void>((resolve) => this.#env.core.scheduler.soon(resolve));
        state.checkOpen();
        outcome = this.#log.advance(version.incarnation, SLICE_BYTES);
      }
      if (this.#isHiding) return false;
      if (outcome === 'gap' || !this.#reaches(version) || !this.#holdTables(this.#effective())) continue;
      return true;
    }
    return false;
  }

  /** Was the log read as far as the manifest says that it is on disk? */
  #reaches({ syncedPosition }: Version): boolean {
    const { position, isBegun } = this.#log;
    if (syncedPosition === undefined) return true;
    const { segment, offset } = syncedPosition;
    return isBegun ? comparePosition(position, segment, offset) >= 0 : position.segment >= segment;
  }

  /** Opens the tables of `version`; false when the writer has removed one, which a newer version says. */
  #holdTables(version: Version): boolean {
    const { held, core } = this.#env;
    try {
      held.hold(pathsOf(core.state.path, version));
      return true;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return false;
      throw error;
    }
  }

  #readAnew(): void {
    const { core, readAnew } = this.#env;
    for (let attempt = 1; ; attempt++) {
      const before = filesSeen(core.fs, core.state.path);
      try {
        const read = readAnew();
        // Perhaps: what the log held was applied to another state.
        core.state.hasExpiring = true;
        this.#start(read);
        this.#batches += read.report.batches;
        return;
      } catch (error) {
        // The writer may have worked on between two looks at the directory: then look again.
        if (attempt < READS_ANEW_MAX && filesSeen(core.fs, core.state.path) !== before) continue;
        throw error;
      }
    }
  }

  #giveUp(): never {
    throw new VarveError(
      'busy',
      'STALE',
      'the files change faster than they can be read; call refresh() again',
    );
  }

  readonly #sink: ReplaySink = {
    batch: (sequence, time, bytes, start, end) => {
      this.#time = Math.max(this.#time, time);
      const reader = this.#batch;
      reader.reset(bytes, start, end, undefined);
      while (reader.next()) {
        const tree = this.#trees.get(reader.keyspaceId);
        if (tree === undefined) continue;
        if (sequence <= (this.#keyspaces.get(reader.keyspaceId)?.flushedSequence ?? 0)) continue;
        if (reader.kind === KIND_PUT_EXPIRY) this.#env.core.state.hasExpiring = true;
        insert(tree, reader, sequence);
      }
      this.#batches++;
    },
    // Nothing of it is to be seen before it is committed.
    prepared: (sequence, _time, bytes, start, end, where) => {
      const { id, ...prepared } = decodePrepared(bytes, start, end, where);
      this.#prepared.set(id, { ...prepared, sequence });
      this.#batches++;
    },
    decision: (sequence, time, bytes, start, end, where) => {
      const { id, batchStart } = decodeDecision(bytes, start, end, where);
      this.#prepared.delete(id);
      if (batchStart !== undefined && batchStart < end)
        this.#sink.batch(sequence, time, bytes, batchStart, end, where);
      else this.#batches++;
    },
    keyspaceChange: (sequence, _time, bytes, start, end, where) => {
      const change = decodeKeyspaceChange(bytes.slice(start, end), where);
      // What the writer keeps of the past is not read here.
      if (change.change === 'retain') return;
      this.#changes.push({ sequence, change });
      if (change.change === 'create') this.#addTree(recordOf(change, sequence));
      else if (change.change === 'drop') this.#trees.delete(change.id);
      this.#batches++;
    },
    ingestion: (sequence, _time, bytes, start, end, where) => {
      for (const ingestion of editsByKeyspace(decodeIngestion(bytes, start, end, sequence, where))) {
        const tree = this.#trees.get(keyspaceOf(ingestion));
        if (tree === undefined) continue;
        this.#changes.push({ sequence, ingestion });
        if (ingestion.addedFiles.some(({ file }) => file.expiry !== undefined))
          this.#env.core.state.hasExpiring = true;
        this.#isHiding ||= isHidden(tree, ingestion);
      }
      this.#batches++;
    },
  };

  #addTree(record: KeyspaceRecord): void {
    if (this.#trees.has(record.id)) return;
    const { core, newTree } = this.#env;
    this.#trees.set(record.id, newTree(core.state, record, this.#manifest.version));
  }

  // ATOMIC: from one state that readers see to the next.
  #publish(): number {
    const { core, keyspaces, newTree } = this.#env;
    const { state, register } = core;
    const version = this.#effective();
    const sequence = Math.max(version.lastSequence, this.#log.lastSequence);
    if (sequence < state.visible || version.incarnation < core.incarnation) {
      this.#rewound = new VarveError(
        'closed',
        'REWOUND',
        `${state.path} holds an older state than was read: it ends at sequence ${sequence}, not ${state.visible}; open it again`,
        { path: state.path, got: sequence, expected: state.visible },
      );
      throw this.#rewound;
    }
    const before = this.#filesInUse();
    const blobsBefore = this.#blobsInUse();
    const readers = [...register.readers()];
    state.visible = sequence;
    state.prepared.clear();
    for (const [id, prepared] of this.#prepared) state.prepared.set(id, prepared);
    state.time.raise(Math.floor(Math.max(this.#time, version.storedTime)));
    for (const [id, tree] of state.trees) {
      if (version.keyspaces.has(id)) continue;
      tree.drop();
      state.trees.delete(id);
    }
    for (const [id, keyspace] of version.keyspaces) {
      const read = this.#trees.get(id)!;
      let tree = state.trees.get(id);
      if (tree === undefined) {
        tree = newTree(state, keyspace.record, version);
        state.trees.set(id, tree);
      }
      tree.follow(keyspace, read, version.storedTime, readers);
    }
    this.#trees = new Map(state.trees);
    core.installer.follow(version);
    core.external.advance(version.appliedPosition);
    core.background.versionInstalled(version);
    keyspaces.follow();
    return this.#settleFiles(before, blobsBefore);
  }

  /** The version of the manifest with what the log adds to it. */
  #effective(): Version {
    let { version } = this.#manifest;
    this.#changes = this.#changes.filter((logged) => !isInManifest(version, logged));
    for (const logged of this.#changes) {
      const { sequence } = logged;
      if ('ingestion' in logged) {
        if (version.keyspaces.has(keyspaceOf(logged.ingestion)))
          version = applyEdit(version, logged.ingestion);
        continue;
      }
      const { change } = logged;
      // Salvage steps over what it can not read.
      if (change.change !== 'create' && !version.keyspaces.has(change.id)) continue;
      version = applyEdit(version, editOfChange(change, sequence));
    }
    return version;
  }

  #filesInUse(): Set<number> {
    const numbers = new Set<number>();
    for (const tree of this.#env.core.state.trees.values())
      for (const { number } of tree.filesInUse()) numbers.add(number);
    return numbers;
  }

  #blobsInUse(): Set<number> {
    const numbers = new Set<number>();
    for (const tree of this.#env.core.state.trees.values())
      for (const number of tree.blobsInUse()) numbers.add(number);
    return numbers;
  }

  /** Lets go of the files that no view names any more; returns how many tables are new. */
  #settleFiles(before: ReadonlySet<number>, blobsBefore: ReadonlySet<number>): number {
    const { core, held } = this.#env;
    const after = this.#filesInUse();
    const blobs = this.#blobsInUse();
    let added = 0;
    for (const number of after) if (!before.has(number)) added++;
    for (const number of [...before, ...blobsBefore])
      if (!after.has(number) && !blobs.has(number)) core.tables.evict(number);
    const names = [...[...after].map(tableName), ...[...blobs].map(blobName)];
    held.keepOnly(new Set(names.map((name) => inDirectory(core.state.path, name))));
    return added;
  }
}

/** Is what the log has told in the version, or was it dropped since? */
function isInManifest(version: Version, logged: LoggedChange): boolean {
  if ('change' in logged) return logged.sequence <= version.metaSequence;
  const keyspace = version.keyspaces.get(keyspaceOf(logged.ingestion));
  return logged.sequence <= (keyspace?.ingestedSequence ?? version.metaSequence);
}

/** The paths of the tables and blob files that a version names. */
export function* pathsOf(directory: string, version: Version): Generator<string, void> {
  for (const { levels, blobs } of version.keyspaces.values()) {
    for (const files of levels)
      for (const { number } of files) yield inDirectory(directory, tableName(number));
    for (const number of blobs.keys()) yield inDirectory(directory, blobName(number));
  }
}

/** `refresh` of a database that is no reader. */
export function notReadOnly(): VarveError {
  return invalid(
    'NOT_READ_ONLY',
    'refresh is for databases opened with readOnly: true; this one sees its writes',
    {},
  );
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof VarveError && error.code === 'MEMTABLE_MEMORY';
}
