import { describe, expect, test } from 'vitest';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import { bytesOfText, sampleFile, sampleKeyspace } from '../manifest/samples.suite.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import { applyEdit, emptyVersion, type KeyspaceVersion } from '../manifest/version.ts';
import { coverOfSpan, pickCovered } from './covered.ts';
import { Readers } from './drop.ts';
import { filesOf } from './plan.ts';
import { RunningSet } from './running-set.ts';

const ALL = Number.MAX_SAFE_INTEGER;

/** `a-c@5 c-f@7`: [a, c) deleted at 5, and so on. */
function tombstones(text: string): FragmentedTombstones {
  return FragmentedTombstones.build(
    text.split(' ').map((each) => {
      const [, start, end, sequence] = /^(\w+)-(\w+)@(\d+)$/.exec(each)!;
      return { start: bytesOfText(start!), end: bytesOfText(end!), sequence: Number(sequence) };
    }),
  );
}

const span = (smallest: string, largest: string, largestExclusive = false): FileMeta =>
  sampleFile(1, smallest, largest, { largestExclusive });

describe('the cover of a span', () => {
  test.each([
    ['one tombstone from before the first to behind the last key', 'a-z@5', span('b', 'y'), ALL, 5],
    ['a tombstone that begins at the first key', 'b-z@5', span('b', 'y'), ALL, 5],
    ['a tombstone that begins behind the first key', 'c-z@5', span('b', 'y'), ALL, 0],
    ['a tombstone that ends at the last key, which is in', 'a-y@5', span('b', 'y'), ALL, 0],
    ['a tombstone that ends at the last key, which is out', 'a-y@5', span('b', 'y', true), ALL, 5],
    ['a tombstone that ends right behind the last key', 'a-yy@5', span('b', 'y'), ALL, 5],
    ['neighbours that touch', 'a-m@5 m-z@9', span('b', 'y'), ALL, 5],
    ['neighbours with a gap', 'a-m@5 mm-z@9', span('b', 'y'), ALL, 0],
    ['a gap before the span', 'a-aa@2 b-z@9', span('b', 'y'), ALL, 9],
    ['a gap behind the span', 'a-yy@5 z-zz@3', span('b', 'y'), ALL, 5],
    ['several over one key: the newest counts', 'a-z@5 a-z@8', span('b', 'y'), ALL, 8],
    ['a newer one over a part', 'a-z@5 c-d@8', span('b', 'y'), ALL, 5],
    ['one key', 'b-bb@5', span('b', 'b'), ALL, 5],
    ['one that the reader does not see', 'a-z@5', span('b', 'y'), 4, 0],
    ['the newest that the reader sees', 'a-z@5 a-z@8', span('b', 'y'), 7, 5],
    ['a part that only newer ones cover than the reader sees', 'a-m@3 m-z@10', span('b', 'y'), 5, 0],
  ])('%s', (_, text, file, reader, cover) => {
    expect(coverOfSpan(tombstones(text), file, reader)).toBe(cover);
  });

  test('of no tombstones is none', () => {
    expect(coverOfSpan(FragmentedTombstones.none, span('a', 'b'), ALL)).toBe(0);
  });
});

/** A table of level 6 with keys b to y written at 1 and 2, and above it one with these tombstones. */
function covered(text: string): { keyspace: KeyspaceVersion; pick(registered: number[]): number[] } {
  const above = tombstones(text);
  const old = sampleFile(1, 'b', 'y', { smallestSequence: 1, largestSequence: 2 });
  const upper = sampleFile(2, 'a', 'zz', {
    rangeTombstones: above.count,
    smallestSequence: above.smallestSequence,
    largestSequence: above.largestSequence,
  });
  const keyspace = applyEdit(emptyVersion(), {
    keyspacesCreated: [sampleKeyspace(1)],
    addedFiles: [
      { keyspace: 1, level: 6, file: old },
      { keyspace: 1, level: 0, file: upper },
    ],
  }).keyspaces.get(1)!;
  const pick = (registered: number[]): number[] => {
    const readers = (smallest: number): Readers => new Readers(registered, 100, smallest, 0);
    const plan = pickCovered(keyspace, new RunningSet(), readers, () => above);
    return plan === undefined ? [] : filesOf(plan).map(({ number }) => number);
  };
  return { keyspace, pick };
}

describe('what is covered', () => {
  test('goes when nobody reads between it and what covers it', () => {
    const { pick } = covered('a-z@5');
    expect([pick([]), pick([5]), pick([4]), pick([2]), pick([1]), pick([4, 7])]).toEqual([
      [1],
      [1],
      [],
      [],
      [],
      [],
    ]);
  });

  test('stays when a reader sees the tombstones of a part only, whichever part that is', () => {
    expect(covered('a-m@3 m-z@10').pick([5])).toEqual([]);
    expect(covered('a-m@10 m-z@3').pick([5])).toEqual([]);
    expect(covered('a-m@3 m-z@10').pick([10])).toEqual([1]);
  });

  test('goes for a reader who sees an older one of two tombstones', () => {
    expect(covered('a-z@4 a-z@10').pick([5])).toEqual([1]);
  });

  test('stays while a running plan has it', () => {
    const { keyspace } = covered('a-z@5');
    const running = new RunningSet();
    running.add({
      kind: 'merge',
      inputs: [{ level: 6, files: keyspace.levels[6]! }],
      outputLevel: 6,
      span: keyspace.levels[6]![0]!,
    });
    const readers = (smallest: number): Readers => new Readers([], 100, smallest, 0);
    expect(pickCovered(keyspace, running, readers, () => tombstones('a-z@5'))).toBeUndefined();
  });

  test('is not what was written at or after the tombstone', () => {
    expect(covered('a-z@2').pick([])).toEqual([]);
    expect(covered('a-z@1').pick([])).toEqual([]);
  });
});
