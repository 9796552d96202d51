/**
 * Bugs that the simulation must find (CONTRACT 9): each is a change of source files, made while they are loaded. Shipped
 * code has no switch for them. A change whose target text is not there exactly once fails: the proof would be worth nothing.
 */
export interface SourceEdit {
  /** File under packages/varve/src. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface PlantedBug {
  readonly name: string;
  /** What is broken, in words. */
  readonly breaks: string;
  readonly edits: readonly SourceEdit[];
  /** The first of the seeds that are tried, for one that few seeds meet; 1 otherwise. */
  readonly from?: number;
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'fold-over-readers',
    breaks: 'operands are folded into one entry although somebody reads between them',
    edits: [
      {
        file: 'compaction/merge-fold.ts',
        find: 'while (to < count && sequences[to - 1]! <= readers.lowestFrom(sequences[to]!)) to++;',
        replace: 'to = count;',
      },
    ],
  },
  {
    name: 'merge-through-range-delete',
    breaks: 'operands stand on a value that a range delete has taken',
    edits: [
      {
        file: 'engine/merging/merge-chain.ts',
        find: 'if (sequence < this.#cover || kind === KIND_DELETE) return true;',
        replace: 'if (kind === KIND_DELETE) return true;',
      },
    ],
  },
  {
    name: 'merges-hide',
    breaks: 'a compaction drops what operands stand on',
    edits: [
      {
        file: 'compaction/merge-fold.ts',
        find: 'if (merged === undefined) return [...this.#joined(base), ...ownBase()];',
        replace: 'if (merged === undefined) return [...this.#joined(base), ...ownBase().slice(1)];',
      },
    ],
  },
  {
    name: 'skip-log-sync',
    breaks: 'the fsync of the log is skipped, yet reported as done',
    edits: [
      {
        file: 'engine/workers/io-jobs.ts',
        find: 'withFile(fs, path, (file) => finalSync(path, () => file.dataSync()));',
        replace: 'withFile(fs, path, () => undefined);',
      },
    ],
  },
  {
    name: 'install-before-table-sync',
    breaks: 'the manifest names a table that is not on disk yet',
    edits: [{ file: 'sstable/writer.ts', find: 'this.#file.sync();', replace: '' }],
  },
  {
    name: 'skip-write-ahead',
    breaks: 'a table with later sequences is installed while the log of other keyspaces is not on disk',
    edits: [
      {
        file: 'engine/workers/io-jobs.ts',
        find: 'if (input.log !== undefined) yield* syncLog(input.log, context);',
        replace: '',
      },
    ],
  },
  {
    name: 'drop-tombstone-early',
    breaks: 'a delete is dropped although older versions lie below',
    edits: [
      {
        file: 'compaction/drop.ts',
        find: 'return nothingBelow && sequence <= readers.first;',
        replace: 'return sequence <= readers.first;',
      },
    ],
  },
  {
    name: 'replay-stale-record',
    breaks: 'recovery takes stale records of a recycled segment for new ones',
    edits: [
      {
        file: 'wal/segment-reader.ts',
        find: 'if (header.segment !== this.#number) return false;',
        replace: '',
      },
      {
        file: 'wal/segment-reader.ts',
        find: 'if (this.start !== undefined && header.incarnation !== this.start.incarnation) return false;',
        replace: '',
      },
      {
        file: 'wal/replay.ts',
        find: 'if (header.sequence !== (consumes ? tally.last + 1 : tally.last)) break;',
        replace: '',
      },
    ],
  },
  {
    name: 'direct-read-from-block-start',
    breaks: 'a direct read gives the beginning of the widened stretch instead of what was asked for',
    edits: [
      {
        file: 'fs/direct-handle.ts',
        find: 'aligned.subarray(skew, skew + here)',
        replace: 'aligned.subarray(0, here)',
      },
    ],
  },
  {
    name: 'mapped-read-off-by-one',
    breaks: 'a read that begins in a mapping is taken one byte too early',
    edits: [
      {
        file: 'fs/mapped-handle.ts',
        find: 'this.#view.subarray(position, position + length)',
        replace: 'this.#view.subarray(Math.max(0, position - 1), Math.max(0, position - 1) + length)',
      },
    ],
  },
  {
    name: 'skiplist-reads-ahead',
    breaks: 'a read of the skiplist also finds the write that comes next after its snapshot',
    edits: [
      {
        file: 'memtable/skiplist.ts',
        find: 'search(pool, list, key, keyStart, keyEnd, sequence, place);\n    if (!place.isSameKey) return false;',
        replace:
          'search(pool, list, key, keyStart, keyEnd, sequence + 1, place);\n    if (!place.isSameKey) return false;',
      },
    ],
  },
  {
    name: 'clock-runs-back',
    breaks: 'what had expired is there again after the clock of the machine was set back',
    edits: [
      {
        file: 'engine/stored-clock.ts',
        find: 'if (time > this.#last) this.#last = time;',
        replace: 'this.#last = time;',
      },
    ],
  },
  {
    name: 'clock-not-stored-at-close',
    breaks: 'a clean close does not store the clock, which a reopening then finds behind',
    from: 561,
    edits: [
      {
        file: 'engine/clock-keeper.ts',
        find: 'if (storedTime > installer.version.storedTime) installer.finish(fs, { storedTime });',
        replace: '',
      },
    ],
  },
  {
    name: 'readers-times-not-asked',
    breaks: 'compaction drops what has expired by now and a snapshot still shows',
    edits: [
      {
        file: 'engine/snapshot-register.ts',
        find: 'time: Math.min(now, this.#earliestTime())',
        replace: 'time: now',
      },
    ],
  },
  {
    name: 'expired-uncovers-older',
    breaks: 'an expired entry is looked past to an older one',
    edits: [
      {
        file: 'iterator/visible.ts',
        find: 'skip = target === undefined;',
        replace: 'skip = target === undefined && source.kind !== KIND_PUT_EXPIRY;',
      },
    ],
  },
  {
    name: 'sequence-before-view',
    breaks: 'a reader reads its sequence before it pins the view, and registers it only then',
    edits: [
      {
        file: 'engine/ranges.ts',
        find: 'return new RangeCursor(core, tree, bounds, at, check, ahead);',
        replace: 'return new RangeCursor(core, tree, bounds, early, check, ahead);',
      },
      {
        file: 'engine/ranges.ts',
        find: 'const open = (ahead?: WalkAhead): RangeCursor => {',
        replace:
          'const early = at ?? { sequence: state.visible, time: state.time.now() }; const open = (ahead?: WalkAhead): RangeCursor => {',
      },
    ],
  },
  {
    name: 'install-before-blob-sync',
    breaks: 'the manifest names a blob file that is not on disk yet',
    edits: [{ file: 'sstable/blob-writer.ts', find: 'this.#file.sync();', replace: '' }],
  },
  {
    name: 'blob-removed-while-referred',
    breaks: 'a blob file is removed while a table still refers to it',
    edits: [
      {
        file: 'engine/compactions/compaction-runner.ts',
        find: "if (plan.kind !== 'move') this.#forget(inputs.map((file) => file.number));",
        replace:
          "if (plan.kind !== 'move') this.#forget(inputs.map((file) => file.number), this.blobs.emptied(tree).map((blob) => blob.number));",
      },
    ],
  },
  {
    name: 'ingest-below-memtable',
    breaks: 'tables are ingested while an older memtable holds their keys',
    edits: [
      {
        file: 'engine/ingest/memtable-overlap.ts',
        find: 'if (memtable.entries === 0) return false;',
        replace: 'if (memtable.entries >= 0) return false;',
      },
    ],
  },
  {
    name: 'ingest-before-older-flush',
    breaks: 'a table is ingested into level 0 while writes from before it wait for their flush',
    edits: [
      {
        file: 'engine/ingest/ingestions.ts',
        find: 'inLevel0, (_, memtable) => memtable.entries > 0)',
        replace: 'inLevel0, (_, memtable) => memtable.entries < 0)',
      },
    ],
  },
  {
    name: 'ingest-forgotten-by-replay',
    breaks: 'recovery passes over an ingestion that the log has and the manifest has not',
    edits: [
      {
        file: 'engine/ingest/replay-ingestion.ts',
        find: 'if (tree === undefined || before === undefined',
        replace: 'if (tree !== undefined || before === undefined',
      },
    ],
  },
  {
    name: 'ingest-replayed-twice',
    breaks: 'recovery ingests again what the manifest has, and compactions may have taken away',
    edits: [
      {
        file: 'engine/ingest/replay-ingestion.ts',
        find: '|| sequence <= before.ingestedSequence) return [];',
        replace: ') return [];',
      },
    ],
  },
  {
    name: 'ingest-visible-before-tables',
    breaks: 'the sequence of an ingestion is visible before its tables are',
    edits: [
      {
        file: 'engine/ingest/ingestions.ts',
        find: 'tree.installVersion(installer.current.keyspaces.get(tree.id)!);',
        replace: '',
      },
    ],
  },
  {
    name: 'ingest-sequence-lost',
    breaks: 'a compaction takes the entries of ingested tables for the oldest of all',
    edits: [
      {
        file: 'compaction/compaction-job.ts',
        find: 'const { number: fileNumber, uniqueId, bytes, sequenceOverride } = file;',
        replace: 'const { number: fileNumber, uniqueId, bytes } = file; const sequenceOverride = undefined;',
      },
    ],
  },
  {
    name: 'large-replayed-in-part',
    breaks: 'recovery has a transaction that is larger than a batch in its first keyspace only',
    from: 250,
    edits: [
      {
        file: 'engine/ingest/replay-ingestion.ts',
        find: 'for (const { tree, present } of missing) {',
        replace: 'for (const { tree, present } of missing.slice(0, 1)) {',
      },
    ],
  },
];
