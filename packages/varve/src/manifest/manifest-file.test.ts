import { describe, expect, test } from 'vitest';
import { VarveError } from '../base/errors.ts';
import { Random } from '../base/random.ts';
import { FaultFs } from '../fs/fault-fs.ts';
import { type FileSystem, readFile, writeFully } from '../fs/file-system.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { SimFs } from '../fs/sim-fs.ts';
import { SimulatedCrash } from '../fs/sim-power.ts';
import { encodeFrame } from '../record/frame.ts';
import {
  appendFrame,
  createManifest,
  encodeEditFrame,
  FRAME_COMPLETE,
  FRAME_EDIT,
  loadManifest,
  manifestRecords,
} from './manifest-file.ts';
import { bytesOfText, fullEdit, randomFlush, sampleFile, sampleKeyspace } from './samples.suite.ts';
import { applyEdit, emptyVersion, type Version } from './version.ts';
import { encodeEdit, type VersionEdit } from './version-edit.ts';

const first = applyEdit(emptyVersion(), { keyspacesCreated: [sampleKeyspace(1)], incarnation: 1 });

function append(fs: FileSystem, path: string, edit: VersionEdit, offset: number): number {
  const frame = encodeEditFrame(edit);
  const file = fs.open(path, 'readWrite');
  try {
    appendFrame(file, frame, offset);
  } finally {
    file.close();
  }
  return offset + frame.length;
}

function replace(fs: FileSystem, path: string, bytes: Uint8Array): void {
  if (fs.status(path) !== undefined) fs.remove(path);
  const file = fs.open(path, 'create');
  writeFully(file, bytes, 0, bytes.length, 0);
  file.close();
}

/** MANIFEST-000004 with the version after each number of edits, and where each of them ends. */
function sample(edits = 4): {
  fs: MemoryFs;
  path: string;
  versions: Version[];
  ends: number[];
  bytes: Uint8Array;
} {
  const random = new Random(81);
  const fs = new MemoryFs();
  fs.makeDirectory('/db');
  const path = '/db/MANIFEST-000004';
  const ends = [createManifest(fs, '/db', 4, first)];
  const versions = [first];
  for (let number = 1; number <= edits; number++) {
    const edit = randomFlush(random, number, number * 5);
    ends.push(append(fs, path, edit, ends.at(-1)!));
    versions.push(applyEdit(versions.at(-1)!, edit));
  }
  return { fs, path, versions, ends, bytes: readFile(fs, path) };
}

