/**
 * The settings of a database, each declared once. Types and defaults are those of the pinned public API.
 *
 * Read by resolve.ts at open; `DatabaseOptions` is what a caller may give, `ResolvedDatabaseOptions` what the engine
 * gets: everything there, normalised, frozen. Numbers are bytes or milliseconds as their names say.
 * The file system is typed here by its name only, since this folder and `fs` are on one floor; open narrows it.
 */
import type { Clock } from '../base/clock.ts';
import { systemClock } from '../base/clock.ts';
import {
  type CompactionRate,
  compactionRateSetting,
  type CompactionWindow,
  compactionWindowsSetting,
  type DayMinutes,
  type DefragmentOption,
  defragmentSetting,
  type ResolvedDefragment,
} from './background-settings.ts';
import {
  type ChangesRetention,
  changesRetentionSetting,
  type ResolvedChangesRetention,
} from './changes-settings.ts';
import type { KeyspaceSettings, ResolvedKeyspaceSettings } from './keyspace-settings.ts';
import type { MemoryLimits } from './memory-limits.ts';
import type { Setting } from './setting.ts';
import { choice, component, flag, quantity, setting } from './setting.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** Longest span of shared memory that one pool or cache may take (offsets are 32-bit). */
const SHARED_BYTES_MAX: number = 4 * GIB - 64 * KIB;

export type RecoveryMode = 'strict' | 'prefix' | 'salvage';
export type PressureMode = 'slow' | 'block' | 'fail';
export type LogMode = 'own' | 'external';
export type ReadMode = 'pread' | 'direct' | 'mmap';

/** When the log is synced unasked: never, at every write, after N batches, after T milliseconds, or whichever is first. */
export type SyncOption =
  | 'manual'
  | 'everyWrite'
  | { everyN: number }
  | { intervalMs: number }
  | { everyN: number; intervalMs: number };

/** What this floor knows of a file system. */
export interface NamedFileSystem {
  readonly name: string;
}

/**
 * Options of `open`. Everything has a default; unknown names are refused.
 *
 * @example
 * const db = await open('./data', { memoryBytesMax: 1024 ** 3, sync: { everyN: 1, intervalMs: 50 } });
 */
export interface DatabaseOptions<F extends NamedFileSystem = NamedFileSystem> {
  createIfMissing?: boolean;
  errorIfExists?: boolean;
  readOnly?: boolean;
  recovery?: RecoveryMode;
  sync?: SyncOption;
  log?: LogMode;
  logBytesMax?: number;
  timestamps?: boolean;
  changesRetention?: ChangesRetention;
  memoryBytesMax?: number;
  memtableBytesMax?: number;
  cacheBytesMax?: number;
  pressure?: PressureMode;
  syncWaitMsMax?: number;
  batchBytesMax?: number;
  openFilesMax?: number;
  reads?: ReadMode;
  workers?: number;
  compactionRate?: CompactionRate;
  compactionWindows?: readonly CompactionWindow[];
  defragment?: DefragmentOption | false;
  fileSystem?: F;
  clock?: Clock;
  keyspaceDefaults?: KeyspaceSettings;
}

/** Options after `resolveDatabaseOptions`: complete and frozen. */
export interface ResolvedDatabaseOptions {
  readonly createIfMissing: boolean;
  readonly errorIfExists: boolean;
  readonly readOnly: boolean;
  readonly recovery: RecoveryMode;
  readonly sync: SyncOption;
  readonly log: LogMode;
  readonly logBytesMax: number;
  readonly timestamps: boolean;
  readonly changesRetention: ResolvedChangesRetention;
  readonly memoryBytesMax: number;
  readonly memtableBytesMax: number;
  readonly cacheBytesMax: number;
  /** How far the two before may move while the database is open. */
  readonly memoryLimits: MemoryLimits;
  readonly pressure: PressureMode;
  readonly syncWaitMsMax: number;
  readonly batchBytesMax: number;
  readonly openFilesMax: number;
  readonly reads: ReadMode;
  readonly workers: number;
  /** Bytes a second, Infinity for no limit. */
  readonly compactionRate: 'auto' | number;
  readonly compactionWindows: readonly DayMinutes[];
  /** Undefined: only when asked for. */
  readonly defragment: ResolvedDefragment | undefined;
  /** Undefined: the one that the path asks for. */
  readonly fileSystem: NamedFileSystem | undefined;
  readonly clock: Clock;
  readonly keyspaceDefaults: ResolvedKeyspaceSettings;
}

