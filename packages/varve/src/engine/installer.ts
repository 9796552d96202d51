/**
 * Installs version edits: the only writer of the manifest while the database is open.
 *
 * Edits are queued and written in order by one job in the I/O lane at a time, one edit a job. The
 * job fsyncs the log first (CONTRACT 3, write-ahead across keyspaces: no table with sequences up to s is named by the
 * manifest before the log is on disk through s), then appends the edits and fsyncs the manifest. Only then is the new
 * version current and `installed` called. Whoever queues an edit may look once more when it is durable, and have it taken back by
 * another one before anybody sees it; a crash between the two leaves it standing, when nobody is left who could have seen what was
 * before. An ingestion goes ahead of that: its record in the log makes its tables part of what
 * readers see, and its edit follows as any other. A full disk is tried again; any other failure poisons.
 */
import { assert } from '../base/assert.ts';
import type { FileSystem } from '../fs/file-system.ts';
import type { JobRunner, RunningJob } from '../workers/job-runner.ts';
import type { Scheduler } from '../runtime/scheduler.ts';
import type { Poison } from '../runtime/poison.ts';
import { editBack } from '../manifest/edit-back.ts';
import type { VersionEdit } from '../manifest/version-edit.ts';
import { withUnreferencedBlobs } from '../manifest/blob-files.ts';
import type { IngestionEdit } from '../manifest/ingestion.ts';
import { appendFrame, encodeEditFrame } from '../manifest/manifest-file.ts';
import { applyEdit, type Version } from '../manifest/version.ts';
import type { Log } from '../wal/log.ts';
import type { Durability } from './durability.ts';
import { isDiskFull } from './durability.ts';
import type { InstallInput } from './workers/io-jobs.ts';

const FULL_RETRY_MS = 250;

interface Pending {
  /** Makes the edit when its turn has come: what it says of the log then knows all edits before it. */
  readonly make: () => VersionEdit;
  edit: VersionEdit | undefined;
  readonly isAhead: boolean;
  /** Asked when the edit is durable: may readers see it? */
  readonly mayShow?: (() => boolean) | undefined;
  readonly done: (error: unknown) => void;
}

export interface InstallerEnv {
  readonly runner: JobRunner;
  readonly scheduler: Scheduler;
  readonly poison: Poison;
  readonly log: Log | undefined;
  readonly durability: Durability | undefined;
  /** Keeps other threads of a shared database from log and memtables (state.ts). */
  readonly state: { exclusive<T>(step: () => T): T };
  readonly manifest: { readonly path: string; readonly number: number; readonly bytes: number };
  /**
   * This version is what readers are to see now: the one that the manifest holds, by this edit, with what is ahead of it.
   */
  installed(version: Version, edit: VersionEdit): void;
}

export class Installer {
  readonly #env: InstallerEnv;
  #version: Version;
  /** `#version`, or an edit further: one that is durable and is to be taken back. */
  #written: Version;
  #current: Version;
  #ahead: IngestionEdit | undefined;
  #manifestBytes: number;
  /** Where the next edit goes: behind that of `#written`. */
  #end: number;
  #queue: Pending[] = [];
  #running = false;
  #closed = false;
  #closedBy: unknown;
  #job: RunningJob | undefined;

  constructor(env: InstallerEnv, version: Version) {
    this.#env = env;
    this.#version = version;
    this.#written = version;
    this.#current = version;
    this.#manifestBytes = env.manifest.bytes;
    this.#end = env.manifest.bytes;
  }

  /** Length of the manifest up to the edit that made the current version. */
  get manifestBytes(): number {
    return this.#manifestBytes;
  }

  /** Number of the manifest that this open writes to. */
  get manifestNumber(): number {
    return this.#env.manifest.number;
  }

  /** The version that the manifest on disk describes. */
  get version(): Version {
    return this.#version;
  }

  /** What readers see: `version`, with the ingestion that is ahead of it. */
  get current(): Version {
    return this.#current;
  }

  /** An ingestion that is in the log, that readers see, and whose edit is not in the manifest yet; one at a time. */
  get ahead(): IngestionEdit | undefined {
    return this.#ahead;
  }

