import { describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { spansOverlap } from './file-meta.ts';
import { bytesOfText, randomFlush, sampleFile, sampleKeyspace } from './samples.suite.ts';
import {
  applyEdit,
  emptyVersion,
  filesOverlapping,
  nothingBelow,
  snapshotEdit,
  type Version,
} from './version.ts';
import type { VersionEdit } from './version-edit.ts';

const place = { file: '/db/MANIFEST-000001', offset: 5 };
const withSpaces = applyEdit(emptyVersion(), { keyspacesCreated: [sampleKeyspace(1), sampleKeyspace(2)] });
const numbers = (version: Version, level: number): number[] =>
  version.keyspaces.get(1)!.levels[level]!.map((file) => file.number);
const add = (level: number, ...files: ReturnType<typeof sampleFile>[]): VersionEdit => ({
  addedFiles: files.map((file) => ({ keyspace: 1, level, file })),
});

describe('a version', () => {
  test('keeps level 0 newest first and the other levels by key, in whatever order files come', () => {
    let version = applyEdit(withSpaces, add(0, sampleFile(5, 'a', 'c'), sampleFile(7, 'b', 'd')));
    version = applyEdit(version, add(0, sampleFile(6, 'a', 'z')));
    version = applyEdit(version, add(3, sampleFile(9, 'p', 'q'), sampleFile(8, 'a', 'b')));
    version = applyEdit(version, add(3, sampleFile(10, 'd', 'e')));
    expect(numbers(version, 0)).toEqual([7, 6, 5]);
    expect(numbers(version, 3)).toEqual([8, 10, 9]);
  });

  test('goes by sequences for what is newer, not by file numbers', () => {
    const newer = sampleFile(4, 'a', 'c', { smallestSequence: 20, largestSequence: 30 });
    expect(numbers(applyEdit(withSpaces, add(0, newer, sampleFile(9, 'a', 'c'))), 0)).toEqual([4, 9]);
  });

  test('moves a file between levels in one edit', () => {
    const version = applyEdit(withSpaces, add(0, sampleFile(5, 'a', 'c')));
    const moved = applyEdit(version, {
      removedFiles: [{ keyspace: 1, level: 0, number: 5 }],
      ...add(6, sampleFile(5, 'a', 'c')),
    });
    expect(numbers(moved, 0)).toEqual([]);
    expect(numbers(moved, 6)).toEqual([5]);
    expect(numbers(version, 0)).toEqual([5]);
  });

  test('shares the keyspaces and levels that an edit does not touch', () => {
    const before = applyEdit(withSpaces, add(2, sampleFile(5, 'a', 'c')));
    const after = applyEdit(before, add(0, sampleFile(6, 'a', 'c')));
    expect(after.keyspaces.get(2)).toBe(before.keyspaces.get(2));
    expect(after.keyspaces.get(1)!.levels[2]).toBe(before.keyspaces.get(1)!.levels[2]);
    expect(applyEdit(before, { lastSequence: 3 }).keyspaces.get(1)).toBe(before.keyspaces.get(1));
  });

  test('lets an exclusive end touch the next file but not an inclusive one', () => {
    const left = sampleFile(5, 'a', 'm', { largestExclusive: true });
    const right = sampleFile(6, 'm', 'z');
    expect(numbers(applyEdit(withSpaces, add(1, left, right)), 1)).toEqual([5, 6]);
    expect(() => applyEdit(withSpaces, add(1, sampleFile(5, 'a', 'm'), right))).toThrow(
      /two files of level 1 overlap/,
    );
  });

  test('refuses edits that contradict it', () => {
    const version = applyEdit(withSpaces, add(1, sampleFile(5, 'a', 'c')));
    const cases: [VersionEdit, RegExp][] = [
      [{ removedFiles: [{ keyspace: 1, level: 2, number: 5 }] }, /removed from level 2 but not there/],
      [add(1, sampleFile(6, 'b', 'd')), /two files of level 1 overlap/],
      [add(0, sampleFile(5, 'x', 'y')), /added twice to keyspace 1/],
      [add(4, sampleFile(6, 'a', 'b'), sampleFile(6, 'd', 'e')), /added twice to keyspace 1/],
      [add(4, sampleFile(0, 'a', 'b')), /file numbers start at 1/],
      [add(4, sampleFile(9, 'b', 'a')), /smallest key is above/],
      [{ flushedSequence: [{ keyspace: 3, sequence: 1 }] }, /keyspace 3 is changed but not there/],
      [{ keyspacesDropped: [3] }, /keyspace 3 is dropped but not there/],
      [{ keyspacesCreated: [sampleKeyspace(2)] }, /keyspace 2 is created twice/],
    ];
    for (const [edit, message] of cases) {
      expect(() => applyEdit(version, edit)).toThrow(message);
      expect(() => applyEdit(version, edit)).toThrow(expect.objectContaining({ kind: 'internal' }));
      expect(() => applyEdit(version, edit, place)).toThrow(
        expect.objectContaining({ kind: 'corruption', context: expect.objectContaining(place) }),
      );
    }
  });

  test('never gives out the id of a dropped keyspace again', () => {
    const dropped = applyEdit(withSpaces, { keyspacesDropped: [2] });
    expect([...dropped.keyspaces.keys()]).toEqual([1]);
    expect(dropped.nextKeyspaceId).toBe(3);
    expect(applyEdit(emptyVersion(), snapshotEdit(dropped)).nextKeyspaceId).toBe(3);
  });

  test('only rises in its sequences, floors and positions', () => {
    const high: VersionEdit = {
      incarnation: 4,
      lastSequence: 50,
      nextFileNumber: 60,
      nextKeyspaceId: 9,
      logSegment: 40,
      syncedPosition: { segment: 3, offset: 100 },
      metaSequence: 20,
      appliedPosition: 30,
      flushedSequence: [{ keyspace: 1, sequence: 45 }],
      historyFloor: [{ keyspace: 1, sequence: 44 }],
    };
    const low: VersionEdit = {
      incarnation: 1,
      lastSequence: 1,
      nextFileNumber: 1,
      nextKeyspaceId: 1,
      logSegment: 1,
      syncedPosition: { segment: 2, offset: 900 },
      metaSequence: 1,
      appliedPosition: 1,
      flushedSequence: [{ keyspace: 1, sequence: 1 }],
      historyFloor: [{ keyspace: 1, sequence: 1 }],
    };
    const risen = applyEdit(withSpaces, high);
    expect(applyEdit(risen, low)).toEqual(risen);
    expect(risen).toMatchObject({
      incarnation: 4,
      logSegment: 40,
      syncedPosition: { segment: 3, offset: 100 },
    });
  });

  test('keeps the time marks that a reader of the past may ask for', () => {
    const marks = [10, 20, 30, 40].map((sequence) => ({ time: sequence * 1000, sequence }));
    const retention = [1, 2].map((keyspace) => ({ keyspace, ms: 1000, versions: 0, since: 0 }));
    let version = applyEdit(withSpaces, { retention, timeMarks: marks });
    version = applyEdit(version, {
      timeMarks: [
        { time: 5, sequence: 41 },
        { time: 50_000, sequence: 39 },
      ],
    });
    expect(version.timeMarks).toEqual(marks);
    const floors = [1, 2].map((keyspace) => ({ keyspace, sequence: 25 + keyspace * 3 }));
    version = applyEdit(version, { historyFloor: floors, timeMarks: [{ time: 50_000, sequence: 50 }] });
    expect(version.timeMarks.map((mark) => mark.sequence)).toEqual([20, 30, 40, 50]);
    const ended = retention.map((each) => ({ ...each, ms: 0 }));
    version = applyEdit(version, { retention: ended, timeMarks: [{ time: 60_000, sequence: 60 }] });
    expect(version.timeMarks.map((mark) => mark.sequence)).toEqual([60]);
  });

  test('is the same after its snapshot', () => {
    const random = new Random(72);
    let version = withSpaces;
    for (let number = 1; number < 40; number++)
      version = applyEdit(version, randomFlush(random, number, number * 5));
    version = applyEdit(version, {
      ...add(4, sampleFile(50, 'a', 'b')),
      syncedPosition: { segment: 1, offset: 2 },
    });
    expect(applyEdit(emptyVersion(), snapshotEdit(version))).toEqual(version);
  });
});

describe('looking for files', () => {
  test('finds those that share a key with a span, whatever its ends', () => {
    const random = new Random(73);
    const key = (n: number): string => n.toString().padStart(3, '0');
    for (let round = 0; round < 100; round++) {
      let at = 0;
      const files = Array.from({ length: random.below(8) }, (_, index) => {
        const low = at + random.below(4);
        const exclusive = random.oneIn(2);
        const high = low + random.below(5) + Number(exclusive);
        at = exclusive ? high : high + 1;
        return sampleFile(index + 1, key(low), key(high), { largestExclusive: exclusive });
      });
      const level = random.pick([0, 3]);
      const keyspace = applyEdit(withSpaces, add(level, ...files)).keyspaces.get(1)!;
      for (let i = 0; i < 20; i++) {
        const low = random.below(40);
        const span = {
          smallestKey: bytesOfText(key(low)),
          largestKey: random.oneIn(5) ? undefined : bytesOfText(key(low + 1 + random.below(6))),
          largestExclusive: random.oneIn(2),
        };
        const expected = keyspace.levels[level]!.filter((file) => spansOverlap(file, span));
        expect(filesOverlapping(keyspace, level, span)).toEqual(expected);
      }
    }
  });

  test('knows when nothing lies below a key', () => {
    const file = sampleFile(5, 'c', 'f', { largestExclusive: true });
    const keyspace = applyEdit(withSpaces, add(3, file)).keyspaces.get(1)!;
    expect(nothingBelow(keyspace, 2, bytesOfText('d'))).toBe(false);
    expect(nothingBelow(keyspace, 2, bytesOfText('f'))).toBe(true);
    expect(nothingBelow(keyspace, 3, bytesOfText('d'))).toBe(true);
    expect(nothingBelow(keyspace, 2, bytesOfText('b'))).toBe(true);
  });
});
