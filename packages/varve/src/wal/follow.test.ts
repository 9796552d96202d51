import { expect, test } from 'vitest';
import { MemoryFs } from '../fs/memory-fs.ts';
import { LogFollower } from './follow.ts';
import { appendSome, DIRECTORY, LogBench } from './log.suite.ts';

const MUCH = 2 ** 30;

interface Following {
  readonly follower: LogFollower;
  /** Sequences that were applied. */
  readonly sequences: number[];
}

/** A follower that begins where a replay of the bench ends. */
function follow(bench: LogBench): Following {
  const sequences: number[] = [];
  const take = (sequence: number): void => void sequences.push(sequence);
  const { report } = bench.recover();
  const follower = new LogFollower(bench.fs, DIRECTORY, report, {
    batch: take,
    keyspaceChange: take,
    prepared: take,
    decision: take,
    ingestion: take,
  });
  return { follower, sequences };
}

const upTo = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

function small(segmentBytes = 600): LogBench {
  const bench = new LogBench(new MemoryFs());
  bench.settings = { segmentBytes };
  return bench;
}

test('goes on from segment to segment, as the log does', () => {
  const bench = small();
  const log = bench.open();
  const { follower, sequences } = follow(bench);
  expect(follower.advance(1, MUCH)).toBe('end');
  expect(follower.isBegun).toBe(false);
  for (let count = 1; count <= 9; count++) {
    appendSome(log, count);
    log.handOver();
    expect(follower.advance(1, MUCH)).toBe('end');
    expect(sequences).toEqual(upTo(1, log.lastSequence));
    expect(follower.position).toEqual(log.end);
  }
  expect(log.segments().length).toBeGreaterThan(5);
  expect(follower.batches).toBe(log.lastSequence);
});

test('a record that is there in part is not there yet, at every byte', () => {
  const bench = small(1024 ** 2);
  const log = bench.open();
  appendSome(log, 3);
  log.handOver();
  const { follower, sequences } = follow(bench);
  const { segment, offset } = follower.position;
  appendSome(log, 1);
  log.handOver();
  const bytes = bench.read(segment);
  for (let end = offset; end < bytes.length; end++) {
    bench.write(segment, bytes.slice(0, end));
    expect(follower.advance(1, MUCH)).toBe('end');
    expect(follower.position).toEqual({ segment, offset });
  }
  bench.write(segment, bytes);
  follower.advance(1, MUCH);
  expect(sequences).toEqual([4]);
});

test('a record that is larger than what is read at a time is applied whole', () => {
  const bench = small(8 * 1024 ** 2);
  const log = bench.open();
  appendSome(log, 1);
  log.handOver();
  const { follower, sequences } = follow(bench);
  appendSome(log, 1, 3_000_000);
  appendSome(log, 2);
  log.handOver();
  expect(follower.advance(1, MUCH)).toBe('end');
  expect(sequences).toEqual([2, 3, 4]);
  expect(follower.position).toEqual(log.end);
});

test('stops when its budget is used up, and goes on', () => {
  const bench = small(1024 ** 2);
  const log = bench.open();
  const { follower, sequences } = follow(bench);
  appendSome(log, 20, 100_000);
  log.handOver();
  let steps = 1;
  while (follower.advance(1, 300_000) === 'more') steps++;
  expect(steps).toBeGreaterThan(4);
  expect(sequences).toEqual(upTo(1, 20));
});

test('a sink that throws gets the same record again', () => {
  const bench = small();
  const log = bench.open();
  const sequences: number[] = [];
  let isFull = true;
  const take = (sequence: number): void => {
    if (sequence === 2 && isFull) throw new Error('no room');
    sequences.push(sequence);
  };
  const follower = new LogFollower(bench.fs, DIRECTORY, bench.recover().report, {
    batch: take,
    keyspaceChange: take,
    prepared: take,
    decision: take,
    ingestion: take,
  });
  appendSome(log, 3);
  log.handOver();
  expect(() => follower.advance(1, MUCH)).toThrow('no room');
  isFull = false;
  expect(follower.advance(1, MUCH)).toBe('end');
  expect(sequences).toEqual([1, 2, 3]);
});

test('segments that went unread are a gap, until it is told that they are not needed', () => {
  const bench = small();
  const log = bench.open();
  appendSome(log, 2);
  log.handOver();
  const { follower, sequences } = follow(bench);
  appendSome(log, 20);
  log.syncNow();
  const kept = log.segments().at(-1)!;
  for (const path of log.release(kept.firstSequence - 1, kept.number)) bench.fs.remove(path);
  // The next segments are files that were read in part or never.
  appendSome(log, 10);
  log.handOver();
  expect(follower.advance(1, MUCH)).toBe('gap');
  expect(follower.advance(1, MUCH)).toBe('gap');
  expect(sequences).toEqual([]);
  follower.skipTo(kept.number);
  expect(follower.advance(1, MUCH)).toBe('end');
  expect(sequences).toEqual(upTo(kept.firstSequence, log.lastSequence));
  // An older word of the manifest changes nothing.
  follower.skipTo(kept.number);
  expect(follower.position).toEqual(log.end);
});

test('does not step over a segment that is missing in the middle', () => {
  const bench = small();
  const log = bench.open();
  appendSome(log, 2);
  log.handOver();
  const { follower, sequences } = follow(bench);
  appendSome(log, 20);
  log.handOver();
  const [first, second] = log.segments();
  bench.fs.remove(bench.path(second!.number));
  expect(follower.advance(1, MUCH)).toBe('gap');
  expect(sequences).toEqual(upTo(3, first!.lastSequence));
});

test('a segment of a later incarnation is a gap', () => {
  const bench = small();
  const log = bench.open();
  appendSome(log, 2);
  log.handOver();
  const { follower, sequences } = follow(bench);
  const successor = bench.open(bench.recover().report);
  appendSome(successor, 2);
  successor.handOver();
  expect(follower.advance(1, MUCH)).toBe('gap');
  expect(follower.advance(2, MUCH)).toBe('end');
  expect(sequences).toEqual([3, 4]);
});
