import { beforeAll, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { SEQUENCE_MAX } from '../base/entry.ts';
import { BlockCache } from '../cache/block-cache.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { ready } from './checksum.ts';
import { type ColdAttempt, ColdReads, type Piece, type WantedPiece } from './cold-reads.ts';
import { readPieces, type ReadPiecesInput } from './read-pieces.ts';
import { TableReader } from './reader.ts';
import type { TableIterator } from './table-iterator.ts';
import { type AheadRun, TableWindows } from './table-window.ts';
import { bytesOf, buildTable, current, drain, type Entry, put, sameEntries } from './table.suite.ts';

beforeAll(ready);

const COUNT = 20_000;
const entries: Entry[] = Array.from({ length: COUNT }, (_, i) =>
  put(`key ${String(i).padStart(6, '0')}`, 7, `${i} ${'v'.repeat(i % 90)}`),
);

/** A table that is walked while other threads read it: here the test reads what is ordered, when it says so. */
class Walk implements ColdAttempt {
  readonly cold = new ColdReads();
  readonly windows: TableWindows;
  readonly table: TableReader;
  readonly iterator: TableIterator;
  readonly fs = new MemoryFs();
  orders: AheadRun[] = [];
  ended = 0;
  calledOff = 0;
  ordered = 0;
  orderedBytes = 0;
  /** Pieces that were wanted though no window has ordered them. */
  singles = 0;
  #wanted: WantedPiece[] = [];
  readonly #isReverse: boolean;
  readonly #extra = new Map<number, Piece>();

  constructor(isReverse: boolean, cacheBytes = 0) {
    this.#isReverse = isReverse;
    buildTable(this.fs, '/t', entries, { blockBytes: 512, compression: 'lz4' });
    this.windows = new TableWindows(isReverse, 8 * 1024 * 1024, {
      order: (run) => {
        this.ordered++;
        for (const { length } of run.pieces) this.orderedBytes += length;
        this.orders.push(run);
      },
      callOff: (run) => {
        this.calledOff++;
        this.orders = this.orders.filter((other) => other !== run);
      },
      ended: () => this.ended++,
    });
    this.table = TableReader.open({
      fs: this.fs,
      path: '/t',
      fileNumber: 3,
      cold: this.cold,
      ...(cacheBytes === 0 ? {} : { cache: new BlockCache(cacheBytes) }),
    });
    this.iterator = this.table.iterator({ ahead: this.windows });
  }

  find(file: number, offset: number): Piece | undefined {
    return this.windows.find(file, offset) ?? this.#extra.get(offset);
  }

  want(piece: WantedPiece): void {
    this.#wanted.push(piece);
  }

  /** To the next entry in the direction of the walk; after an error an iterator is positioned anew, as cursors do it. */
  move(): void {
    const { iterator } = this;
    const key = current(iterator)!.key;
    if (this.#isReverse) {
      this.step(
        () => iterator.prev(),
        () => iterator.seekBefore(key, 0, key.length),
      );
      return;
    }
    this.step(
      () => iterator.next(),
      () => {
        iterator.seek(key, 0, key.length, SEQUENCE_MAX);
        iterator.next();
      },
    );
  }

  /** Makes a step; reads what it lacks, and makes it `again`. */
  step(move: () => void, again: () => void = move): void {
    for (let tries = 0; ; tries++) {
      if (tries > 10) throw new Error('the step gets no further');
      this.#wanted = [];
      if (this.cold.try(this, tries === 0 ? move : again)) break;
      for (const piece of this.#wanted) {
        if (this.windows.arrivalOf(3, piece.offset) !== undefined) continue;
        this.singles++;
        this.#extra.set(piece.offset, this.#read([piece])[0]!);
      }
      this.deliver();
    }
  }

  deliver(): void {
    for (const run of this.orders.splice(0)) run.arrived(this.#read(run.pieces, run.memory));
  }

  #read(pieces: readonly WantedPiece[], into?: Uint8Array): Piece[] {
    const input: ReadPiecesInput = {
      reads: 'pread',
      tables: [{ path: '/t', uniqueId: this.table.uniqueId }],
      tableOf: new Uint32Array(pieces.length),
      offsets: Float64Array.from(pieces, ({ offset }) => offset),
      lengths: Uint32Array.from(pieces, ({ length }) => length),
      types: Uint8Array.from(pieces, ({ type }) => type),
      into,
    };
    const { memory, memoryOf, starts, lengths } = drain(
      readPieces(input, { fs: this.fs, cancelled: () => false }),
    );
    return pieces.map((_, i) => ({
      bytes: memory[memoryOf[i]!]!,
      start: starts[i]!,
      length: lengths[i]!,
      isFailed: false,
      fileBytes: 0,
    }));
  }
}

for (const cacheBytes of [0, 256 * 1024, 16 * 1024 * 1024]) {
  test(`a walk forward finds every entry, with a cache of ${cacheBytes} bytes`, () => {
    const walk = new Walk(false, cacheBytes);
    const seen: Entry[] = [];
    walk.step(() => walk.iterator.first());
    for (; walk.iterator.valid; walk.move()) seen.push(current(walk.iterator)!);
    expect(sameEntries(seen, entries)).toBe(true);
    expect(walk.ended).toBe(1);
    expect(walk.singles).toBeLessThan(8);
  });

  test(`a walk back finds every entry, with a cache of ${cacheBytes} bytes`, () => {
    const walk = new Walk(true, cacheBytes);
    const seen: Entry[] = [];
    walk.step(() => walk.iterator.last());
    for (; walk.iterator.valid; walk.move()) seen.push(current(walk.iterator)!);
    expect(sameEntries(seen.reverse(), entries)).toBe(true);
    expect(walk.ended).toBe(1);
    expect(walk.singles).toBeLessThan(8);
  });
}

test('when all is in the cache nothing is ordered', () => {
  const walk = new Walk(false, 16 * 1024 * 1024);
  for (let round = 0; round < 2; round++) {
    walk.ordered = 0;
    walk.windows.close();
    walk.step(() => walk.iterator.first());
    while (walk.iterator.valid) walk.move();
  }
  expect(walk.ordered).toBe(0);
});

test('a short walk orders little, a long one more at once', () => {
  const walk = new Walk(false);
  walk.step(() => walk.iterator.seek(bytesOf('key 004000'), 0, 10, SEQUENCE_MAX));
  for (let i = 0; i < 20; i++) walk.move();
  expect(walk.orderedBytes).toBeLessThan(40_000);
  for (let i = 0; i < 12_000; i++) walk.move();
  expect(walk.ordered).toBeLessThan(30);
});

test('jumps here and there give what the table holds', () => {
  const random = new Random(5);
  for (const isReverse of [false, true]) {
    const walk = new Walk(isReverse, 64 * 1024);
    for (let jump = 0; jump < 60; jump++) {
      let at = random.below(COUNT);
      const key = entries[at]!.key;
      walk.step(() => walk.iterator.seek(key, 0, key.length, SEQUENCE_MAX));
      for (let i = random.below(300); i >= 0 && walk.iterator.valid; i--) {
        expect(sameEntries([current(walk.iterator)!], [entries[at]!])).toBe(true);
        at += isReverse ? -1 : 1;
        walk.move();
      }
    }
  }
});

test('leaving a table calls off what is on its way', () => {
  const walk = new Walk(false);
  walk.step(() => walk.iterator.first());
  for (let i = 0; i < 200; i++) walk.move();
  walk.windows.leave(3);
  expect(walk.orders).toEqual([]);
  expect(walk.calledOff).toBeGreaterThan(0);
});