function thrownBy(action: () => unknown): VarveError {
  try {
    action();
  } catch (error) {
    if (error instanceof VarveError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a manifest', () => {
  test('gives back its snapshot and every edit behind it', () => {
    const { fs, path, versions, ends } = sample();
    expect(loadManifest(fs, '/db', [4])).toEqual({
      number: 4,
      path,
      version: versions.at(-1),
      bytes: ends.at(-1),
      tornBytes: 0,
      incomplete: [],
      warnings: [],
    });
  });

  test('is the one with the highest number', () => {
    const { fs, versions } = sample();
    createManifest(fs, '/db', 9, applyEdit(first, { incarnation: 2 }));
    expect(loadManifest(fs, '/db', [4, 9])).toMatchObject({ number: 9, version: { incarnation: 2 } });
    expect(loadManifest(fs, '/db', [4])).toMatchObject({ version: versions.at(-1) });
  });

  test('is created under a number that nothing has', () => {
    const { fs, path, bytes } = sample();
    expect(() => createManifest(fs, '/db', 4, first)).toThrow(/EEXIST/);
    expect(readFile(fs, path)).toEqual(bytes);
  });

  test('lists its records for a dump', () => {
    const { path, bytes, ends } = sample(2);
    const records = [...manifestRecords(bytes, path)];
    expect(records.map(({ kind }) => kind)).toEqual(['snapshot', 'complete', 'edit', 'edit']);
    expect(records.slice(2).map(({ offset }) => offset)).toEqual(ends.slice(0, 2));
    expect(records[3]!.edit).toMatchObject({ nextFileNumber: 3 });
  });

  test('of which there is none is a database that was never there', () => {
    const { fs } = sample();
    expect(loadManifest(fs, '/db', [])).toBeUndefined();
  });
});

describe('a manifest cut short', () => {
  test('within its snapshot is ignored when an older one is complete', () => {
    const { fs, bytes, ends } = sample();
    const older = applyEdit(first, { lastSequence: 77 });
    createManifest(fs, '/db', 3, older);
    for (let length = 0; length < ends[0]!; length++) {
      replace(fs, '/db/MANIFEST-000004', bytes.slice(0, length));
      expect(loadManifest(fs, '/db', [3, 4])).toMatchObject({
        number: 3,
        version: older,
        incomplete: [4],
        warnings: ['MANIFEST-000004 was not completed and is ignored'],
      });
    }
  });

  test('anywhere behind its snapshot loses only the torn edit', () => {
    const { fs, path, bytes, ends, versions } = sample();
    for (let length = ends[0]!; length <= bytes.length; length++) {
      replace(fs, path, bytes.slice(0, length));
      const whole = ends.findLastIndex((end) => end <= length);
      const loaded = loadManifest(fs, '/db', [4])!;
      expect(loaded).toMatchObject({
        version: versions[whole],
        bytes: ends[whole],
        tornBytes: length - ends[whole]!,
      });
      expect(loaded.warnings.length).toBe(length === ends[whole] ? 0 : 1);
    }
  });

  test('within its snapshot is no database when it is the very first, and corruption when it can not be', () => {
    const { fs, bytes, ends } = sample();
    for (let length = 0; length < ends[0]!; length += 7) {
      replace(fs, '/db/MANIFEST-000001', bytes.slice(0, length));
      replace(fs, '/db/MANIFEST-000004', bytes.slice(0, length));
      expect(loadManifest(fs, '/db', [1])).toBeUndefined();
      expect(loadManifest(fs, '/db', [1, 4])).toBeUndefined();
      expect(thrownBy(() => loadManifest(fs, '/db', [4]))).toMatchObject({
        kind: 'corruption',
        context: { file: '/db/MANIFEST-000004', offset: 0 },
      });
    }
  });
});

describe('a damaged manifest', () => {
  test('is corruption at every single bit, and never a reason to take an older one', () => {
    const { fs, path, bytes } = sample(2);
    createManifest(fs, '/db', 3, first);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      replace(fs, path, damaged);
      const error = thrownBy(() => loadManifest(fs, '/db', [3, 4]));
      if (error.kind !== 'corruption' || error.context['file'] !== path) throw error;
      expect(error.context['offset']).toBeLessThanOrEqual(bit >> 3);
    }
  });

  test('with several bits flipped is corruption, unless every edit that is lost was hit and looks torn', () => {
    const random = new Random(82);
    const { fs, path, bytes, ends, versions } = sample();
    let corrupted = 0;
    for (let round = 0; round < 1500; round++) {
      const damaged = bytes.slice();
      const hits = Array.from({ length: 1 + random.below(4) }, () => random.below(bytes.length));
      for (const at of hits) damaged[at]! ^= 1 << random.below(8);
      if (damaged.every((byte, at) => byte === bytes[at])) continue;
      replace(fs, path, damaged);
      try {
        const loaded = loadManifest(fs, '/db', [4])!;
        const whole = ends.indexOf(loaded.bytes);
        expect(loaded).toMatchObject({ version: versions[whole], tornBytes: bytes.length - ends[whole]! });
        for (let edit = whole + 1; edit < ends.length; edit++) {
          expect(hits.some((at) => at >= ends[edit - 1]! && at < ends[edit]!)).toBe(true);
        }
        expect(hits.length).toBeGreaterThan(1);
      } catch (error) {
        if (!(error instanceof VarveError)) throw error;
        expect(error.kind).toBe('corruption');
        corrupted++;
      }
    }
    expect(corrupted).toBeGreaterThan(1450);
  });

  test('is corruption when intact records stand where they can not', () => {
    const { fs, path, bytes, ends } = sample(1);
    const edit = encodeFrame(FRAME_EDIT, encodeEdit({ lastSequence: 9 }));
    const complete = encodeFrame(FRAME_COMPLETE, new Uint8Array(0));
    const missing = encodeEditFrame({ removedFiles: [{ keyspace: 1, level: 0, number: 99 }] });
    const snapshot = bytes.slice(0, ends[0]! - complete.length);
    for (const parts of [
      [edit],
      [complete],
      [snapshot, edit],
      [snapshot, complete, complete],
      [bytes, missing],
    ]) {
      replace(fs, path, new Uint8Array(Buffer.concat(parts)));
      expect(thrownBy(() => loadManifest(fs, '/db', [4]))).toMatchObject({
        kind: 'corruption',
        context: { file: path },
      });
    }
  });

  test('of a later release is refused by name', () => {
    const { fs, path, bytes } = sample(1);
    const linked = sampleFile(30, 'a', 'b', { lowerBound: bytesOfText('a') });
    const edits = [
      encodeFrame(9, new Uint8Array(0)),
      encodeEditFrame({ ...fullEdit(), formatVersion: 2 }),
      encodeEditFrame({ addedFiles: [{ keyspace: 1, level: 0, file: linked }] }),
    ];
    for (const frame of edits) {
      replace(fs, path, new Uint8Array(Buffer.concat([bytes, frame])));
      expect(thrownBy(() => loadManifest(fs, '/db', [4]))).toMatchObject({ code: 'UNSUPPORTED_MANIFEST' });
    }
  });
});

