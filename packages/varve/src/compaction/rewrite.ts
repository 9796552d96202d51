/**
 * The core of flush and compaction: reads one merged walk from its first entry to its last, asks the drop rule about every
 * version, and hands on what stays. The same goes for the range tombstones, which are decided as a whole before the walk.
 *
 * The loop is a plain method that allocates nothing per entry; the generator around it only says where a job may pause.
 * Invariant: the points are judged by all range tombstones of the inputs, also by those that are dropped themselves.
 */
import { compareRanges } from '../base/bytes.ts';
import { type EntryIterator, KEY_BYTES_MAX, type WrittenEntry } from '../base/entry.ts';
import { corruption } from '../base/errors.ts';
import { KIND_BLOB, KIND_DELETE, KIND_MERGE, KIND_RANGE_DELETE } from '../base/kinds.ts';
import { type CoverCursor, FragmentedTombstones, type TombstoneFragment } from '../base/range-tombstones.ts';
import type { OrderedMerge } from '../iterator/ordered-merge.ts';
import type { BlobMeta } from '../manifest/blob-meta.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import { kindFor, mayDrop, NO_NEWER, type Readers, staysByCount } from './drop.ts';
import { EntryFilter } from './entry-filter.ts';
import { checkCancelled, type JobEnv, type JobProblem } from './job.ts';
import type { RateLimiter } from '../runtime/rate-limiter.ts';
import type { JobProgress } from './job-progress.ts';
import type { KeyRanges } from './key-ranges.ts';
import { MergeKeys } from './merge-keys.ts';
import { type OutputTask, TableOutput } from './table-output.ts';
import type { UserValues } from './user-values.ts';

/** A job pauses after this many entries ... */
const SLICE_ENTRIES = 200;
/** ... or this many bytes, whichever comes first: about half a millisecond. */
const SLICE_BYTES = 64 * 1024;

export interface RewriteTask {
  /** All point entries of the inputs. */
  readonly source: OrderedMerge;
  /** Only entries with keys in [from, to), and tombstones that were cut to it; undefined has no end there. */
  readonly from?: Uint8Array | undefined;
  readonly to?: Uint8Array | undefined;
  /** How many those are, where that is known beforehand. */
  readonly entries: number | undefined;
  /** All range tombstones of the inputs. */
  readonly tombstones: FragmentedTombstones;
  readonly readers: Readers;
  /** So many versions of every key that is there stay, whoever reads. */
  readonly versions: number;
  /** Where something older may lie that is not among the inputs. */
  readonly below: KeyRanges;
  readonly output: OutputTask;
  readonly progress?: JobProgress | undefined;
  /** Operator and filter of the keyspace. */
  readonly user: UserValues;
  /** What the job may move in a second, together with others. */
  readonly pace?: RateLimiter | undefined;
}

export interface RewriteResult {
  readonly files: FileMeta[];
  readonly blobs: BlobMeta[];
  readonly unreadBlobs: number[];
  readonly bytesWritten: number;
  readonly entriesIn: number;
  readonly entriesOut: number;
  readonly keysOut: number;
  readonly dropped: number;
  readonly problems: readonly JobProblem[];
  readonly filteredFrom: number | undefined;
}

/** Writes what stays of the inputs; leaves no file behind when it does not get to its end. */
export function* rewrite(task: RewriteTask, env: JobEnv): Generator<void, RewriteResult> {
  const needed = yield* neededTombstones(task.tombstones, task.readers, task.below, env);
  const output = new TableOutput(env, task.output, needed);
  let isDone = false;
  try {
    const rewriter = new Rewriter(task, output);
    task.source.first(task.from);
    while (rewriter.run()) {
      task.progress?.pass(rewriter.sliceBytes);
      yield;
      checkCancelled(env);
      keepPace(task.pace, rewriter.sliceBytes, env);
    }
    task.progress?.pass(rewriter.sliceBytes);
    const { entriesIn, entriesOut, keysOut } = rewriter;
    if (task.entries !== undefined && entriesIn !== task.entries) {
      throw corruption('the inputs of a job hold another number of entries than is known of them', {
        expected: task.entries,
        got: entriesIn,
      });
    }
    const files = output.finish();
    isDone = true;
    const { blobs, unreadBlobs } = output;
    const bytesWritten = [...files, ...blobs].reduce((sum, file) => sum + file.bytes, 0);
    const dropped = entriesIn - entriesOut;
    const { problems } = task.user;
    const { filteredFrom } = rewriter;
    const counts = { entriesIn, entriesOut, keysOut, dropped };
    return { files, blobs, unreadBlobs, bytesWritten, ...counts, problems, filteredFrom };
  } finally {
    task.user.close();
    if (!isDone) output.abandon();
  }
}

function keepPace(pace: RateLimiter | undefined, bytes: number, env: JobEnv): void {
  if (pace === undefined || env.pause === undefined) return;
  const ms = pace.take(bytes);
  if (ms <= 0) return;
  env.pause(ms);
  checkCancelled(env);
}

/** Range tombstones that somebody may still need. */
function* neededTombstones(
  all: FragmentedTombstones,
  readers: Readers,
  below: KeyRanges,
  env: JobEnv,
): Generator<void, FragmentedTombstones> {
  const needed: TombstoneFragment[] = [];
  let steps = 0;
  for (const { start, end, sequences } of all.fragments()) {
    const nothingBelow = !below.overlaps(start, end);
    const kept: number[] = [];
    let newer = NO_NEWER;
    for (const sequence of sequences) {
      if (!mayDrop(readers, KIND_RANGE_DELETE, sequence, newer, 0, nothingBelow)) kept.push(sequence);
      newer = sequence;
    }
    if (kept.length > 0) needed.push({ start, end, sequences: kept });
    steps += 1 + sequences.length;
    if (steps > SLICE_ENTRIES) {
      steps = 0;
      yield;
      checkCancelled(env);
    }
  }
  return FragmentedTombstones.fromFragments(needed);
}

