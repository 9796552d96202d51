/**
 * The interface by which a user's own compaction strategy is plugged in: `compaction: { strategy: picker }`. An example with
 * its reasoning stands in docs/guides/compaction.md.
 *
 * A picker is a pure function of what it is shown. It runs on the owner's thread whenever something may have become due, so
 * it should look at files, not at data. The engine checks every choice against the rules that keep reads right
 * (compaction/plan-rules.ts); one that breaks them, or a picker that throws, is refused with a `warning` event, and the
 * keyspace is compacted by the strategy 'leveled' until it is opened anew or gets other settings.
 */

/** A table, as a picker sees it. */
export interface CompactionFile {
  readonly number: number;
  readonly bytes: number;
  /** Point entries, deletes among them. */
  readonly entries: number;
  readonly tombstones: number;
  readonly rangeTombstones: number;
  readonly smallestKey: Uint8Array;
  readonly largestKey: Uint8Array;
  /** `largestKey` itself is outside. */
  readonly largestExclusive: boolean;
  readonly smallestSequence: number;
  readonly largestSequence: number;
  /** Milliseconds since 1970: nothing in it was written later. Undefined in files of the first releases. */
  readonly newestTime?: number;
}

export interface CompactionView {
  /** Seven lists: level 0 newest first, its files overlap; the others sorted by key, without overlap. */
  readonly levels: readonly (readonly CompactionFile[])[];
  /** Is the file an input of a compaction that runs? */
  isBusy(file: CompactionFile): boolean;
  /** Milliseconds since 1970, by the database's clock. */
  readonly now: number;
}

/** Merge these files into `outputLevel`. Files of the output level that they overlap are added. */
export interface CompactionChoice {
  readonly files: readonly CompactionFile[];
  /** 0 to 6. */
  readonly outputLevel: number;
  /** How urgent, against other keyspaces: 1, the default, is due. */
  readonly score?: number;
  /** Bytes at which outputs are cut; left out: as the strategy 'leveled' would. */
  readonly tableBytesMax?: number;
}

export interface CompactionPicker {
  /** For events and messages. */
  readonly name: string;
  /** What to do next; undefined when nothing is due. */
  pick(view: CompactionView): CompactionChoice | undefined;
}
