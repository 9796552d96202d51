import { describe, expect, test } from 'vitest';
import { KEY_BYTES_MAX } from '../base/entry.ts';
import { VarveError } from '../base/errors.ts';
import { putU32 } from '../base/fixed.ts';
import { EXPIRY_BYTES, expiryOf, withTtl } from '../base/expiry.ts';
import {
  KIND_BLOB,
  KIND_DELETE,
  KIND_MERGE,
  KIND_PUT,
  KIND_PUT_EXPIRY,
  KIND_RANGE_DELETE,
} from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { BatchBuffer, BatchReader, EncodedOperation } from './batch.ts';

const EMPTY = new Uint8Array(0);

interface Operation {
  kind: number;
  keyspaceId: number;
  key: Uint8Array;
  value: Uint8Array;
}

function add(batch: BatchBuffer, { kind, keyspaceId, key, value }: Operation): void {
  batch.add(kind, keyspaceId, key, value);
}

function readAll(bytes: Uint8Array, start: number, end: number): Operation[] {
  const reader = new BatchReader();
  reader.reset(bytes, start, end, { file: 'x.wal', offset: 7 });
  const found: Operation[] = [];
  while (reader.next()) {
    found.push({
      kind: reader.kind,
      keyspaceId: reader.keyspaceId,
      key: reader.bytes.slice(reader.keyStart, reader.keyEnd),
      value: reader.bytes.slice(reader.valueStart, reader.valueEnd),
    });
  }
  return found;
}

function randomOperation(random: Random): Operation {
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => random.below(256));
  const kind = random.pick([KIND_PUT, KIND_PUT_EXPIRY, KIND_DELETE, KIND_RANGE_DELETE]);
  const keyspaceId = random.pick([0, 1, 127, 128, 70_000, 2 ** 31, Number.MAX_SAFE_INTEGER]);
  const value = bytes(random.pick([0, 1, 100, 127, 128, 5000]));
  return {
    kind,
    keyspaceId,
    key: bytes(random.pick([0, 1, 16, 127, 128, 300])),
    value: kind === KIND_DELETE ? EMPTY : kind === KIND_PUT_EXPIRY ? withTtl(value, random.u32()) : value,
  };
}

test('every operation comes back as it was added, across growth and clear', () => {
  const random = new Random(1);
  const batch = new BatchBuffer();
  for (let round = 0; round < 50; round++) {
    const operations = Array.from({ length: random.below(20) }, () => randomOperation(random));
    for (const operation of operations) add(batch, operation);
    expect(batch.count).toBe(operations.length);
    expect(readAll(batch.bytes, 0, batch.length)).toEqual(operations);
    batch.clear();
    expect(readAll(batch.bytes, 0, batch.length)).toEqual([]);
  }
});

test('a batch is read in place at any offset', () => {
  const batch = new BatchBuffer();
  const operation = {
    kind: KIND_PUT,
    keyspaceId: 3,
    key: new Uint8Array([1, 2]),
    value: new Uint8Array([9]),
  };
  add(batch, operation);
  const shifted = new Uint8Array(batch.length + 20).fill(0xff);
  shifted.set(batch.bytes.subarray(0, batch.length), 11);
  expect(readAll(shifted, 11, 11 + batch.length)).toEqual([operation]);
});