  /**
   * Readers see `edit` from now on: the log has it, and says so to recovery. Its turn for the manifest comes, with what
   * `make` adds to it.
   */
  installAhead(edit: IngestionEdit, make: () => VersionEdit, done: (error: unknown) => void): void {
    assert(this.#ahead === undefined, 'one ingestion is ahead of the manifest at a time');
    this.#ahead = edit;
    this.#current = applyEdit(this.#version, edit);
    if (this.#closed) {
      done(this.#closedBy);
      return;
    }
    const whole = (): VersionEdit => ({ ...edit, ...make() });
    this.#queue.push({ make: whole, edit: undefined, isAhead: true, done });
  }

  /** Another process's installer has written this version (read-only databases). */
  follow(version: Version): void {
    this.#version = version;
    this.#written = version;
    this.#current = version;
  }

  get idle(): boolean {
    return !this.#running && this.#queue.length === 0;
  }

  /** The edit that was queued last, while it waits and is not made yet. */
  get lastWaiting(): (() => VersionEdit) | undefined {
    const last = this.#queue.at(-1);
    return last?.edit === undefined ? last?.make : undefined;
  }

  /**
   * Queues an edit, which `make` gives once when its turn comes; `done` gets undefined once it is durable and current, or
   * what stopped it. When `mayShow` says no once it is durable, it is taken back; `done` is told when that is durable as well.
   */
  install(make: () => VersionEdit, done: (error: unknown) => void, mayShow?: () => boolean): void {
    if (this.#closed) {
      done(this.#closedBy);
      return;
    }
    this.#queue.push({ make, edit: undefined, isAhead: false, mayShow, done });
    this.pump();
  }

  /** No edit is written any more: queued ones fail, and one that has not come to the manifest yet is called off. */
  poisoned(): void {
    this.#job?.cancel();
    this.close(this.#env.poison.error());
  }

  /** Queued edits fail; the one that is being written is finished. */
  close(error: unknown): void {
    this.#closed = true;
    this.#closedBy ??= error;
    for (const pending of this.#queue.splice(0)) pending.done(error);
  }

  /**
   * Appends a last edit on this thread, after the runner was closed; false when part of another one, which failed, is there.
   * @throws io
   */
  finish(fs: FileSystem, edit: VersionEdit): boolean {
    const { manifest, poison } = this.#env;
    if (poison.raised || fs.status(manifest.path)?.size !== this.#end) return false;
    const file = fs.open(manifest.path, 'readWrite');
    try {
      appendFrame(file, encodeEditFrame(edit), this.#end);
    } finally {
      file.close();
    }
    return true;
  }

  /** Starts on the first edit that waits, unless one is being written. */
  pump(): void {
    const { log, durability, runner, poison, manifest } = this.#env;
    if (this.#running || this.#closed || this.#queue.length === 0) return;
    if (poison.raised) {
      this.close(poison.error());
      return;
    }
    if (durability !== undefined && !durability.handOver()) {
      this.#retry();
      return;
    }
    // What the edit says of the log and of the memtables is of one moment.
    const { unsynced, taken } = this.#env.state.exclusive(() => {
      const first = this.#queue.shift()!;
      const covered = log?.unsynced();
      first.edit ??= withUnreferencedBlobs(this.#version, first.make());
      return { unsynced: covered, taken: first };
    });
    const made = taken.edit!;
    const edit = unsynced === undefined ? made : { ...made, syncedPosition: unsynced.upTo };
    const frame = encodeEditFrame(edit);
    const input: InstallInput = {
      manifest: manifest.path,
      offset: this.#end,
      frame,
      log: unsynced === undefined ? undefined : { paths: unsynced.paths, directory: unsynced.directory },
    };
    this.#running = true;
    this.#job = runner.start({ lane: 'io', name: 'install', input }, (outcome) => {
      this.#running = false;
      this.#job = undefined;
      if (!outcome.ok && isDiskFull(outcome.error) && !this.#closed) {
        this.#queue.unshift(taken);
        this.#retry();
        return;
      }
      if (outcome.ok) {
        this.#end += frame.length;
        this.#written = applyEdit(this.#written, edit);
        if (unsynced !== undefined) {
          this.#env.state.exclusive(() => log!.markSynced(unsynced.upTo, unsynced.sequence));
          durability!.synced();
        }
        // ATOMIC from here on: nobody comes between the look and the new views.
        if (taken.mayShow?.() === false) {
          this.#takeBack(taken, edit);
          return;
        }
        this.#manifestBytes = this.#end;
        this.#version = this.#written;
        if (taken.isAhead) this.#ahead = undefined;
        this.#current = this.#ahead === undefined ? this.#version : applyEdit(this.#version, this.#ahead);
        this.#env.installed(this.#current, edit);
      } else if (!this.#closed) poison.raise(outcome.error);
      // What called it off says more than that it was called off.
      taken.done(outcome.ok ? undefined : (this.#closedBy ?? outcome.error));
      this.pump();
    });
  }

  /** Before any other edit, as those that wait count on the files that are there for readers. */
  #takeBack({ make, isAhead, done }: Pending, edit: VersionEdit): void {
    if (this.#closed) {
      done(this.#closedBy);
      return;
    }
    this.#queue.unshift({ make, edit: editBack(this.#version, edit), isAhead, done });
    this.pump();
  }

  #retry(): void {
    this.#env.scheduler.after(FULL_RETRY_MS, () => this.pump());
  }
}
