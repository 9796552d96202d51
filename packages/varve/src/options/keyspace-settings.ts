/**
 * The settings of a keyspace, each declared once; a keyspace that does not set one takes it from `keyspaceDefaults`.
 *
 * Lists by level run from level 0 down, and their last value holds for all deeper levels (`atLevel`).
 * Settings whose feature comes later keep their names here and are refused as NOT_SUPPORTED_YET.
 */
import {
  type CompactionOption,
  compactionType,
  refuseCompaction,
  type ResolvedCompaction,
  strategyNames,
} from './compaction-settings.ts';
import { refuseRetention, type RetentionOption } from './retention.ts';
import type { Setting } from './setting.ts';
import { byLevel, choice, quantity, setting } from './setting.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

export type Codec = 'none' | 'lz4' | 'zstd' | 'snappy';

/** Settings of one keyspace, or of all by `keyspaceDefaults`. */
export interface KeyspaceSettings {
  memtableBytes?: number;
  blockBytes?: number;
  filterBitsPerKey?: number | readonly number[];
  filterPrefixBytes?: number;
  compression?: Codec | readonly Codec[];
  compaction?: CompactionOption;
  levelRatio?: number;
  tableBytes?: number;
  blobValueBytes?: number;
  ttlMs?: number;
  retention?: RetentionOption;
}

/** Settings after `resolveKeyspaceSettings`: complete and frozen. */
export interface ResolvedKeyspaceSettings {
  readonly memtableBytes: number;
  /** Somebody gave `memtableBytes`: then it does not follow the write rate. */
  readonly isMemtableGiven: boolean;
  readonly blockBytes: number;
  readonly filterBitsPerKey: readonly number[];
  readonly filterPrefixBytes: number;
  readonly compression: readonly Codec[];
  readonly compaction: ResolvedCompaction;
  readonly levelRatio: number;
  readonly tableBytes: number;
  /** Undefined: entries do not expire. */
  readonly ttlMs: number | undefined;
  /** Undefined: tables hold all values themselves. */
  readonly blobValueBytes: number | undefined;
  /** Undefined: as it is stored with the keyspace. */
  readonly retention: RetentionOption | undefined;
}

type KeyspaceSettingTable = {
  readonly [Name in keyof KeyspaceSettings]-?: Setting<NonNullable<KeyspaceSettings[Name]>>;
};

export const keyspaceSettings: KeyspaceSettingTable = {
  memtableBytes: quantity({
    unit: 'bytes',
    default: 32 * MIB,
    defaultText: '32 MiB, at most half of memtableBytesMax, to begin with',
    min: 4 * KIB,
    max: 2 * GIB,
    doc: 'A memtable of this size is rotated and flushed to a table. Given, it stays as it is; else it follows the write rate of the keyspace.',
    raiseWhen: 'writes overwrite the same keys soon, or flushes are too small',
  }),
  blockBytes: quantity({
    unit: 'bytes',
    default: 4 * KIB,
    min: 256,
    max: 1 * MIB,
    doc: 'Size of a data block before compression: what one uncached read fetches.',
    raiseWhen: 'scans dominate, or compression matters more than point reads',
  }),
  filterBitsPerKey: byLevel(
    quantity({
      unit: 'bits',
      default: 10,
      min: 0,
      max: 64,
      fraction: true,
      doc: 'Size of the filter that spares reads of missing keys; 10 bits let 0.9 % through, 16 bits 0.045 %, 20 bits 0.0075 %; 0 is no filter.',
      raiseWhen: 'most reads ask for keys that are not there',
    }),
  ),
  filterPrefixBytes: quantity({
    unit: 'bytes',
    default: 0,
    min: 0,
    max: 65_535,
    doc: 'The filter of a new table also holds the first so many bytes of its keys, so that a range inside one such prefix leaves out tables that have none of it; 0 holds whole keys only.',
    raiseWhen:
      'ranges ask for the keys of one user, order or the like, which begin with that many bytes, and most tables have none of them: over 8 tables of level 0 a range of 10 entries took 0.35 to 0.5 of the time and an empty one 0.14, in one level 0.9 to 1.1 and 0.4; filters grow by an entry for each distinct prefix',
  }),
  compression: byLevel(
    choice<Codec>({
      default: 'none',
      choices: ['none', 'lz4', 'zstd', 'snappy'],
      doc: 'Compression of blocks. zstd is written only by runtimes that have it; snappy comes later.',
      raiseWhen: 'disk space or read bandwidth is short: lz4 on all levels, zstd on the deepest',
      later: (value) => value === 'snappy',
    }),
  ),
  compaction: setting<CompactionOption>({
    type: compactionType,
    default: { strategy: 'leveled' },
    defaultText: "{ strategy: 'leveled' }",
    choices: strategyNames,
    doc: 'How tables are merged, with the settings of that strategy (below). It may change while the database is open.',
    refuse: refuseCompaction,
  }),
  levelRatio: quantity({
    default: 10,
    min: 2,
    max: 100,
    fraction: true,
    doc: 'How many times larger each level is than the one above.',
    raiseWhen: 'space matters more than rewriting',
  }),
  tableBytes: quantity({
    unit: 'bytes',
    default: 8 * MIB,
    defaultText: '8 MiB',
    min: 4 * KIB,
    max: 1 * GIB,
    doc: 'Size of a table in level 1; doubles with each level below, up to 64 MiB or to this when it is larger.',
    raiseWhen: 'the database is so large that it has too many files',
  }),
  blobValueBytes: quantity({
    unit: 'bytes',
    defaultText: 'none',
    min: 64,
    max: 512 * MIB,
    doc: 'Values of at least this size are written once, to blob files that tables refer to, instead of being rewritten by every compaction; none: tables hold all values themselves. Values that expire stay in tables.',
    raiseWhen:
      'given, 1024 or more: values of such sizes are overwritten and the disk has room for twice of them. Measured at 1 and 4 KiB: 1.5 bytes written for each that was put instead of 4.2, puts 2 to 3 times as fast, 1.5 to 2 times the live bytes on disk instead of 1.1; scans of 1 KiB values are 1.5 to 2 times slower, of 4 KiB no slower',
  }),
  ttlMs: quantity({
    unit: 'ms',
    defaultText: 'none',
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    doc: 'Entries expire this long after they were written: gone for every read at once, their space comes back with compaction. Puts and batches may say otherwise for single entries; what is there when it is set stays as it is. The largest number, `Number.MAX_SAFE_INTEGER`, is none, whatever `keyspaceDefaults` say.',
  }),
  retention: setting<RetentionOption>({
    type: '{ ms?, versions? }',
    doc: 'How much of the past stays readable: states of the last `ms` milliseconds (`db.at`, `db.diff`, `history`), and the last `versions` versions of every key that is there (`history`). Kept with the keyspace until it is opened with another one, which a default is not; `{}` ends it.',
    raiseWhen: 'the past is asked for: every version that is kept takes its space in every level',
    refuse: refuseRetention,
  }),
};

/** The value of a list by level at `level`. */
export function atLevel<T>(values: readonly T[], level: number): T {
  return values[level < values.length ? level : values.length - 1]!;
}

/** Bytes at which a compaction cuts a table in `level`: `tableBytes` in levels 0 and 1, doubling below to 64 MiB. */
export function tableBytesAt(settings: Pick<ResolvedKeyspaceSettings, 'tableBytes'>, level: number): number {
  const doubled = settings.tableBytes * 2 ** Math.max(0, level - 1);
  return Math.min(doubled, Math.max(64 * MIB, settings.tableBytes));
}
