/**
 * From a directory to a state: reads the manifest, replays the log into memtables, and says what it found.
 *
 * Order of open (docs/internals/recovery.md): manifest -> log replay (flushing inline when memtables grow past their
 * budget) -> cut of the torn tail -> new manifest with a higher incarnation -> new log segment. Until that new manifest is
 * complete nothing that the old one needs is removed, so a crash during recovery repeats it.
 */
import { corruption } from '../base/errors.ts';
import { blobName, inDirectory, parseFileName, tableName } from '../fs/file-names.ts';
import type { FileSystem } from '../fs/file-system.ts';
import { withUnreferencedBlobs } from '../manifest/blob-files.ts';
import { decodeIngestion } from '../manifest/ingestion.ts';
import { type LoadedManifest, loadManifest } from '../manifest/manifest-file.ts';
import { applyEdit, type Version } from '../manifest/version.ts';
import { BatchReader } from '../record/batch.ts';
import { decodeDecision, decodePrepared } from '../record/prepared.ts';
import { cutTail } from '../wal/cut-tail.ts';
import { replay } from '../wal/replay.ts';
import type { ReplayReport } from '../wal/replay-run.ts';
import { applyBatch } from './commit-pipeline.ts';
import { decodeKeyspaceChange, editOfChange, type KeyspaceChange, recordOf } from './keyspace-change.ts';
import type { FoundLink } from './ingest/kept-tables.ts';
import { replayIngestion } from './ingest/replay-ingestion.ts';
import type { ReplayEnv } from './replay-env.ts';

/** What a database directory holds, by number. */
export interface DirectoryContents {
  readonly manifests: readonly number[];
  readonly logs: readonly number[];
  readonly tables: readonly number[];
  readonly blobs: readonly number[];
  readonly options: readonly number[];
  readonly caches: readonly number[];
  /** Second names of ingested tables, for change feeds. */
  readonly kept: readonly FoundLink[];
  /** Highest number of any file. */
  readonly highest: number;
}

export function readDirectory(fs: FileSystem, directory: string): DirectoryContents {
  const found: Record<'manifests' | 'logs' | 'tables' | 'blobs' | 'options' | 'caches', number[]> = {
    manifests: [],
    logs: [],
    tables: [],
    blobs: [],
    options: [],
    caches: [],
  };
  const kept: FoundLink[] = [];
  let highest = 0;
  for (const name of fs.list(directory)) {
    const parsed = parseFileName(name);
    if (parsed?.kind === 'kept') kept.push(parsed);
    if (parsed === undefined || !('number' in parsed)) continue;
    highest = Math.max(highest, parsed.number);
    if (parsed.kind === 'manifest') found.manifests.push(parsed.number);
    else if (parsed.kind === 'log') found.logs.push(parsed.number);
    else if (parsed.kind === 'table') found.tables.push(parsed.number);
    else if (parsed.kind === 'blob') found.blobs.push(parsed.number);
    else if (parsed.kind === 'options') found.options.push(parsed.number);
    else if (parsed.kind === 'cache') found.caches.push(parsed.number);
  }
  for (const numbers of Object.values(found)) numbers.sort((a, b) => a - b);
  return { ...found, kept, highest };
}

/** What a byte of log takes in a memtable at most: in a batch of many deletes of short keys. */
const REPLAY_FACTOR = 12;

/** What of a directory changes when its owner works: names and sizes. Empty when it can not be listed. */
export function filesSeen(fs: FileSystem, directory: string): string {
  try {
    return fs
      .list(directory)
      .map((name) => `${name} ${fs.status(inDirectory(directory, name))?.size}`)
      .join('\n');
  } catch {
    return '';
  }
}

/** Memtable bytes that a replay of the whole log takes at most. */
export function replayBytesMax(fs: FileSystem, directory: string): number {
  let bytes = 0;
  for (const name of fs.list(directory)) {
    if (parseFileName(name)?.kind === 'log') bytes += fs.status(inDirectory(directory, name))?.size ?? 0;
  }
  return bytes * REPLAY_FACTOR;
}

