/** What travels between `large` and its child processes: plain data. Times in the unit of the name, sizes in bytes. */
import type { DatabaseOptions, DatabaseStats } from 'varve';

/** The entries and the settings of all parts. */
export interface Sizes {
  readonly num: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly cacheBytes: number;
  readonly memtableBytes: number;
  /** How Varve reads tables. */
  readonly readMode: NonNullable<DatabaseOptions['reads']>;
  /** Random gets that are timed, after as many that are not. */
  readonly reads: number;
  /** Log that is written before the crash. */
  readonly logBytes: number;
  /** Files that stay the same for so long have come to rest. */
  readonly restMs: number;
  readonly seed: number;
}

export interface Filled {
  readonly opsPerSecond: number;
  readonly seconds: number;
  /** Of every single put. */
  readonly putNs: { p50: number; p99: number; p999: number; max: number };
  /** Once flushes and compactions had come to rest. */
  readonly written: DatabaseStats['written'];
  readonly restSeconds: number;
  readonly pressure: DatabaseStats['pressure'];
  readonly levels: readonly { files: number; bytes: number }[];
}

export interface Read {
  readonly opsPerSecond: number;
  readonly found: number;
  readonly cacheUsedBytes: number;
}

/** Medians of walks over the same entries, one for each place. */
export interface Iterated {
  readonly entries: number;
  /** Key and value of every entry were looked at. */
  readonly lookedAtNs: readonly number[];
  /** The cursor was only moved. */
  readonly movedNs: readonly number[];
}

export interface Opened {
  readonly openMs: number;
  /** Of all threads meanwhile: what is left of openMs is waiting, for the disk or for a processor. */
  readonly processorMs: number;
  /** The first get of a key that is there. */
  readonly firstGetMs: number;
  /** What the engine itself reports of the log's replay. */
  readonly replayMs: number;
  readonly replayedBytes: number;
}

export interface LogFilled {
  readonly logBytes: number;
  readonly puts: number;
  /** Written to tables; 0 when all is in the log, as it should be. */
  readonly flushBytes: number;
}

export interface Remembered {
  readonly rssBytes: number;
  /** Of this process before the engine was loaded. */
  readonly bareBytes: number;
  readonly openedBytes: number;
  readonly engine: DatabaseStats['memoryBytes'];
  readonly cacheBytesMax: number;
}

/** Every task of a child process with its result. */
export interface Results {
  readonly fill: Filled;
  readonly read: Read;
  readonly iterate: Iterated;
  readonly open: Opened;
  readonly fillLog: LogFilled;
  readonly replay: Opened;
  readonly memory: Remembered;
}

export type TaskName = keyof Results;