/** The walk over the points. */
class Rewriter {
  entriesIn = 0;
  entriesOut = 0;
  keysOut = 0;
  /** Bytes of keys and values in the slice that ended last. */
  sliceBytes = 0;
  readonly #source: OrderedMerge;
  readonly #cover: CoverCursor | undefined;
  readonly #readers: Readers;
  readonly #versions: number;
  readonly #below: KeyRanges;
  readonly #output: TableOutput;
  readonly #to: Uint8Array | undefined;
  /** Of the entry before: its sequence, whether any version of its key was handed on. */
  #newer: number = NO_NEWER;
  #isWritten = false;
  /** How many more versions of its key stay by their count. */
  #counted = 0;
  /** What the current key shares with the one handed on last. */
  #shared = 0;
  readonly #mergeKeys: MergeKeys;
  /** Undefined: nobody is asked. */
  readonly #filter: EntryFilter | undefined;

  constructor(task: RewriteTask, output: TableOutput) {
    this.#source = task.source;
    this.#cover = task.tombstones.isEmpty ? undefined : task.tombstones.cursor();
    this.#readers = task.readers;
    this.#versions = task.versions;
    this.#below = task.below;
    this.#output = output;
    this.#to = task.to;
    this.#mergeKeys = new MergeKeys(task.readers, task.below, task.user);
    this.#filter = task.user.filters ? new EntryFilter(task.readers, task.below, task.user) : undefined;
  }

  get filteredFrom(): number | undefined {
    return this.#filter?.from;
  }

  /** One slice; false at the end of the source. */
  run(): boolean {
    const source = this.#source;
    const readers = this.#readers;
    const to = this.#to;
    let entries = SLICE_ENTRIES;
    let bytes = SLICE_BYTES;
    for (let entry = source.entry; entry !== undefined; entry = source.entry) {
      if (entries <= 0 || bytes <= 0) {
        this.sliceBytes = SLICE_BYTES - bytes;
        return true;
      }
      const { key, keyStart, keyEnd, sequence } = entry;
      if (to !== undefined && compareRanges(key, keyStart, keyEnd, to, 0, to.length) >= 0) break;
      const kind = kindFor(readers, entry.kind, entry.value, entry.valueStart);
      if (source.shared < this.#shared) this.#shared = source.shared;
      if (!source.isSameKey) {
        this.#newer = NO_NEWER;
        this.#isWritten = false;
        this.#counted = this.#versions;
      }
      if (kind === KIND_MERGE) {
        const versions = this.#fold();
        entries -= versions;
        bytes -= this.#mergeKeys.bytes;
        continue;
      }
      const covering =
        this.#cover === undefined
          ? 0
          : this.#cover.coveringSequence(key, keyStart, keyEnd, readers.lowestFrom(sequence));
      const nothingBelow = kind === KIND_DELETE && !this.#below.contains(key, keyStart, keyEnd);
      const isCounted = this.#counted > 0 && this.#countsOn(entry, kind, nothingBelow);
      if (isCounted || !mayDrop(readers, kind, sequence, this.#newer, covering, nothingBelow)) {
        if (this.#filter === undefined) this.#hand(entry, kind);
        else this.#handFiltered(this.#filter, entry, kind);
        if (kind === KIND_BLOB) bytes -= this.#output.takeMovedBytes();
      }
      this.#newer = sequence;
      this.entriesIn++;
      entries--;
      bytes -= entry.valueEnd - entry.valueStart + (keyEnd - keyStart);
      source.next();
    }
    this.sliceBytes = SLICE_BYTES - bytes;
    return false;
  }

  /** Is this version one of those that stay by their count? */
  #countsOn(entry: EntryIterator, kind: number, nothingBelow: boolean): boolean {
    const { key, keyStart, keyEnd, sequence } = entry;
    const cover = this.#cover?.coveringSequence(key, keyStart, keyEnd, NO_NEWER) ?? 0;
    const isCounted = staysByCount(kind, sequence, this.#newer, cover, nothingBelow);
    this.#counted = isCounted && kind !== KIND_DELETE ? this.#counted - 1 : 0;
    return isCounted;
  }

  #hand(entry: WrittenEntry, kind: number): void {
    if (!this.#isWritten) this.keysOut++;
    this.#output.add(entry, kind, !this.#isWritten, this.#shared);
    this.#isWritten = true;
    this.#shared = KEY_BYTES_MAX;
    this.entriesOut++;
  }

  #handFiltered(filter: EntryFilter, entry: WrittenEntry, kind: number): void {
    if (this.#newer !== NO_NEWER) {
      this.#hand(entry, kind);
      return;
    }
    const stays = filter.ask(entry, kind);
    // The key is not there any more: nothing of it stays by its count.
    if (!stays || filter.kind === KIND_DELETE) this.#counted = 0;
    if (stays) this.#hand(filter.entry!, filter.kind);
  }

  /** The source stands at a merge: takes it and all older versions of its key together. Returns how many they were. */
  #fold(): number {
    const keys = this.#mergeKeys;
    const kept = keys.take(this.#source, this.#newer, this.#cover);
    for (const version of kept) {
      const entry = keys.entryOf(version);
      if (this.#shared > entry.keyEnd) this.#shared = entry.keyEnd;
      if (this.#filter === undefined) this.#hand(entry, entry.kind);
      else this.#handFiltered(this.#filter, entry, entry.kind);
      // Only the newest one is shown to a filter.
      this.#newer = version.sequence;
    }
    this.entriesIn += keys.count;
    return keys.count;
  }
}
