/**
 * Ingested tables that change feeds may still read. The log names them, a compaction does away with them: a hard link, whose
 * name says which segment of the log it belongs to, keeps one until that segment has left the log.
 *
 * Linked when tables are ingested while a feed is open or log is kept for feeds, and for feeds that begin before an ingestion of
 * this open. Together with the log that is kept they take `changesRetention.bytesMax` at most: the oldest go first, and a
 * feed that comes to them then says so (`INGESTION_GONE`). Where links can not be made none are. Owner's thread.
 */
import { VarveError } from '../../base/errors.ts';
import { inDirectory, keptTableName, tableName } from '../../fs/file-names.ts';
import type { FileSystem } from '../../fs/file-system.ts';
import type { FileMeta } from '../../manifest/file-meta.ts';
import type { Core, KeptForFeeds } from '../core.ts';

/** A link found at open. */
export interface FoundLink {
  readonly segment: number;
  readonly table: number;
}

/**
 * Links the tables of ingestions that recovery has replayed; returns those links that were not there. The log may have
 * outlived a crash that took them. Before the manifest of this open, which keeps the next one from replaying them.
 */
export function keepReplayed(fs: FileSystem, directory: string, replayed: readonly FoundLink[]): FoundLink[] {
  const made = replayed.filter(({ segment, table }) => {
    const link = inDirectory(directory, keptTableName(segment, table));
    return fs.status(link) === undefined && linked(fs, inDirectory(directory, tableName(table)), link);
  });
  if (made.length > 0) fs.syncDirectory(directory);
  return made;
}

/** False where it can not be made: the table is gone, or there are no links here. Whoever comes to it is told. */
function linked(fs: FileSystem, table: string, link: string): boolean {
  try {
    fs.link(table, link);
    return true;
  } catch (error) {
    if (error instanceof VarveError && error.kind === 'io') return false;
    throw error;
  }
}

interface Ingested {
  readonly segment: number;
  /** Infinity: not known, of an earlier open. */
  readonly sequence: number;
  readonly files: readonly { readonly number: number; readonly bytes: number }[];
  isLinked: boolean;
}

export class KeptTables implements KeptForFeeds {
  readonly #core: Core;
  /** Oldest first. */
  #ingested: Ingested[] = [];

  constructor(core: Core, found: readonly FoundLink[]) {
    this.#core = core;
    for (const { segment, table } of [...found].sort((a, b) => a.segment - b.segment)) {
      const bytes = core.fs.status(this.#link(segment, table))?.size ?? 0;
      const files = [{ number: table, bytes }];
      this.#ingested.push({ segment, sequence: Number.POSITIVE_INFINITY, files, isLinked: true });
    }
  }

  /** Tables have become part of a keyspace by the record that was appended last. */
  ingested(sequence: number, files: readonly FileMeta[]): void {
    const { log } = this.#core;
    if (log === undefined) return;
    const segment = log.end.segment;
    this.#ingested.push({ segment, sequence, files, isLinked: false });
    if (log.retained.isKeeping) this.#linkFrom(sequence - 1);
  }

  /** A feed has begun behind `sequence`. */
  feedBegan(sequence: number): void {
    this.#linkFrom(sequence);
  }

  /** Where to read a table that the log names in `segment`. */
  pathOf(segment: number, table: number): string {
    const { fs, state } = this.#core;
    const link = this.#link(segment, table);
    return fs.status(link) === undefined ? inDirectory(state.path, tableName(table)) : link;
  }

  /** Segments have left the log, or feeds have gone on: what belonged to them goes. */
  prune(): void {
    const { log } = this.#core;
    if (log === undefined || this.#ingested.length === 0) return;
    const { retained } = log;
    const first = (retained.segments[0] ?? log.segments()[0])?.number ?? log.end.segment + 1;
    const oldest = retained.isWanted ? 0 : retained.readers.oldest();
    const staying: Ingested[] = [];
    for (const each of this.#ingested) {
      if (each.segment >= first) staying.push(each);
      const isPast = Number.isFinite(each.sequence) && each.sequence <= oldest;
      if (each.segment < first || isPast) this.#unlink(each);
    }
    this.#ingested = staying;
  }

  #linkFrom(sequence: number): void {
    for (const each of this.#ingested) {
      if (each.sequence > sequence && !each.isLinked) this.#linkAll(each);
    }
    this.#limit();
  }

  #linkAll(ingested: Ingested): void {
    const { fs, state, log } = this.#core;
    ingested.isLinked = true;
    // On disk before an edit that does away with the table.
    log!.nameMade();
    for (const { number } of ingested.files) {
      linked(fs, inDirectory(state.path, tableName(number)), this.#link(ingested.segment, number));
    }
  }

  /** The oldest go when all take too much. */
  #limit(): void {
    const { log, options } = this.#core;
    let bytes = log!.retained.bytes;
    const linked = this.#ingested.filter(({ isLinked }) => isLinked);
    for (const each of linked) bytes += bytesOf(each);
    for (const each of linked) {
      if (bytes <= options.changesRetention.bytesMax) return;
      bytes -= bytesOf(each);
      this.#unlink(each);
    }
  }

  /**
   * Gone when this returns where the table has its own name still: a feed that begins in the next moment makes the link anew.
   * Nobody can make the others again; they go in the background, because what a last name stands for takes time to be freed.
   */
  #unlink(ingested: Ingested): void {
    const { fs, state, events } = this.#core;
    const { segment, files, isLinked } = ingested;
    if (!isLinked) return;
    ingested.isLinked = false;
    const last: string[] = [];
    for (const { number } of files) {
      const link = this.#link(segment, number);
      if (fs.status(link) === undefined) continue;
      if (fs.status(inDirectory(state.path, tableName(number))) === undefined) last.push(link);
      else {
        try {
          fs.remove(link);
        } catch (error) {
          // The next open removes it.
          events.emit('warning', () => ({ code: 'REMOVE_FAILED', message: String(error) }));
        }
      }
    }
    this.#core.removeFiles(last);
  }

  #link(segment: number, table: number): string {
    return inDirectory(this.#core.state.path, keptTableName(segment, table));
  }
}

function bytesOf({ files }: Ingested): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
