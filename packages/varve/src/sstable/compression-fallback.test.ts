import { expect, test, vi } from 'vitest';

// A runtime before 22.15: node:zlib without zstd.
vi.mock('node:zlib', () => ({ zstdCompressSync: undefined, zstdDecompressSync: undefined }));

const { compressRange, expandRange, TRANSFORM_LZ4, TRANSFORM_ZSTD, writableTransform } = await import(
  './compression.ts'
);
const zlib = await vi.importActual<typeof import('node:zlib')>('node:zlib');

test('writing zstd is refused by name', () => {
  expect(() => writableTransform('zstd')).toThrow(
    expect.objectContaining({ kind: 'invalid', code: 'CODEC_UNAVAILABLE' }),
  );
  expect(writableTransform('lz4')).toBe(TRANSFORM_LZ4);
});

test('zstd that another runtime wrote is read', () => {
  const raw = new TextEncoder().encode('varve '.repeat(900));
  const packed = zlib.zstdCompressSync(raw);
  expect([...expandRange(TRANSFORM_ZSTD, packed, 0, packed.length, raw.length, 'a', 0)]).toEqual([...raw]);
  expect(compressRange(TRANSFORM_LZ4, raw, 0, raw.length)).toBeDefined();
});

test('bad zstd bytes and wrong lengths are corruption', () => {
  const raw = new TextEncoder().encode('varve '.repeat(900));
  const packed = new Uint8Array(zlib.zstdCompressSync(raw));
  const corrupt = expect.objectContaining({ kind: 'corruption', context: { file: 'a', offset: 5 } });
  const cut = packed.slice(0, packed.length - 4);
  expect(() => expandRange(TRANSFORM_ZSTD, cut, 0, cut.length, raw.length, 'a', 5)).toThrow(corrupt);
  expect(() => expandRange(TRANSFORM_ZSTD, packed, 0, packed.length, raw.length + 1, 'a', 5)).toThrow(
    expect.objectContaining({ kind: 'corruption' }),
  );
});
