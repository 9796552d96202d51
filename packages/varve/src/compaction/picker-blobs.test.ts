/** What is compacted to empty blob files of which too little is live. */
import { expect, test } from 'vitest';
import type { BlobMeta } from '../manifest/blob-meta.ts';
import { sampleFile, sampleKeyspace } from '../manifest/samples.suite.ts';
import { applyEdit, emptyVersion, type KeyspaceVersion } from '../manifest/version.ts';
import { blobsToEmpty, pickBlobs } from './picker-blobs.ts';
import { formatPlan } from './picker.suite.ts';
import { brokenRule } from './plan-rules.ts';
import { RunningSet } from './running-set.ts';

const blob = (number: number): BlobMeta => ({
  number,
  bytes: 1064,
  records: 10,
  recordBytes: 1000,
  uniqueId: new Uint8Array(16).fill(number),
});

/** Tables as `[level, number, smallest, largest, uses]`; uses are bytes by blob file. */
type Table = readonly [level: number, number: number, from: string, to: string, uses: Record<number, number>];

function keyspaceOf(blobs: readonly number[], tables: readonly Table[]): KeyspaceVersion {
  const edit = {
    keyspacesCreated: [sampleKeyspace(1)],
    addedBlobs: blobs.map((number) => ({ keyspace: 1, blob: blob(number) })),
    addedFiles: tables.map(([level, number, from, to, uses]) => ({
      keyspace: 1,
      level,
      file: sampleFile(number, from, to, {
        blobs: Object.entries(uses).map(([of, bytes]) => ({ number: Number(of), bytes, entries: 1 })),
      }),
    })),
  };
  return applyEdit(emptyVersion(), edit).keyspaces.get(1)!;
}

const settings = { tableBytes: () => 1000, unreadable: new Set<number>() };

function picked(keyspace: KeyspaceVersion, running = new RunningSet(), unreadable: number[] = []): string {
  const plan = pickBlobs(keyspace, running, { ...settings, unreadable: new Set(unreadable) });
  return plan === undefined ? 'nothing' : formatPlan(plan);
}

test('nothing, as long as half of every blob file is live', () => {
  expect(picked(keyspaceOf([], []))).toBe('nothing');
  expect(picked(keyspaceOf([71], [[6, 1, 'a', 'c', { 71: 500 }]]))).toBe('nothing');
});

test('the tables that refer to the file of which the least is live, where they are', () => {
  const keyspace = keyspaceOf(
    [71, 72],
    [
      [5, 1, 'a', 'c', { 71: 499 }],
      [6, 2, 'a', 'c', {}],
      [6, 3, 'd', 'f', { 72: 100 }],
      [6, 4, 'g', 'k', { 71: 0 }],
    ],
  );
  expect(picked(keyspace)).toBe('merge L6[3 4] -> L6  reason=blob-space score=0.90');
  expect(blobsToEmpty(keyspace, settings).map(({ number }) => number)).toEqual([72, 71]);
});

test('with neighbours that refer to any file that is due, up to eight tables worth', () => {
  const tables = Array.from({ length: 12 }, (_, i): Table => {
    const letter = String.fromCharCode(97 + i);
    return [6, i + 1, letter, letter, i < 2 ? {} : { 71: 10 }];
  });
  expect(picked(keyspaceOf([71], tables))).toMatch(/^merge L6\[3 4 5 6 7 8 9 10\] -> L6 /);
});

test('a neighbour that refers to nothing that is due ends the plan', () => {
  const keyspace = keyspaceOf(
    [71, 72],
    [
      [6, 1, 'a', 'a', { 71: 10 }],
      [6, 2, 'b', 'b', { 72: 900 }],
      [6, 3, 'c', 'c', { 71: 10 }],
    ],
  );
  expect(picked(keyspace)).toMatch(/^merge L6\[1\] -> L6 /);
});

test('what runs is left alone, and other tables of the file are taken meanwhile', () => {
  const keyspace = keyspaceOf(
    [71],
    [
      [6, 1, 'a', 'a', { 71: 10 }],
      [6, 2, 'm', 'm', {}],
      [6, 3, 'z', 'z', { 71: 10 }],
    ],
  );
  const running = new RunningSet();
  running.add(pickBlobs(keyspace, running, settings)!);
  expect(picked(keyspace, running)).toMatch(/^merge L6\[3\] -> L6 /);
  running.add(pickBlobs(keyspace, running, settings)!);
  expect(picked(keyspace, running)).toBe('nothing');
});

test('in level 0 what was written together', () => {
  const keyspace = keyspaceOf(
    [71],
    [
      [0, 1, 'a', 'c', {}],
      [0, 2, 'a', 'c', { 71: 10 }],
      [0, 3, 'a', 'c', {}],
    ],
  );
  const plan = pickBlobs(keyspace, new RunningSet(), settings)!;
  expect(formatPlan(plan)).toBe('merge L0[2] -> L0  reason=blob-space score=0.99');
  expect(brokenRule(keyspace, plan)).toBeUndefined();
});

test('a file that can not be read stays', () => {
  expect(picked(keyspaceOf([71], [[6, 1, 'a', 'a', { 71: 10 }]]), new RunningSet(), [71])).toBe('nothing');
});
