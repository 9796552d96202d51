import { expect, test } from 'vitest';

import { VarveError } from '../base/errors.ts';
import { Random } from '../base/random.ts';
import {
  compressRange,
  expandRange,
  TRANSFORM_LZ4,
  TRANSFORM_NONE,
  TRANSFORM_ZSTD,
  transformName,
  writableTransform,
  zstdContentSize,
} from './compression.ts';

const compressible = new TextEncoder().encode('sediment '.repeat(600));
const where = { file: 'a.sst', offset: 7 };

function expand(transform: number, bytes: Uint8Array, rawLength: number): Uint8Array {
  return expandRange(transform, bytes, 0, bytes.length, rawLength, where.file, where.offset);
}

function errorOf(run: () => unknown): VarveError {
  try {
    run();
  } catch (error) {
    if (error instanceof VarveError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

test.each([TRANSFORM_LZ4, TRANSFORM_ZSTD])('transform %i gives back what it took', (transform) => {
  const packed = compressRange(transform, compressible, 0, compressible.length)!;
  expect(packed.length).toBeLessThan(compressible.length / 4);
  expect([...expand(transform, packed, compressible.length)]).toEqual([...compressible]);
});

test('a range in the middle of an array is compressed alone', () => {
  const packed = compressRange(TRANSFORM_LZ4, compressible, 90, 1090)!;
  expect([...expand(TRANSFORM_LZ4, packed, 1000)]).toEqual([...compressible.subarray(90, 1090)]);
});

test('bytes that do not shrink by an eighth are left as they are', () => {
  const random = new Random(3);
  const noise = Uint8Array.from({ length: 4096 }, () => random.u32());
  expect(compressRange(TRANSFORM_LZ4, noise, 0, noise.length)).toBeUndefined();
  expect(compressRange(TRANSFORM_ZSTD, noise, 0, noise.length)).toBeUndefined();
  expect(compressRange(TRANSFORM_NONE, compressible, 0, compressible.length)).toBeUndefined();
});

test.each([TRANSFORM_LZ4, TRANSFORM_ZSTD])(
  'damaged bytes of transform %i are corruption or harmless',
  (transform) => {
    const packed = compressRange(transform, compressible, 0, compressible.length)!.slice();
    const random = new Random(transform);
    for (let round = 0; round < 200; round++) {
      const damaged = packed.slice(0, random.oneIn(4) ? random.below(packed.length) : packed.length);
      if (damaged.length > 0) damaged[random.below(damaged.length)]! ^= 1 << random.below(8);
      let got: Uint8Array | undefined;
      try {
        got = expand(transform, damaged, compressible.length);
      } catch (error) {
        expect(error).toMatchObject({ kind: 'corruption', context: where });
      }
      if (got !== undefined) expect(got.length).toBe(compressible.length);
    }
    // The codec works on after its failures.
    expect(expand(transform, packed, compressible.length).length).toBe(compressible.length);
  },
);

test.each([TRANSFORM_LZ4, TRANSFORM_ZSTD])(
  'another length than stated is corruption (transform %i)',
  (transform) => {
    const packed = compressRange(transform, compressible, 0, compressible.length)!.slice();
    for (const length of [0, 1, compressible.length - 1, compressible.length + 1]) {
      expect(errorOf(() => expand(transform, packed, length)).kind).toBe('corruption');
    }
  },
);

test('a transform of a later release is refused by name', () => {
  const error = errorOf(() => expand(3, compressible, 10));
  expect(error).toMatchObject({ kind: 'invalid', code: 'UNSUPPORTED_TRANSFORM' });
  expect(error.message).toContain('snappy');
  expect(transformName(77)).toBe('unknown(77)');
});

test('names map to stored ids', () => {
  expect(writableTransform('none')).toBe(TRANSFORM_NONE);
  expect(writableTransform('lz4')).toBe(TRANSFORM_LZ4);
  expect(writableTransform('zstd')).toBe(TRANSFORM_ZSTD);
});

test('the content size of a zstd frame is read when it is there', () => {
  for (const length of [100, 255, 256, 300, 65_000, 70_000]) {
    const packed = compressRange(TRANSFORM_ZSTD, new Uint8Array(length), 0, length)!;
    expect([length, -1]).toContain(zstdContentSize(packed));
  }
  expect(zstdContentSize(new Uint8Array(40))).toBe(-1);
});
