import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { FaultFs } from '../fs/fault-fs.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { ready } from '../sstable/checksum.ts';
import { compactionJob } from './compaction-job.ts';
import { flushJob } from './flush-job.ts';
import { DIRECTORY, finish, smallTables, TestTree } from './jobs.suite.ts';

const keyOf = (i: number): string => `k${String(i).padStart(2, '0')}`;

beforeAll(() => ready());

/** Random writes, snapshots, flushes and compactions; every state that may be read is compared after each job. */
function live(seed: number, steps: number, keepsHistory: boolean): { problems: string[]; files: number } {
  const random = new Random(seed);
  const tree = new TestTree();
  const problems: string[] = [];
  if (keepsHistory) tree.historyFloor = 0;
  for (let step = 0; step < steps; step++) {
    const move = random.below(100);
    const key = random.below(40);
    if (random.oneIn(3)) tree.time += random.below(3);
    if (move < 25) {
      const value = `${keyOf(key)}#${tree.sequence + 1}${'.'.repeat(random.below(60))}`;
      tree.putUntil(keyOf(key), tree.time + 1 + random.below(100), value);
    } else if (move < 55)
      tree.put(keyOf(key), `${keyOf(key)}#${tree.sequence + 1}${'.'.repeat(random.below(60))}`);
    else if (move < 70) tree.delete(keyOf(key));
    else if (move < 76) tree.deleteRange(keyOf(key), keyOf(key + 1 + random.below(15)));
    else if (move < 78) tree.registered = [...tree.registered, tree.sequence];
    else if (move < 80) tree.timed = [...tree.timed, { sequence: tree.sequence, time: tree.time }];
    else if (move < 84) {
      tree.registered = tree.registered.filter(() => !random.oneIn(3));
      tree.timed = tree.timed.filter(() => !random.oneIn(3));
    } else if (move < 87 && tree.memtables.length > 0) tree.rotate();
    else if (move < 93 && tree.memtables.length > 0) {
      tree.flush();
      problems.push(...tree.problems());
    } else if (move >= 93) {
      if (tree.historyFloor !== undefined) {
        tree.historyFloor += random.below(tree.sequence - tree.historyFloor + 1);
      }
      const full = [0, 1, 2].filter((level) => tree.levels[level]!.length > 0);
      if (full.length === 0) continue;
      const level = random.pick(full);
      tree.compact(level, random.below(tree.levels[level]!.length));
      problems.push(...tree.problems());
    }
  }
  return { problems, files: tree.levels.flat().length };
}

