import { describe, expect, test } from 'vitest';
import { VarveError } from '../base/errors.ts';
import { Random } from '../base/random.ts';
import { type FileSystem, readFile, writeFully } from '../fs/file-system.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { ManifestFollower } from './follow.ts';
import { appendFrame, createManifest, encodeEditFrame, loadManifest } from './manifest-file.ts';
import { randomFlush, sampleKeyspace } from './samples.suite.ts';
import { applyEdit, emptyVersion, type Version } from './version.ts';
import type { VersionEdit } from './version-edit.ts';

const PATH = '/db/MANIFEST-000004';
const first = applyEdit(emptyVersion(), { keyspacesCreated: [sampleKeyspace(1)], incarnation: 1 });

/** A manifest with its writer, and what it says after each edit. */
class Written {
  readonly fs = new MemoryFs();
  readonly random: Random;
  version: Version = first;
  bytes: number;
  path = PATH;
  #file = 10;

  constructor(seed = 1) {
    this.random = new Random(seed);
    this.fs.makeDirectory('/db');
    this.bytes = createManifest(this.fs, '/db', 4, first);
  }

  nextEdit(): VersionEdit {
    this.#file++;
    return randomFlush(this.random, this.#file, this.#file * 5);
  }

  append(edit: VersionEdit = this.nextEdit()): void {
    const frame = encodeEditFrame(edit);
    const file = this.fs.open(this.path, 'readWrite');
    appendFrame(file, frame, this.bytes);
    file.close();
    this.bytes += frame.length;
    this.version = applyEdit(this.version, edit);
  }

  /** What a new owner does at open. */
  takeOver(number: number): void {
    this.version = { ...this.version, incarnation: this.version.incarnation + 1 };
    this.bytes = createManifest(this.fs, '/db', number, this.version);
    this.fs.remove(this.path);
    this.path = `/db/MANIFEST-${String(number).padStart(6, '0')}`;
  }

  follower(): ManifestFollower {
    return new ManifestFollower(this.fs, '/db', loadManifest(this.fs, '/db', [4])!);
  }
}

function put(fs: FileSystem, path: string, bytes: Uint8Array, at: number): void {
  const file = fs.open(path, 'readWrite');
  writeFully(file, bytes, 0, bytes.length, at);
  file.close();
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof VarveError) return error.code;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a follower of a manifest', () => {
  test('applies the edits that were appended since, and keeps the version when there are none', () => {
    const written = new Written();
    const follower = written.follower();
    const before = follower.version;
    expect(follower.advance()).toBe(before);
    for (let round = 0; round < 5; round++) {
      for (let edits = written.random.below(4); edits >= 0; edits--) written.append();
      expect(follower.advance()).toEqual(written.version);
      expect(follower.bytes).toBe(written.bytes);
    }
    expect(follower.number).toBe(4);
  });

  test('reads exactly up to a given offset, from the start of the file too', () => {
    const written = new Written();
    written.append();
    const { bytes, version } = written;
    written.append();
    const follower = ManifestFollower.fromStart(written.fs, '/db', 4);
    expect(follower.advance(bytes)).toEqual(version);
    expect(follower.bytes).toBe(bytes);
    expect(follower.advance(written.bytes)).toEqual(written.version);
    // An owner's word that is older than what was read changes nothing.
    expect(follower.advance(bytes)).toEqual(written.version);
  });

  test('takes an edit that was promised and is not whole for damage', () => {
    const written = new Written();
    const follower = written.follower();
    written.append();
    expect(codeOf(() => follower.advance(written.bytes - 1))).toBe('CORRUPTION');
    expect(codeOf(() => follower.advance(written.bytes + 1))).toBe('CORRUPTION');
    expect(follower.advance(written.bytes)).toEqual(written.version);
  });

  test('waits for an edit that is there in part, at every byte of it', () => {
    const written = new Written();
    const follower = written.follower();
    const { version } = written;
    const frame = encodeEditFrame(written.nextEdit());
    for (let length = 1; length < frame.length; length++) {
      put(written.fs, PATH, frame.subarray(0, length), written.bytes);
      expect(follower.advance()).toEqual(version);
      expect(follower.bytes).toBe(written.bytes);
    }
    put(written.fs, PATH, frame, written.bytes);
    expect(follower.advance()).not.toEqual(version);
    expect(follower.bytes).toBe(written.bytes + frame.length);
  });

  test('gives what stays damaged one more look', () => {
    const written = new Written();
    const follower = written.follower();
    written.append();
    const { bytes, version } = written;
    written.append();
    const [damaged] = readFile(written.fs, PATH).subarray(bytes + 12);
    put(written.fs, PATH, Uint8Array.of(damaged! ^ 1), bytes + 12);
    expect(follower.advance()).toEqual(version);
    expect(codeOf(() => follower.advance())).toBe('CORRUPTION');
    expect(follower.version).toEqual(version);
    put(written.fs, PATH, Uint8Array.of(damaged!), bytes + 12);
    expect(follower.advance()).toEqual(written.version);
  });

  test("starts over from a successor's manifest once the old one is removed", () => {
    const written = new Written();
    const follower = written.follower();
    written.append();
    written.takeOver(30);
    written.append();
    written.takeOver(40);
    written.append();
    expect(follower.advance()).toEqual(written.version);
    expect(follower.number).toBe(40);
    written.append();
    expect(follower.advance()).toEqual(written.version);
  });

  test('stays with the old manifest while the new one is being made', () => {
    const written = new Written();
    const follower = written.follower();
    written.append();
    createManifest(written.fs, '/db', 50, written.version);
    written.append();
    expect(follower.advance()).toEqual(written.version);
    expect(follower.number).toBe(4);
  });

  test('says that the database is gone', () => {
    const written = new Written();
    const follower = written.follower();
    written.fs.remove(PATH);
    expect(codeOf(() => follower.advance())).toBe('NOT_FOUND');
    expect(follower.version).toEqual(written.version);
  });
});
