/**
 * Bugs that the simulation must find (CONTRACT 9): each is a change of one source file, made while it is loaded. Shipped code
 * has no switch for them. A change whose target text is not there exactly once fails: the proof would be worth nothing.
 */
export interface PlantedBug {
  readonly name: string;
  /** What is broken, in words. */
  readonly breaks: string;
  /** File under packages/varve/src. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'skip-log-sync',
    breaks: 'the fsync of the log is skipped, yet reported as done',
    file: 'engine/workers/io-jobs.ts',
    find: 'withFile(fs, path, (file) => file.dataSync());',
    replace: 'withFile(fs, path, () => undefined);',
  },
  {
    name: 'install-before-table-sync',
    breaks: 'the manifest names a table that is not on disk yet',
    file: 'sstable/writer.ts',
    find: 'file.sync();',
    replace: '',
  },
  {
    name: 'skip-write-ahead',
    breaks: 'a table with later sequences is installed while the log of other keyspaces is not on disk',
    file: 'engine/workers/io-jobs.ts',
    find: 'if (input.log !== undefined) yield* syncLog(input.log, context);',
    replace: '',
  },
  {
    name: 'drop-tombstone-early',
    breaks: 'a delete is dropped although older versions lie below',
    file: 'compaction/drop.ts',
    find: 'TO BE FILLED',
    replace: '',
  },
  {
    name: 'replay-stale-record',
    breaks: 'recovery takes stale records of a recycled segment for new ones',
    file: 'wal/segment-reader.ts',
    find: 'TO BE FILLED',
    replace: '',
  },
  {
    name: 'sequence-before-view',
    breaks: 'a reader reads its sequence before it pins the view, and registers it only then',
    file: 'engine/keyspace.ts',
    find: 'TO BE FILLED',
    replace: '',
  },
];
