/**
 * What an ingestion has brought, or a transaction that was larger than a batch, as changes: its record names tables, whose
 * entries are read from them in order, keyspace by keyspace, a part at a time. Past the block cache; the table that is read is open until the walk has left it.
 */
import { invalid, systemCode } from '../base/errors.ts';
import { SEQUENCE_MAX } from '../base/entry.ts';
import type { ChangeToken } from '../engine/change-types.ts';
import type { Core } from '../engine/core.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import { TableReader } from '../sstable/reader.ts';
import type { TableIterator } from '../sstable/table-iterator.ts';
import type { ChangeFilter, Selection } from './change-feed-filter.ts';
import { type Operation, pointOperation } from './change-feed-records.ts';

/** Entries of a part, and about the most bytes of their values. */
const PART_ENTRIES = 256;
const PART_BYTES = 256 * 1024;

export interface IngestionPlace {
  readonly token: ChangeToken;
  /** The segment of the log that has the record. */
  readonly segment: number;
  readonly files: readonly ShownFile[];
}

/** A table, and what is shown of its keyspace. */
export interface ShownFile {
  readonly file: FileMeta;
  readonly selection: Selection;
}

export class IngestionWalk {
  readonly place: IngestionPlace;
  /** Parts given. */
  parts = 0;
  readonly #core: Core;
  readonly #filter: ChangeFilter;
  /** Those that are not begun. */
  #files: ShownFile[];
  /** Of the table that is read. */
  #selection: Selection | undefined;
  #table: TableReader | undefined;
  #at: TableIterator | undefined;
  /** A table is not there: said once all that comes before it was given. */
  #gone: Error | undefined;

  constructor(core: Core, place: IngestionPlace, filter: ChangeFilter) {
    this.place = place;
    this.#core = core;
    this.#filter = filter;
    this.#files = [...place.files];
  }

  /** The next entries; undefined when there are none. @throws invalid `INGESTION_GONE` */
  next(): Operation[] | undefined {
    const operations: Operation[] = [];
    let bytes = 0;
    while (operations.length < PART_ENTRIES && bytes < PART_BYTES && this.hasMore) {
      const at = this.#at;
      if (at === undefined) break;
      bytes += at.valueEnd - at.keyStart;
      const { kind, key, keyStart, keyEnd, value, valueStart, valueEnd } = at;
      operations.push(
        pointOperation(this.#selection!, kind, key, keyStart, keyEnd, value, valueStart, valueEnd),
      );
      // A codec that has closed the feed.
      if (this.#at !== at) break;
      at.next();
    }
    if (operations.length === 0) {
      if (this.#gone !== undefined) throw this.#gone;
      return undefined;
    }
    this.parts++;
    return operations;
  }

  /** Is there another entry of the range? Then the walk stands at it, or before a table that is not there. */
  get hasMore(): boolean {
    for (;;) {
      if (this.#gone !== undefined) return true;
      const at = this.#at;
      if (at?.valid === true) {
        if (this.#filter.hasKey(at.key, at.keyStart, at.keyEnd)) return true;
        // Behind the range: it began at its lower end, and keys of a keyspace rise.
        this.#files = this.#files.filter(({ selection }) => selection !== this.#selection);
      }
      this.#closeTable();
      const file = this.#files.shift();
      if (file === undefined) return false;
      this.#begin(file);
    }
  }

  close(): void {
    this.#files = [];
    this.#closeTable();
  }

  #begin({ file, selection }: ShownFile): void {
    this.#selection = selection;
    const { fs, keptTables } = this.#core;
    const path = keptTables.pathOf(this.place.segment, file.number);
    try {
      this.#table = TableReader.open({
        fs,
        path,
        fileNumber: file.number,
        uniqueId: file.uniqueId,
        bytes: file.bytes,
        sequenceOverride: file.sequenceOverride,
      });
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      const keyspaces = new Set([selection, ...this.#files.map((left) => left.selection)]);
      this.#gone = gone(
        this.place,
        [...keyspaces].map(({ name }) => name),
      );
      return;
    }
    this.#at = this.#table.iterator({ fillCache: false });
    const { lower } = this.#filter;
    if (lower === undefined) this.#at.first();
    else this.#at.seek(lower, 0, lower.length, SEQUENCE_MAX);
  }

  #closeTable(): void {
    this.#at = undefined;
    this.#table?.close();
    this.#table = undefined;
  }
}

/** @param keyspaces those of which something was not given; of the first a table is missing */
function gone({ token: next }: IngestionPlace, keyspaces: string[]): Error {
  const [keyspace] = keyspaces;
  const message =
    `what came into '${keyspace}' at sequence ${next.sequence} is not in tables of its own any more, and was not kept; ` +
    `read ${keyspaces.map((name) => `'${name}'`).join(', ')}, and go on from context.next`;
  return invalid('INGESTION_GONE', message, { keyspace, keyspaces, sequence: next.sequence, next });
}