test('an operation says where it lies, alone in a batch or at the end of one', () => {
  const operation = new EncodedOperation();
  const bytes = new Uint8Array(40);
  const end = operation.encodeBatch(bytes, 3, KIND_PUT, 1, new Uint8Array([1, 2]), new Uint8Array([6]));
  expect(end).toBe(operation.valueEnd);
  expect(operation.start).toBe(3);
  expect(bytes.slice(operation.keyStart, operation.keyEnd)).toEqual(new Uint8Array([1, 2]));
  expect(bytes.slice(operation.valueStart, operation.valueEnd)).toEqual(new Uint8Array([6]));
  expect(readAll(bytes, 3, end)).toEqual([
    { kind: KIND_PUT, keyspaceId: 1, key: new Uint8Array([1, 2]), value: new Uint8Array([6]) },
  ]);
  const batch = new BatchBuffer();
  batch.add(KIND_PUT, 1, new Uint8Array([1, 2]), new Uint8Array([6]));
  expect(batch.bytes.slice(0, batch.length)).toEqual(bytes.slice(3, end));
  batch.add(KIND_DELETE, 1, new Uint8Array([7]), EMPTY);
  expect(batch.bytes.slice(batch.last.keyStart, batch.last.keyEnd)).toEqual(new Uint8Array([7]));
});

test('a delete stores no value, whatever is passed', () => {
  const batch = new BatchBuffer();
  batch.add(KIND_DELETE, 1, new Uint8Array([1]), new Uint8Array(1000));
  expect(batch.length).toBe(4 + 1 + 1 + 1 + 1);
});

test('the memory of a huge batch is given back when it is cleared', () => {
  const batch = new BatchBuffer();
  const value = new Uint8Array(3 * 1024 * 1024);
  batch.add(KIND_PUT, 1, EMPTY, value);
  batch.clear();
  expect(batch.bytes.length).toBeLessThan(1024 * 1024);
});

describe('bytes that are no batch', () => {
  const batch = new BatchBuffer();
  const random = new Random(2);
  for (let i = 0; i < 8; i++) add(batch, randomOperation(random));
  const good = batch.bytes.slice(0, batch.length);

  test('every shorter range is corruption, or an earlier operation that does not fit', () => {
    for (let end = 0; end < good.length; end++) {
      expect(() => readAll(good, 0, end)).toThrow(expect.objectContaining({ kind: 'corruption' }));
    }
  });

  test('the error names the file and the offset of the record', () => {
    expect(() => readAll(good, 0, 3)).toThrow(
      expect.objectContaining({ code: 'CORRUPTION', context: { file: 'x.wal', offset: 7 } }),
    );
  });

  test('bytes behind the last operation are corruption', () => {
    const more = new Uint8Array(good.length + 1);
    more.set(good);
    expect(() => readAll(more, 0, more.length)).toThrow(expect.objectContaining({ kind: 'corruption' }));
  });

  test('a count that is too high is corruption', () => {
    const wrong = good.slice();
    putU32(wrong, 0, 9);
    expect(() => readAll(wrong, 0, wrong.length)).toThrow(expect.objectContaining({ kind: 'corruption' }));
  });

  test('a kind of a later release is refused by name', () => {
    const other = new BatchBuffer();
    add(other, { kind: KIND_BLOB, keyspaceId: 1, key: new Uint8Array([1]), value: EMPTY });
    expect(() => readAll(other.bytes, 0, other.length)).toThrow(
      expect.objectContaining({
        kind: 'invalid',
        code: 'UNSUPPORTED_KIND',
        message: expect.stringContaining('blob'),
      }),
    );
  });

  test('a merge without a whole list of operands is corruption', () => {
    for (const value of [EMPTY, Uint8Array.of(2, 65), Uint8Array.of(1, 65, 3)]) {
      const other = new BatchBuffer();
      add(other, { kind: KIND_MERGE, keyspaceId: 1, key: new Uint8Array([1]), value });
      expect(() => readAll(other.bytes, 0, other.length)).toThrow(
        expect.objectContaining({ kind: 'corruption', message: expect.stringContaining('operands') }),
      );
    }
  });

  test('an oversized key or range end is corruption', () => {
    const long = new Uint8Array(KEY_BYTES_MAX + 1);
    for (const [key, value] of [
      [long, EMPTY],
      [EMPTY, long],
    ] as const) {
      const other = new BatchBuffer();
      add(other, { kind: KIND_RANGE_DELETE, keyspaceId: 1, key, value });
      expect(() => readAll(other.bytes, 0, other.length)).toThrow(
        expect.objectContaining({ kind: 'corruption' }),
      );
    }
  });

  test('random changes never do anything but decode or throw a VarveError', () => {
    for (let i = 0; i < 5000; i++) {
      const wrong = good.slice();
      wrong[random.below(wrong.length)] = random.below(256);
      try {
        readAll(wrong, 0, wrong.length);
      } catch (error) {
        expect(error).toBeInstanceOf(VarveError);
      }
    }
  });
});