describe('flush and compaction', () => {
  test('leave every registered and the latest state as they were', () => {
    let made = 0;
    for (let seed = 1; seed <= 5; seed++) {
      const { problems, files } = live(seed, 400, false);
      expect(problems).toEqual([]);
      made += files;
    }
    expect(made).toBeGreaterThan(5);
  });

  test('leave every state at or above the history floor as it was', () => {
    for (let seed = 101; seed <= 104; seed++) expect(live(seed, 300, true).problems).toEqual([]);
  });

  test('leave nothing of what has expired for every reader, and all of what has not', () => {
    const tree = new TestTree();
    tree.table = { ...smallTables, tableBytesMax: 1024 * 1024 };
    for (let i = 0; i < 60; i++) tree.putUntil(keyOf(i), 10 + i);
    tree.time = 30;
    expect(tree.flush()).toMatchObject({ entriesIn: 60, entriesOut: 39, dropped: 21 });
    tree.timed = [{ sequence: tree.sequence, time: 35 }];
    tree.time = 50;
    expect(tree.compact(0, 0)).toMatchObject({ entriesIn: 39, entriesOut: 34 });
    expect(tree.problems()).toEqual([]);
    tree.timed = [];
    expect(tree.compact(1, 0).files[0]!.expiry).toEqual({
      expiring: 19,
      earliestExpiry: 51,
      latestExpiry: 69,
    });
    expect(tree.problems()).toEqual([]);
  });

  test('leave a delete where an expired entry hides an older one', () => {
    const tree = new TestTree();
    tree.put(keyOf(1));
    tree.flush();
    tree.compact(0, 0);
    tree.compact(1, 0);
    tree.putUntil(keyOf(1), 10);
    tree.time = 10;
    expect(tree.flush().files).toMatchObject([{ entries: 1, tombstones: 1 }]);
    expect(tree.found(tree.sequence)).toEqual([]);
    expect(tree.problems()).toEqual([]);
    tree.compact(0, 0);
    expect(tree.compact(1, 0)).toMatchObject({ entriesIn: 2, entriesOut: 0, files: [] });
  });

  test('split outputs between keys, never within one, and cut range tombstones there', () => {
    const tree = new TestTree();
    for (let i = 0; i < 60; i++) tree.put(keyOf(i), 'x'.repeat(50));
    tree.flush();
    tree.compact(0, 0);
    tree.registered = [tree.sequence];
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 60; i += 2) tree.put(keyOf(i), 'y'.repeat(50));
      tree.registered.push(tree.sequence);
    }
    tree.deleteRange(keyOf(3), keyOf(57));
    tree.flush();
    const { files } = tree.compact(0, 0);
    expect(tree.problems()).toEqual([]);
    expect(files.length).toBeGreaterThan(5);
    expect(files.filter((file) => file.rangeTombstones > 0).length).toBeGreaterThan(3);
  });

  test('a flush of nothing but range tombstones makes a table, and the last compaction of it makes none', () => {
    const tree = new TestTree();
    for (let i = 0; i < 10; i++) tree.put(keyOf(i));
    tree.flush();
    tree.compact(0, 0);
    tree.compact(1, 0);
    tree.deleteRange(keyOf(0), keyOf(30));
    const flushed = tree.flush();
    expect(flushed).toMatchObject({ entriesIn: 0, entriesOut: 0, dropped: 0 });
    expect(flushed.files).toMatchObject([{ entries: 0, rangeTombstones: 1, largestExclusive: true }]);
    expect(tree.problems()).toEqual([]);
    const moved = tree.compact(0, 0);
    expect(moved.files).toMatchObject([{ entries: 0, rangeTombstones: 1, largestExclusive: true }]);
    expect(tree.problems()).toEqual([]);
    const last = tree.compact(1, 0);
    expect(last.files).toEqual([]);
    expect(last.dropped).toBe(10);
    expect(tree.problems()).toEqual([]);
    expect(tree.found(tree.sequence)).toEqual([]);
  });

  test('a flush into an empty keyspace writes no deletes, and nothing at all when all was deleted', () => {
    const tree = new TestTree();
    tree.put('a');
    tree.put('b');
    tree.rotate();
    tree.delete('a');
    expect(tree.flush()).toMatchObject({ entriesIn: 3, entriesOut: 1, dropped: 2 });
    expect(tree.problems()).toEqual([]);
    const empty = new TestTree();
    empty.put('a');
    empty.deleteRange('a', 'z');
    empty.delete('q');
    expect(empty.flush()).toMatchObject({ files: [], dropped: 2, bytesWritten: 0 });
    expect(empty.problems()).toEqual([]);
  });

  test('an output ends before it overlaps too much of the level after the next', () => {
    const tree = new TestTree();
    tree.table = { ...tree.table, tableBytesMax: 1500 };
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 90; i++) tree.put(keyOf(i), 'x'.repeat(600));
      tree.flush();
      tree.compact(0, 0);
      if (round === 0) while (tree.levels[1]!.length > 0) tree.compact(1, 0);
    }
    tree.table = { ...tree.table, tableBytesMax: 1000 };
    for (let i = 0; i < 90; i += 9) tree.put(keyOf(i), 'y');
    tree.flush();
    const input = { ...tree.compactionInput(0, 0), inputs: [{ level: 0, files: tree.levels[0]! }] };
    const split = finish(compactionJob({ ...input, grandparents: tree.levels[2]! }, tree.env));
    const whole = finish(compactionJob({ ...input, grandparents: [] }, tree.env));
    expect(whole.files.length).toBe(1);
    expect(split.files.length).toBeGreaterThan(2);
  });

  test('report what they read and wrote', () => {
    const tree = new TestTree();
    for (let i = 0; i < 40; i++) tree.put(keyOf(i % 20), 'x'.repeat(100));
    const bytes = tree.memtables.reduce((sum, memtable) => sum + memtable.bytes, 0);
    const output = tree.flush();
    expect(output).toMatchObject({ bytesRead: bytes, entriesIn: 40, entriesOut: 20, dropped: 20 });
    expect(output.bytesWritten).toBe(output.files.reduce((sum, file) => sum + file.bytes, 0));
    expect(tree.compact(0, 0).bytesRead).toBe(output.bytesWritten);
  });

  test('pause often: no more than 200 entries between two yields', () => {
    const tree = new TestTree();
    for (let i = 0; i < 2_000; i++) tree.put(`key-${i}`);
    let pauses = 0;
    const job = flushJob(tree.flushInput(), tree.env);
    while (job.next().done !== true) pauses++;
    expect(pauses).toBeGreaterThanOrEqual(9);
  });
});

