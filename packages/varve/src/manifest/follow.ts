/**
 * Follows a manifest that another thread or another process appends to: keeps the version of the edits that were read and
 * applies those behind them. The reading half of `engine/installer.ts`, which knows nothing of its followers.
 *
 * Two ways to follow. Beside an owner that says how far it wrote (threads of one database) `advance(to)` reads exactly so
 * far, and anything but whole edits there is damage. Beside one that says nothing (another process) `advance()` reads to
 * the end: an edit that is not whole is not there yet. When the owner's successor has begun a manifest of its own, the old
 * name is gone and the newest complete one is loaded. An owner removes the older ones before it appends, removes or logs
 * anything, so as long as the name is there, that manifest is the truth.
 * Synchronous; one thread per follower. A call that throws leaves the follower where it was.
 */
import { corruption, invalid, systemCode } from '../base/errors.ts';
import { inDirectory, manifestName, parseFileName } from '../fs/file-names.ts';
import { type FileSystem, readFully } from '../fs/file-system.ts';
import { loadManifest, ManifestWalk } from './manifest-file.ts';
import { applyEdit, emptyVersion, type Version } from './version.ts';

/** Reads start at a sector, so that what is torn there is told from what is damaged (record/frame.ts). */
const SECTOR_BYTES = 512;
/** Successors that take over one after the other while a follower looks for the newest manifest. */
const RELOADS_MAX = 16;

/** How far a manifest was read; a `LoadedManifest` fits. */
export interface ManifestPosition {
  readonly number: number;
  /** Offset behind the last edit that is in `version`. */
  readonly bytes: number;
  readonly version: Version;
}

export class ManifestFollower {
  readonly #fs: FileSystem;
  readonly #directory: string;
  #number: number;
  #bytes: number;
  #version: Version;
  /** Records before `#bytes`; what matters is whether snapshot and `complete` are among them. */
  #records: number;
  /** Where damage was seen: a frame may look like it while it is written, but not for ever. */
  #damagedAt = -1;

  /** Goes on from `from`; with `bytes` 0 and an empty version the first `advance` reads the whole file. */
  constructor(fs: FileSystem, directory: string, from: ManifestPosition) {
    this.#fs = fs;
    this.#directory = directory;
    this.#number = from.number;
    this.#bytes = from.bytes;
    this.#version = from.version;
    this.#records = from.bytes === 0 ? 0 : 2;
  }

  /** From the start of manifest `number`. */
  static fromStart(fs: FileSystem, directory: string, number: number): ManifestFollower {
    return new ManifestFollower(fs, directory, { number, bytes: 0, version: emptyVersion() });
  }

  /** Number of the manifest that is followed; rises when a successor's took its place. */
  get number(): number {
    return this.#number;
  }

  /** Offset up to which it was read: behind a whole edit. */
  get bytes(): number {
    return this.#bytes;
  }

  get version(): Version {
    return this.#version;
  }

  /**
   * Reads and applies the edits up to offset `to`, or as many as are there; returns the version then.
   *
   * @throws VarveError `CORRUPTION` with file and offset; `UNSUPPORTED_MANIFEST`; `NOT_FOUND` when the database is gone;
   * `IO_ERROR`, with `to` also when the manifest is gone
   */
  advance(to?: number): Version {
    if (to !== undefined) {
      if (to > this.#bytes) this.#read(to);
      return this.#version;
    }
    try {
      this.#read(undefined);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      this.#reload();
    }
    return this.#version;
  }

  #read(to: number | undefined): void {
    const path = inDirectory(this.#directory, manifestName(this.#number));
    const base = this.#bytes - (this.#bytes % SECTOR_BYTES);
    const bytes = this.#readFrom(path, base, to);
    if (to === undefined && base + bytes.length <= this.#bytes) return;
    const walk = new ManifestWalk(bytes, path, { base, offset: this.#bytes, records: this.#records });
    let version = this.#version;
    try {
      for (const { offset, edit } of walk.records())
        version = applyEdit(version, edit, { file: path, offset });
    } catch (error) {
      // Only the end of the walk sets `ending`: edits before it contradict nothing.
      if (to !== undefined || walk.ending !== 'damaged' || this.#damagedAt === walk.end) throw error;
      this.#damagedAt = walk.end;
    }
    if (to !== undefined && walk.end !== to) {
      throw corruption('the manifest ends before what its owner has written', {
        file: path,
        offset: walk.end,
        expected: to,
      });
    }
    if (walk.count < 2) throw corruption('the manifest is not complete', { file: path, offset: walk.end });
    this.#bytes = walk.end;
    this.#records = walk.count;
    this.#version = version;
  }

  #readFrom(path: string, base: number, to: number | undefined): Uint8Array {
    const file = this.#fs.open(path, 'read');
    try {
      const bytes = new Uint8Array(Math.max(0, (to ?? file.size()) - base));
      return bytes.subarray(0, readFully(file, bytes, 0, bytes.length, base));
    } finally {
      file.close();
    }
  }

  /** The name is gone: the newest complete manifest is the truth, unless that one was replaced meanwhile too. */
  #reload(): void {
    for (let attempt = 1; ; attempt++) {
      try {
        const loaded = loadManifest(this.#fs, this.#directory, this.#numbers());
        if (loaded === undefined) {
          throw invalid('NOT_FOUND', `there is no database at ${this.#directory} any more`, {
            path: this.#directory,
          });
        }
        this.#number = loaded.number;
        this.#bytes = loaded.bytes;
        this.#records = 2;
        this.#version = loaded.version;
        this.#damagedAt = -1;
        return;
      } catch (error) {
        if (systemCode(error) !== 'ENOENT' || attempt === RELOADS_MAX) throw error;
      }
    }
  }

  #numbers(): number[] {
    const numbers: number[] = [];
    for (const name of this.#fs.list(this.#directory)) {
      const parsed = parseFileName(name);
      if (parsed?.kind === 'manifest') numbers.push(parsed.number);
    }
    return numbers;
  }
}