describe('power loss', () => {
  /** What was promised when the power went, and what may have become durable on top of it. */
  interface Promise {
    promised: number;
    written: Version[];
  }

  function run(fs: FileSystem, edits: readonly VersionEdit[], state: Promise): void {
    let version = first;
    for (const number of [1, 50]) {
      version = applyEdit(version, { incarnation: number });
      state.written.push(version);
      let offset = createManifest(fs, '/db', number, version);
      state.promised = state.written.length;
      if (number === 50) {
        fs.remove('/db/MANIFEST-000001');
        fs.syncDirectory('/db');
      }
      for (const edit of edits) {
        const next = number === 1 ? edit : { lastSequence: 1000 + offset, timeMarks: edit.timeMarks ?? [] };
        version = applyEdit(version, next);
        state.written.push(version);
        offset = append(fs, `/db/MANIFEST-${String(number).padStart(6, '0')}`, next, offset);
        state.promised = state.written.length;
      }
    }
  }

  test('at any moment leaves every edit that was promised, and nothing but whole edits', () => {
    const random = new Random(83);
    const edits = [1, 2, 3].map((number) => randomFlush(random, number, number * 5));
    // Long enough to lie in several sectors, so that a part of it can be lost.
    const many = Array.from({ length: 12 }, (_, index) => ({
      keyspace: 1,
      level: 6,
      file: sampleFile(60 + index, `${10 + index}`, `${10 + index}x`),
    }));
    edits.splice(1, 0, { addedFiles: many });
    const whole = new SimFs();
    whole.makeDirectory('/db');
    whole.syncDirectory('/');
    run(whole, edits, { promised: 0, written: [] });
    for (let operation = 3; operation <= whole.operations; operation++) {
      const fs = new SimFs();
      fs.makeDirectory('/db');
      fs.syncDirectory('/');
      fs.onOperation = () => {
        if (fs.operations === operation) throw new SimulatedCrash();
      };
      const state = { promised: 0, written: [] as Version[] };
      expect(() => run(fs, edits, state)).toThrow(SimulatedCrash);
      for (let outcome = 0; outcome < 40; outcome++) {
        const after = fs.crash(random, outcome % 2 === 0 ? {} : { data: 'independent', names: 'everything' });
        const numbers = after.list('/db').map((name) => Number(name.slice('MANIFEST-'.length)));
        const loaded = loadManifest(after, '/db', numbers);
        const at =
          loaded === undefined
            ? 0
            : 1 + state.written.findIndex((version) => sameVersion(version, loaded.version));
        expect(loaded === undefined || at > 0).toBe(true);
        expect(at).toBeGreaterThanOrEqual(state.promised);
      }
    }
  });

  function sameVersion(a: Version, b: Version): boolean {
    return a.lastSequence === b.lastSequence && a.incarnation === b.incarnation && files(a) === files(b);
  }

  function files(version: Version): string {
    return version.keyspaces
      .get(1)!
      .levels.map((level) => level.map(({ number }) => number).join())
      .join('|');
  }
});

describe('a full disk', () => {
  test('leaves the manifest as it was, so that the same edit can be tried again', () => {
    const { fs: inner, path, versions, ends, bytes } = sample();
    const fs = new FaultFs(inner);
    fs.freeBytes = 20;
    const edit: VersionEdit = { lastSequence: 500, keyspacesCreated: [sampleKeyspace(2, 'x'.repeat(100))] };
    expect(() => append(fs, path, edit, ends.at(-1)!)).toThrow(/ENOSPC/);
    expect(readFile(inner, path)).toEqual(bytes);
    fs.heal();
    append(fs, path, edit, ends.at(-1)!);
    expect(loadManifest(fs, '/db', [4])).toMatchObject({
      version: applyEdit(versions.at(-1)!, edit),
      tornBytes: 0,
    });
  });
});