/** Replays the log on top of `env.version`; the trees and `state.visible` are then as recovered. */
export function replayLog(env: ReplayEnv, logs: readonly number[]): ReplayReport {
  const { fs, state } = env;
  const directory = state.path;
  const reader = new BatchReader();
  const { version } = env;
  const report = replay(
    {
      fs,
      directory,
      segments: logs.filter((number) => number >= version.logSegment),
      incarnationMax: version.incarnation,
      firstSegment: version.logSegment,
      syncedPosition: version.syncedPosition,
      mode: env.mode,
    },
    {
      batch(sequence, time, bytes, start, end) {
        if (time > 0) env.marks.sample(time, sequence);
        applyBatch(state, reader, bytes, start, end, sequence);
        state.visible = sequence;
        env.replayed();
      },
      prepared(sequence, _time, bytes, start, end, where) {
        state.visible = sequence;
        const record = decodePrepared(bytes, start, end, where);
        env.prepared.set(record.id, { ...record, sequence });
      },
      decision(sequence, time, bytes, start, end, where) {
        const { id, batchStart } = decodeDecision(bytes, start, end, where);
        env.prepared.delete(id);
        // One that wrote nothing has no batch.
        if (batchStart !== undefined && batchStart < end)
          this.batch(sequence, time, bytes, batchStart, end, where);
        else state.visible = sequence;
      },
      keyspaceChange(sequence, time, bytes, start, end, where) {
        state.visible = sequence;
        if (sequence <= env.version.metaSequence) return;
        const change = decodeKeyspaceChange(bytes.slice(start, end), where);
        if (change.change === 'create') {
          const { id, name } = change;
          // Salvage steps over records: whoever made the name again had dropped it.
          for (const tree of state.trees.values()) if (tree.name === name) dropTree(env, tree.id, sequence);
          env.changes.push({ sequence, change });
          env.version = applyEdit(env.version, editOfChange(change, sequence));
          state.trees.set(id, env.newTree(recordOf(change, sequence)));
        } else if (change.change === 'code') changeCode(env, change, sequence);
        else if (change.change === 'retain') {
          // Salvage steps over records, also over the one that made it.
          if (!env.version.keyspaces.has(change.id)) return;
          env.version = applyEdit(env.version, editOfChange(change, sequence));
          env.marks.isKept ||= change.ms > 0;
          if (time > 0) env.marks.sample(time, sequence);
        } else if (state.trees.has(change.id)) dropTree(env, change.id, sequence);
        else if (env.mode !== 'salvage')
          throw corruption('a keyspace is dropped that is not there', { ...where });
      },
      ingestion(sequence, time, bytes, start, end, where) {
        if (time > 0) env.marks.sample(time, sequence);
        state.visible = sequence;
        replayIngestion(env, sequence, decodeIngestion(bytes, start, end, sequence, where), where);
      },
    },
  );
  state.visible = Math.max(state.visible, env.version.lastSequence, report.lastSequence);
  if (!env.readOnly) cutTail(fs, directory, report);
  return report;
}

function changeCode(
  env: ReplayEnv,
  change: Extract<KeyspaceChange, { change: 'code' }>,
  sequence: number,
): void {
  const tree = env.state.trees.get(change.id);
  // Salvage steps over records.
  if (tree === undefined) return;
  env.changes.push({ sequence, change });
  env.version = applyEdit(env.version, editOfChange(change, sequence));
  const { name, version } = change;
  if (change.role === 'mergeOperator') tree.code.storedOperator = { name, version };
  else tree.code.storedFilter = { name, version };
}

function dropTree(env: ReplayEnv, id: number, sequence: number): void {
  const change = { change: 'drop', id } as const;
  env.changes.push({ sequence, change });
  env.version = applyEdit(env.version, editOfChange(change, sequence));
  env.state.trees.get(id)?.drop();
  env.state.trees.delete(id);
}

/**
 * The manifest in force; undefined for a directory that holds no database. Data without a manifest is damage, and so is a
 * manifest that names a table which is not there: open would remove the tables that it does not name. Salvage goes on
 * without the missing ones and says so.
 */
export function findManifest(
  fs: FileSystem,
  directory: string,
  contents: DirectoryContents,
  mode: ReplayEnv['mode'],
): LoadedManifest | undefined {
  const holdsData = contents.tables.length + contents.blobs.length + contents.logs.length > 0;
  const loaded = loadManifest(fs, directory, contents.manifests, holdsData);
  if (loaded === undefined) {
    if (!holdsData) return undefined;
    throw corruption('there are tables or logs but no complete manifest', { file: directory });
  }
  const missing = missingTables(fs, directory, contents.tables, loaded.version);
  const warnings = [...loaded.warnings, ...missingBlobs(fs, directory, contents.blobs, loaded.version)];
  if (missing.length === 0) return { ...loaded, warnings };
  const files = missing.map(({ number }) => inDirectory(directory, tableName(number)));
  if (mode !== 'salvage') {
    const context = { file: files[0]!, manifest: loaded.path, missing: files.length };
    throw corruption('a table that the manifest names is missing', context);
  }
  const edit = withUnreferencedBlobs(loaded.version, { removedFiles: missing });
  const version = applyEdit(loaded.version, edit);
  return { ...loaded, version, warnings: [...warnings, ...files.map((file) => `${file} is missing`)] };
}

/** What to warn of: the values in them are `corruption` when they are read, and everything else is there. */
function missingBlobs(
  fs: FileSystem,
  directory: string,
  blobs: readonly number[],
  version: Version,
): string[] {
  const listed = new Set(blobs);
  return [...version.keyspaces.values()]
    .flatMap((keyspace) => [...keyspace.blobs.keys()])
    .filter((number) => !listed.has(number))
    .map((number) => inDirectory(directory, blobName(number)))
    .filter((path) => fs.status(path) === undefined)
    .map((path) => `${path} is missing: the values in it can not be read`);
}

function missingTables(
  fs: FileSystem,
  directory: string,
  tables: readonly number[],
  version: Version,
): { keyspace: number; level: number; number: number }[] {
  const listed = new Set(tables);
  const missing: { keyspace: number; level: number; number: number }[] = [];
  for (const [keyspace, { levels }] of version.keyspaces) {
    levels.forEach((files, level) => {
      for (const { number } of files) {
        // A read-only open may run beside a writer that made the table since the directory was listed.
        if (listed.has(number) || fs.status(inDirectory(directory, tableName(number))) !== undefined)
          continue;
        missing.push({ keyspace, level, number });
      }
    });
  }
  return missing;
}
