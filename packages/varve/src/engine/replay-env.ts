/**
 * What the steps of recovery share while the log is replayed: the version that the new manifest will hold, and what the log has
 * told that the old one did not know. Owner's thread, at open.
 */
import type { FileSystem } from '../fs/file-system.ts';
import type { IngestionEdit } from '../manifest/ingestion.ts';
import type { KeyspaceRecord } from '../manifest/version-edit.ts';
import type { Version } from '../manifest/version.ts';
import type { PreparedRecord } from '../record/prepared.ts';
import type { FoundLink } from './ingest/kept-tables.ts';
import type { KeyspaceChange } from './keyspace-change.ts';
import type { EngineState } from './state.ts';
import type { TimeMarks } from './time-marks.ts';
import type { Tree } from './tree.ts';

/** A keyspace change, or what an ingestion changes of one keyspace, as it stood in the log. */
export type LoggedChange = { readonly sequence: number } & (
  | { readonly change: KeyspaceChange }
  | { readonly ingestion: IngestionEdit }
);

/** A prepared transaction as it stood in the log. */
export interface RecoveredTransaction extends PreparedRecord {
  readonly sequence: number;
}

export interface ReplayEnv {
  readonly fs: FileSystem;
  readonly state: EngineState;
  readonly mode: 'strict' | 'prefix' | 'salvage';
  readonly readOnly: boolean;
  /** What the new manifest will hold; grows by keyspace changes and inline flushes. */
  version: Version;
  /** Keyspace changes and ingestions of the log that the manifest did not have, in their order. */
  readonly changes: LoggedChange[];
  /** Tables of those ingestions, and the segments of the log that name them. */
  readonly ingested: FoundLink[];
  /** When which sequence was the latest one. */
  readonly marks: TimeMarks;
  /** Transactions that are prepared and not decided, by id. */
  readonly prepared: Map<string, RecoveredTransaction>;
  /** What salvage had to leave out. */
  readonly warnings: string[];
  newTree(record: KeyspaceRecord): Tree;
  /** Called after every batch: flushes inline when memtables are over their budget. */
  replayed(): void;
  /** Makes tables of everything that was replayed so far; not when reading only. */
  flush(): void;
}
