/**
 * What `db.share()` gives and `attach` takes: plain data and shared memory, good for `postMessage` and `workerData` to any thread
 * of this process, any number of times, as long as the owner has the database open.
 *
 * Everything in it is read by the same build of the package, or not at all: VERSION rises with every change of the layout of
 * any shared structure.
 */
import { threadId } from 'node:worker_threads';
import { invalid } from '../../base/errors.ts';
import type { SegmentPoolHandle } from '../../arena/segment-pool.ts';
import type { CacheHandle } from '../../cache/sharing.ts';
import { withoutPicker } from '../../options/compaction-settings.ts';
import type { ResolvedDatabaseOptions } from '../../options/resolve.ts';
import type { LogHandle } from '../../wal/attached-log.ts';
import type { OpenReport } from '../api-types.ts';

/** Of the layout of all shared memory together. */
export const SHARE_VERSION = 3;
const KIND = 'varve share handle';

/** The options that an attached thread works by: those of the owner. */
export type SharedOptions = Omit<ResolvedDatabaseOptions, 'clock' | 'fileSystem'>;

export interface ShareData {
  readonly kind: typeof KIND;
  readonly version: number;
  /** Of this open, in this process. */
  readonly id: string;
  readonly process: number;
  readonly ownerThread: number;
  readonly path: string;
  readonly directory: string;
  readonly control: SharedArrayBuffer;
  readonly register: SharedArrayBuffer;
  readonly rows: SharedArrayBuffer;
  /** Locks of transactions (lock-records.ts). */
  readonly locks: SharedArrayBuffer;
  /** The stored clock (stored-clock.ts). */
  readonly time: SharedArrayBuffer;
  readonly pool: SegmentPoolHandle;
  readonly cache: CacheHandle;
  readonly log: LogHandle;
  readonly fileNumbers: SharedArrayBuffer;
  readonly manifest: number;
  readonly options: SharedOptions;
  readonly recovered: OpenReport;
}

/** What of the options can be sent to another thread. */
export function sharedOptions(options: ResolvedDatabaseOptions): SharedOptions {
  const { clock: _clock, fileSystem: _fileSystem, ...others } = options;
  return { ...others, keyspaceDefaults: withoutPicker(others.keyspaceDefaults) };
}

export function shareData(data: Omit<ShareData, 'kind' | 'version'>): ShareData {
  return { kind: KIND, version: SHARE_VERSION, ...data };
}

/**
 * The data of a handle, checked.
 *
 * @throws invalid `HANDLE_INVALID`: not a handle, of another version of the package, of another process
 */
export function checkHandle(handle: unknown): ShareData {
  const given = handle as Partial<ShareData> | null;
  if (typeof handle !== 'object' || given === null || given.kind !== KIND) {
    throw refused('attach takes what db.share() gave', { got: given === null ? 'null' : typeof handle });
  }
  if (given.version !== SHARE_VERSION) {
    const message = 'the handle was made by another version of the package; load one version in all threads';
    throw refused(message, { got: given.version, expected: SHARE_VERSION });
  }
  if (given.process !== process.pid || !(given.control instanceof SharedArrayBuffer)) {
    const message =
      'the handle was made in another process; other processes open the database with readOnly: true';
    throw refused(message, { got: given.process, expected: process.pid });
  }
  return given as ShareData;
}

/** The same, for a thread that is to attach the database. @throws invalid `ATTACH_OWNER`: it has opened it itself */
export function checkAttachable(handle: unknown): ShareData {
  const data = checkHandle(handle);
  if (data.ownerThread !== threadId) return data;
  const message = 'this thread has opened the database itself; attach is for other threads';
  throw invalid('ATTACH_OWNER', message, { threadId });
}

function refused(message: string, context: Record<string, unknown>): Error {
  return invalid('HANDLE_INVALID', message, context);
}