test('times to live become expiries when the batch is stamped, and others when it is stamped again', () => {
  const batch = new BatchBuffer();
  const key = new Uint8Array([1]);
  batch.add(KIND_PUT, 1, key, new Uint8Array(20));
  expect(batch.stamp(1000)).toBe(false);
  for (const ttlMs of [5, 70_000, Number.MAX_SAFE_INTEGER]) {
    batch.add(KIND_PUT_EXPIRY, 1, key, withTtl(new Uint8Array([9]), ttlMs));
  }
  const expiries = (): number[] =>
    readAll(batch.bytes, 0, batch.length)
      .filter(({ kind }) => kind === KIND_PUT_EXPIRY)
      .map(({ value }) => {
        expect(value.length).toBe(EXPIRY_BYTES + 1);
        return expiryOf(value, 0);
      });
  expect(expiries()).toEqual([5, 70_000, Number.MAX_SAFE_INTEGER]);
  expect(batch.stamp(1_700_000_000_000)).toBe(true);
  expect(expiries()).toEqual([1_700_000_000_005, 1_700_000_070_000, Number.MAX_SAFE_INTEGER]);
  batch.stamp(1_700_000_000_001);
  expect(expiries()[0]).toBe(1_700_000_000_006);
  batch.clear();
  expect(batch.stamp(1)).toBe(false);
});

test('a put with expiry whose value is too short for one, or whose expiry can not be, is corruption', () => {
  for (const value of [new Uint8Array(0), new Uint8Array(7), new Uint8Array(8).fill(255)]) {
    const batch = new BatchBuffer();
    batch.add(KIND_PUT, 1, new Uint8Array([1]), value);
    // The kind is the first byte behind the count.
    batch.bytes[4] = KIND_PUT_EXPIRY;
    expect(() => readAll(batch.bytes, 0, batch.length)).toThrow(
      expect.objectContaining({ code: 'CORRUPTION', context: { file: 'x.wal', offset: 7 } }),
    );
  }
});

test('a buffer that would pass its limit refuses the operation and keeps what it has', () => {
  const batch = new BatchBuffer(64, 4096);
  for (let i = 0; i < 3; i++) batch.add(KIND_PUT, 1, Uint8Array.of(i), new Uint8Array(1000));
  const { length } = batch;
  expect(() => batch.add(KIND_PUT, 1, Uint8Array.of(3), new Uint8Array(1500))).toThrow(
    expect.objectContaining({ code: 'BATCH_TOO_LARGE', kind: 'invalid' }) as Error,
  );
  expect([batch.length, batch.count]).toEqual([length, 3]);
  batch.add(KIND_PUT, 1, Uint8Array.of(3), new Uint8Array(900));
  expect(batch.count).toBe(4);
});

test('what is kept of a buffer or a reader that is done with keeps no large memory', () => {
  const batch = new BatchBuffer();
  batch.add(KIND_PUT, 1, Uint8Array.of(1), new Uint8Array(4 * 1024 * 1024));
  const reader = new BatchReader();
  reader.reset(batch.bytes, 0, batch.length, undefined);
  expect(reader.next()).toBe(true);
  batch.clear();
  reader.release();
  expect(batch.bytes.length).toBeLessThan(1024 * 1024);
  expect(batch.last.bytes).toBe(batch.bytes);
  expect(reader.bytes).toHaveLength(0);
});
