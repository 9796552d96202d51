/**
 * What an open database tidies up: log segments that every keyspace is past, files that no version names, and the facts
 * that ride along with every edit so that recovery knows where to start.
 */
import { blobName, inDirectory, tableName } from '../fs/file-names.ts';
import type { VersionEdit } from '../manifest/version-edit.ts';
import type { Version } from '../manifest/version.ts';
import { RECORD_PREPARE } from '../record/log-record.ts';
import { encodePrepared } from '../record/prepared.ts';
import { unretained } from '../wal/find-retained.ts';
import type { Log } from '../wal/log.ts';
import type { Core } from './core.ts';
import type { KeptTables } from './ingest/kept-tables.ts';
import type { DirectoryContents } from './recovery.ts';
import type { EngineState } from './state.ts';
import type { Tree } from './tree.ts';

/** Facts for the next edit: how far sequences and numbers have gone, where the log starts, what time it was when. */
export function editFacts(core: Core, flushed?: ReadonlyMap<Tree, number>): VersionEdit {
  return {
    lastSequence: core.state.visible,
    storedTime: core.state.time.now(),
    nextFileNumber: Number(Atomics.load(new BigInt64Array(core.fileNumbers), 0)),
    ...(core.log === undefined ? {} : { logSegment: core.log.firstNeeded(replayFloor(core.state, flushed)) }),
    ...core.history.editFacts(core.installer.version.keyspaces),
  };
}

/**
 * The sequence through which everything is in tables: what lies above is only in the log and in memtables. A keyspace without unflushed
 * writes does not count, so an idle one pins nothing. Keyspace changes count until the manifest has them, prepared transactions until
 * they are decided.
 */
export function replayFloor(state: EngineState, flushed?: ReadonlyMap<Tree, number>): number {
  let floor = state.visible;
  for (const tree of state.trees.values()) {
    const unflushed = tree.oldestUnflushed(flushed?.get(tree));
    if (unflushed !== undefined) floor = Math.min(floor, unflushed - 1);
  }
  for (const sequence of state.pendingChanges) floor = Math.min(floor, sequence - 1);
  for (const { sequence } of state.prepared.values()) floor = Math.min(floor, sequence - 1);
  return floor;
}

/** Lets go of the log segments that replay from the manifest on disk would not ask for. */
export function releaseLog(core: Core): void {
  const { log, installer } = core;
  if (log !== undefined) {
    removeFiles(core, log.release(replayFloor(core.state), installer.version.logSegment));
  }
}

/** Writes prepared transactions of the log up to `through` anew at its end, so that it can be let go of up to there. */
export function renewPrepared({ state, pipeline, poison }: Core, through: number): void {
  for (const [id, prepared] of state.prepared) {
    if (prepared.sequence > through || state.isClosed || poison.raised) continue;
    const record = encodePrepared({ id, ...prepared });
    try {
      const sequence = pipeline.note(RECORD_PREPARE, record, () => {
        // While it waited for room another thread, or who listens to events, may have decided it.
        if (state.prepared.get(id) !== prepared) throw decided;
      });
      state.prepared.set(id, { ...prepared, sequence });
    } catch (error) {
      if (error !== decided) throw error;
    }
  }
}

const decided = new Error('what was to be renewed is decided');

/** Lets go of what was kept for change feeds only, and is not any more. */
export function trimLog(core: Core, kept: KeptTables): void {
  const { log, state } = core;
  if (log === undefined || state.isClosed) return;
  removeFiles(core, log.trim());
  kept.prune();
}

/** Removes files, when there is time. A failure is a warning: the next open removes what is left. */
export function removeFiles(core: Core, paths: readonly string[]): void {
  if (paths.length === 0) return;
  core.runner.start({ lane: 'care', name: 'remove', input: { paths } }, (outcome) => {
    if (outcome.ok || core.state.isClosed) return;
    core.events.emit('warning', () => ({ code: 'REMOVE_FAILED', message: String(outcome.error) }));
  });
}

/** After recovery: files that the version in force does not name. */
export function obsoleteFiles(
  directory: string,
  contents: DirectoryContents,
  version: Version,
  log: Log | undefined,
): string[] {
  const live = new Set<number>();
  for (const keyspace of version.keyspaces.values()) {
    for (const files of keyspace.levels) for (const file of files) live.add(file.number);
    for (const number of keyspace.blobs.keys()) live.add(number);
  }
  const files = [
    ...contents.tables.filter((number) => !live.has(number)).map(tableName),
    ...contents.blobs.filter((number) => !live.has(number)).map(blobName),
  ].map((name) => inDirectory(directory, name));
  return [
    ...files,
    ...unretained(directory, contents.logs, version.logSegment, [
      ...(log?.retained.segments ?? []),
      ...(log?.segments() ?? []),
    ]),
  ];
}
