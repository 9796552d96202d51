import { expect, test } from 'vitest';
import { sampleFile, sampleKeyspace } from '../manifest/samples.suite.ts';
import { applyEdit, emptyVersion, type KeyspaceVersion } from '../manifest/version.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import { deepestLevelFor } from './placement.ts';
import { RunningSet } from './running-set.ts';

function keyspaceOf(...files: (readonly [level: number, file: FileMeta])[]): KeyspaceVersion {
  const created = applyEdit(emptyVersion(), { keyspacesCreated: [sampleKeyspace(1)] });
  const addedFiles = files.map(([level, file]) => ({ keyspace: 1, level, file }));
  return applyEdit(created, { addedFiles }).keyspaces.get(1)!;
}

const none = new RunningSet();

test('a table goes to the deepest level above which nothing overlaps it', () => {
  const keyspace = keyspaceOf(
    [0, sampleFile(1, 'a', 'c')],
    [3, sampleFile(2, 'f', 'h')],
    [6, sampleFile(3, 'a', 'z')],
  );
  const level = (smallest: string, largest: string): number =>
    deepestLevelFor(keyspace, none, sampleFile(9, smallest, largest));
  expect(level('b', 'b')).toBe(0);
  expect(level('c', 'g')).toBe(0);
  expect(level('g', 'g')).toBe(2);
  expect(level('d', 'e')).toBe(5);
  expect(level('zz', 'zzz')).toBe(6);
  expect(deepestLevelFor(keyspaceOf(), none, sampleFile(9, 'a', 'z'))).toBe(6);
});

test('the end of a range tombstone that is no key of the file does not count', () => {
  const keyspace = keyspaceOf([2, sampleFile(1, 'a', 'c', { largestExclusive: true })]);
  expect(deepestLevelFor(keyspace, none, sampleFile(9, 'c', 'd'))).toBe(6);
});

test('above the first level of every plan that is at work on its keys', () => {
  const upper = sampleFile(1, 'a', 'c');
  const keyspace = keyspaceOf([4, upper]);
  const running = new RunningSet();
  running.add({
    kind: 'merge',
    inputs: [{ level: 4, files: [upper] }],
    outputLevel: 5,
    span: {
      smallestKey: upper.smallestKey,
      largestKey: sampleFile(2, 'a', 'k').largestKey,
      largestExclusive: false,
    },
  });
  expect(deepestLevelFor(keyspace, running, sampleFile(9, 'e', 'f'))).toBe(3);
  expect(deepestLevelFor(keyspace, running, sampleFile(9, 'l', 'm'))).toBe(6);
  const fromTop = new RunningSet();
  fromTop.add({
    kind: 'merge',
    inputs: [{ level: 0, files: [upper] }],
    outputLevel: 6,
    span: { smallestKey: upper.smallestKey, largestKey: upper.largestKey, largestExclusive: false },
  });
  expect(deepestLevelFor(keyspaceOf(), fromTop, sampleFile(9, 'b', 'b'))).toBe(0);
});