describe('a job that does not get to its end', () => {
  function prepared(fs: FaultFs): TestTree {
    const tree = new TestTree(fs);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 600; i++) tree.put(`key-${i}`, 'x'.repeat(40));
      tree.deleteRange('key-100', 'key-200');
      if (round === 0) tree.flush();
    }
    tree.table = { ...tree.table, tableBytesMax: 8_000 };
    return tree;
  }

  test('leaves no file behind, wherever it fails', () => {
    let failures = 0;
    for (const operations of [['create'], ['write'], ['sync'], ['syncDirectory'], ['read']] as const) {
      for (let skip = 0; skip < 6; skip++) {
        const fs = new FaultFs(new MemoryFs());
        const tree = prepared(fs);
        const before = fs.list(DIRECTORY);
        fs.add({ kind: 'EIO', operations, skip, times: 1 });
        try {
          finish(
            operations[0] === 'read'
              ? compactionJob(tree.compactionInput(0, 0), tree.env)
              : flushJob(tree.flushInput(), tree.env),
          );
        } catch (error) {
          failures++;
          expect(error).toMatchObject({ kind: 'io' });
          expect(fs.list(DIRECTORY)).toEqual(before);
        }
        fs.heal();
        expect(tree.found(tree.sequence)).toEqual(tree.expected(tree.sequence));
      }
    }
    expect(failures).toBeGreaterThan(15);
  });

  test('leaves no file behind when it is cancelled or closed at any pause', () => {
    const fs = new FaultFs(new MemoryFs());
    const tree = prepared(fs);
    const before = fs.list(DIRECTORY);
    for (let pause = 0; pause < 2; pause++) {
      let left = pause;
      const cancelled = flushJob(tree.flushInput(), { ...tree.env, cancelled: () => left-- <= 0 });
      expect(() => finish(cancelled)).toThrow('cancelled');
      expect(fs.list(DIRECTORY)).toEqual(before);
      const closed = compactionJob(tree.compactionInput(0, 0), tree.env);
      for (let i = 0; i <= pause; i++) closed.next();
      closed.return(undefined as never);
      expect(fs.list(DIRECTORY)).toEqual(before);
    }
  });

  test('refuses inputs that hold another number of entries than the manifest says', () => {
    const tree = prepared(new FaultFs(new MemoryFs()));
    const input = tree.compactionInput(0, 0);
    const files = input.inputs[0]!.files.map((file) => ({ ...file, entries: file.entries + 1 }));
    const job = compactionJob({ ...input, inputs: [{ level: 0, files }] }, tree.env);
    expect(() => finish(job)).toThrow('number of entries');
    expect(tree.fs.list(DIRECTORY).length).toBe(tree.levels.flat().length);
  });

  test('takes no number or name that was given out before', () => {
    const tree = prepared(new FaultFs(new MemoryFs()));
    const numbers = tree.flush().files.map((file) => file.number);
    expect(new Set([...numbers, ...tree.levels[0]!.map((file) => file.number)]).size).toBe(
      tree.levels[0]!.length,
    );
  });
});
