/**
 * `varve`: the embedded database. Everything that the package promises is exported here by name.
 */
import type { Database, ShareHandle } from './engine/api-types.ts';
import { openDatabase } from './engine/open.ts';
import { attachDatabase } from './engine/sharing/attach.ts';
import type { FileSystem } from './fs/file-system.ts';
import type { DatabaseOptions as Options } from './options/database-settings.ts';
import { upperFloors } from './upper-floors.ts';

/** Options of `open`, with units in their names and defaults in the settings reference. */
export type DatabaseOptions = Options<FileSystem>;

/**
 * Opens the database in the directory `path`, making it when there is none; ':memory:' needs no disk.
 *
 * Errors: `OPTION_INVALID`, `NOT_SUPPORTED_YET`, `PATH_INVALID`, `NOT_A_DIRECTORY`, `NOT_FOUND`, `EXISTS` (invalid),
 * `LOCKED` (busy, with the holder in `context`), `CORRUPTION`, `LOG_TAIL_CUT` (corruption), `IO_ERROR` (io).
 *
 * @example
 * await using db = await open('./data');
 * const users = db.keyspace('users', { key: utf8, value: json<{ name: string }>() });
 * users.put('ada', { name: 'Ada' });
 */
export function open(path: string, options: DatabaseOptions = {}): Promise<Database> {
  return openDatabase(path, options, upperFloors);
}

/**
 * Opens, in a worker thread, the database of which another thread has sent the handle (`db.share()`): the same memtables, log
 * and cache in place. Reads, ranges, snapshots, writes, batches and conditional writes need nobody else; new keyspaces,
 * `flush`, `compact`, `verify`, `checkpoint` and `stats` are asked of the owner. `close` ends this thread's use only.
 *
 * Errors: `HANDLE_INVALID`, `ATTACH_OWNER`, `ATTACHED` (invalid), `TOO_MANY_THREADS` (busy), `CLOSED`, `OWNER_GONE` (closed).
 *
 * @example
 * const handle = workerData as ShareHandle;
 * const db = await attach(handle);
 * db.keyspace('users', { key: utf8, value: utf8 }).put('ada', 'Ada');
 */
export function attach(handle: ShareHandle): Promise<Database> {
  return attachDatabase(handle, upperFloors);
}

export { VarveError } from './base/errors.ts';
export type { ErrorKind } from './base/errors.ts';
export type { Clock } from './base/clock.ts';
export type {
  CompactionFilter,
  FilterContext,
  FilterDecision,
  FilteredEntry,
} from './base/compaction-filter.ts';
export type { MergeOperator } from './base/merge-operator.ts';
export { append } from './base/operators/append.ts';
export { counter } from './base/operators/counter.ts';
export { max, min } from './base/operators/extremes.ts';
export { jsonCounter, jsonMergePatch } from './base/operators/json-merge-patch.ts';
export { bytes } from './engine/codecs/bytes.ts';
export type { KeyCodec, ValueCodec } from './engine/codecs/codec.ts';
export { json } from './engine/codecs/json.ts';
export { msgpack } from './engine/codecs/msgpack.ts';
export { tuple } from './engine/codecs/tuple.ts';
export { u64 } from './engine/codecs/u64.ts';
export { utf8 } from './engine/codecs/utf8.ts';
export type {
  CompactOptions,
  Database,
  DatabaseStats,
  IngestOptions,
  IngestReport,
  OpenReport,
  RefreshReport,
  ShareHandle,
  ThreadStats,
  VerifyReport,
} from './engine/api-types.ts';
export type {
  Batch,
  Bytes,
  CompactionFilterOption,
  Cursor,
  Disposer,
  Durability,
  Explanation,
  HistoryOptions,
  Keyspace,
  KeyspaceOptions,
  KeyVersion,
  MergeOperatorOption,
  PutOptions,
  Range,
  RangeView,
  Sequence,
  Snapshot,
  SnapshotOptions,
  WriteWait,
} from './engine/keyspace-types.ts';
export type {
  Change,
  ChangeFeed,
  ChangeOperation,
  ChangesOptions,
  ChangesStats,
  ChangeToken,
} from './engine/change-types.ts';
export type {
  CompactionProgress,
  DecisionMeasure,
  DecisionReport,
  KeyspaceLevels,
  LevelReport,
  LevelsReport,
  ReclaimedStats,
  ReclaimOptions,
  ReclaimReport,
  RunningReport,
  TableReport,
} from './engine/compaction-types.ts';
export type { Difference, DiffOptions, HistoryStart } from './engine/history-types.ts';
export type { HeldSnapshotStats } from './engine/held-snapshots.ts';
export { ownerLevels } from './engine/owner-levels.ts';
export type { OwnerLevels, OwnerLevelsOptions } from './engine/owner-levels.ts';
export type { PressureCounts, PressureStats } from './engine/pressure-types.ts';
export type {
  ConflictContext,
  Isolation,
  PreparedTransaction,
  RetryOptions,
  Savepoint,
  Transaction,
  TransactionOptions,
  TransactionStats,
} from './engine/transaction-types.ts';
export { Coordinator, openCoordinator } from './transaction/coordinator.ts';
export type {
  CoordinatorOptions,
  CoordinatorReport,
  Databases,
  TogetherOptions,
} from './transaction/coordinator.ts';
export { dumpFile } from './maintenance/dump.ts';
export type { DumpLine } from './maintenance/dump-line.ts';
export type { FileSystem } from './fs/file-system.ts';
export type { CompactionRate, CompactionWindow, DefragmentOption } from './options/background-settings.ts';
export type {
  CompactionChoice,
  CompactionFile,
  CompactionPicker,
  CompactionView,
} from './options/compaction-picker.ts';
export type { ChangesRetention } from './options/changes-settings.ts';
export type { CompactionOption } from './options/compaction-settings.ts';
export type { Codec, KeyspaceSettings } from './options/keyspace-settings.ts';
export type { RetentionOption } from './options/retention.ts';