type DatabaseSettings = {
  readonly [Name in keyof DatabaseOptions]-?: Setting<NonNullable<DatabaseOptions[Name]>>;
};

const EVERY_N_MAX = 1_000_000_000;
const INTERVAL_MS_MAX = 86_400_000;

export const databaseSettings: DatabaseSettings = {
  createIfMissing: flag({
    default: true,
    persisted: false,
    doc: 'Creates the database when there is none; false makes open fail instead.',
  }),
  errorIfExists: flag({
    default: false,
    persisted: false,
    doc: 'Makes open fail when there is a database already.',
  }),
  readOnly: flag({
    default: false,
    persisted: false,
    doc: 'Opens for reading, beside a writer too: nothing in the directory is changed and every write is refused.',
  }),
  recovery: choice<RecoveryMode>({
    default: 'prefix',
    choices: ['strict', 'prefix', 'salvage'],
    persisted: false,
    doc:
      "What open does with a torn end of the log: 'prefix' cuts and counts it, 'strict' refuses to open, " +
      "'salvage' reads whatever still reads and reports the rest.",
  }),
  sync: setting<SyncOption>({
    type: "'manual' | 'everyWrite' | { everyN?, intervalMs? }",
    default: { everyN: 1000, intervalMs: 200 },
    defaultText: '{ everyN: 1000, intervalMs: 200 }',
    dynamic: true,
    doc:
      'When the log is synced to disk unasked: never, at every write, after N batches or T ms, whichever is ' +
      'first. Awaited writes with a durability do not depend on it.',
    raiseWhen: 'losing more of the newest writes at power loss is fine and the disk syncs slowly',
    refuse: refuseSync,
  }),
  log: choice<LogMode>({
    default: 'own',
    choices: ['own', 'external'],
    doc: "Whose log orders the writes: the database's own, or an outside one through `applyExternal`.",
  }),
  logBytesMax: quantity({
    unit: 'bytes',
    default: 512 * MIB,
    min: 64 * KIB,
    max: 1024 * GIB,
    dynamic: true,
    doc: 'Past this size of the log, the keyspaces that hold its oldest segment are flushed.',
    raiseWhen: 'many keyspaces with little traffic cause small flushes',
  }),
  timestamps: flag({
    default: true,
    doc: 'Stores the time of every batch in the log (8 bytes a batch).',
  }),
  changesRetention: changesRetentionSetting,
  memoryBytesMax: quantity({
    unit: 'bytes',
    default: 256 * MIB,
    min: 1 * MIB,
    max: 1024 * GIB,
    doc: 'The one memory budget: memtables, block cache, indexes and filters. It moves between them to where it saves most I/O. Large filters that find no room in an eighth of it are read through the block cache.',
    raiseWhen: 'the data that is read often is larger than the cache',
  }),
  memtableBytesMax: quantity({
    unit: 'bytes',
    default: 64 * MIB,
    defaultText: '64 MiB, at most half of memoryBytesMax, to begin with',
    min: 64 * KIB,
    max: 3 * GIB,
    doc: 'Memory of the memtables of all keyspaces together, part of the budget. Given, it stays as it is; else it moves between an eighth and a half of the budget, at most half of logBytesMax.',
    raiseWhen: 'bursts of writes wait for flushes',
  }),
  cacheBytesMax: quantity({
    unit: 'bytes',
    defaultText: 'the rest of memoryBytesMax, less 1/8 for indexes and filters, to begin with',
    min: 0,
    max: SHARED_BYTES_MAX,
    doc: 'Memory of the caches, part of the budget: blocks, and a sixteenth of it rows of hot keys; 0 for none. Given, it stays as it is; else it moves, never below an eighth of the budget.',
    raiseWhen: 'reads miss the cache; raise memoryBytesMax rather than this',
  }),
  pressure: choice<PressureMode>({
    default: 'slow',
    choices: ['slow', 'block', 'fail'],
    dynamic: true,
    doc: 'What a write meets when flushes fall behind: a growing delay, a wait, or an error at once.',
  }),
  syncWaitMsMax: quantity({
    unit: 'ms',
    default: 1000,
    min: 0,
    max: 600_000,
    dynamic: true,
    doc: 'Longest time that a synchronous write waits under pressure before it fails as busy.',
    raiseWhen: 'a blocked event loop is better than a failed write',
  }),
  batchBytesMax: quantity({
    unit: 'bytes',
    default: 64 * MIB,
    min: 1 * KIB,
    max: 1 * GIB,
    doc: 'Largest batch in the log, and with it the largest value.',
    raiseWhen: 'single values or atomic batches are larger',
  }),
  openFilesMax: quantity({
    unit: 'files',
    default: 1000,
    min: 8,
    max: 1_000_000,
    doc: 'Tables that are kept open at once.',
    raiseWhen: 'the database has more tables and the system allows more descriptors',
  }),
  reads: choice<ReadMode>({
    default: 'pread',
    choices: ['pread', 'direct', 'mmap'],
    persisted: false,
    doc:
      "How blocks of tables that the block cache lacks are read: by a copy from the system's cache, 'direct' past that " +
      "cache, or 'mmap' out of a mapping (needs the package koffi).",
    raiseWhen:
      "'mmap' when the tables fit the system's cache and not the block cache: an uncached get takes 0.7 to 0.8 of the " +
      "time, but 1.3 to 1.5 of it from the disk, and an error of the disk ends the process; 'direct' when the system's " +
      'cache is wanted for other things: nothing of the tables stays in it, a get takes 1.1 to 1.4 of the time from the ' +
      'disk, and 11 to 16 times as long where the cache would have had the block',
  }),
  workers: quantity({
    unit: 'threads',
    defaultText: 'processor cores - 1, at least 1',
    min: 1,
    max: 256,
    doc: 'Background threads for compaction; flush and the sync of the log have one each beside them.',
    raiseWhen: 'compaction falls behind while processors idle',
  }),
  compactionRate: compactionRateSetting,
  compactionWindows: compactionWindowsSetting,
  defragment: defragmentSetting,
  fileSystem: component<NamedFileSystem>({
    type: 'FileSystem',
    defaultText: "the system's own; memory for ':memory:'",
    named: true,
    methods: 'open status list makeDirectory remove removeDirectory rename link syncDirectory lock'.split(
      ' ',
    ),
    doc: "Where the files live. Others than the system's own run background jobs on the caller's thread.",
  }),
  clock: component<Clock>({
    type: 'Clock',
    default: systemClock,
    defaultText: "the system's",
    methods: ['now', 'monotonic'],
    doc: 'Where the time comes from.',
  }),
  keyspaceDefaults: setting<KeyspaceSettings>({
    type: 'KeyspaceSettings',
    default: {},
    defaultText: 'none given',
    persisted: false,
    doc: 'Settings of keyspaces that do not set their own.',
    refuse: () => undefined,
  }),
};

/** What `sync` wants, when `value` will not do. */
function refuseSync(value: unknown): string | undefined {
  if (value === 'manual' || value === 'everyWrite') return undefined;
  const wanted =
    "'manual', 'everyWrite', or an object with everyN (1 to 1e9 batches) or intervalMs (1 to 86,400,000) or both";
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return wanted;
  const { everyN, intervalMs, ...others } = value as Record<string, unknown>;
  if (Object.keys(others).length > 0 || (everyN === undefined && intervalMs === undefined)) return wanted;
  const within = (given: unknown, max: number): boolean =>
    given === undefined || (Number.isInteger(given) && (given as number) >= 1 && (given as number) <= max);
  return within(everyN, EVERY_N_MAX) && within(intervalMs, INTERVAL_MS_MAX) ? undefined : wanted;
}
