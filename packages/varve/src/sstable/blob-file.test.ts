/**
 * Blob files: their bytes, what comes back, and that a damaged one gives what an undamaged one gives, or `corruption` with file
 * and offset. Never another value.
 */
import { beforeAll, describe, expect, test } from 'vitest';

import { VarveError } from '../base/errors.ts';
import { Random } from '../base/random.ts';
import { readFile } from '../fs/file-system.ts';
import type { MemoryFs } from '../fs/memory-fs.ts';
import { BLOB_ID, BLOB_PATH, buildBlob, openBlob, readBlob } from './blob-file.suite.ts';
import { decodeBlobFooter, encodeBlobHeader } from './blob-format.ts';
import { blobRecords, readBlobEnds } from './blob-records.ts';
import { BlobReference, REFERENCE_BYTES_MAX } from './blob-reference.ts';
import { ready } from './checksum.ts';

beforeAll(ready);

const records = [
  ['bee', 'buzz, hum'],
  ['beetle', ''],
  ['crow', 'caw'.repeat(40)],
] as const;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Every record by walking, as `key=value`. */
function walk(fs: MemoryFs): string[] {
  const file = fs.open(BLOB_PATH, 'read');
  const found: string[] = [];
  const decode = (bytes: Uint8Array, from: number, to: number): string =>
    new TextDecoder().decode(bytes.slice(from, to));
  for (const { bytes, keyStart, valueStart, valueEnd } of blobRecords(file, readBlobEnds(file, BLOB_ID))) {
    found.push(`${decode(bytes, keyStart, valueStart)}=${decode(bytes, valueStart, valueEnd)}`);
  }
  file.close();
  return found;
}

describe('a blob file', () => {
  test('has the bytes that it always had', () => {
    const { fs } = buildBlob([['bee', 'buzz']]);
    const bytes = hex(readFile(fs, BLOB_PATH));
    expect(bytes).toBe(
      [
        // Magic, version, id, checksum.
        '76617276652e626c',
        '01000000',
        'b0b1b2b3b4b5b6b7b8b9babbbcbdbebf',
        bytes.slice(56, 64),
        // Stored length; value length, key length, zero; key, value; type, transform, raw length, checksum.
        '1d000000',
        '04000000',
        '0300',
        '0000',
        '626565',
        '62757a7a',
        '08',
        '00',
        '0f000000',
        bytes.slice(114, 130),
        // Records, their bytes, version, checksum, magic.
        '0100000000000000',
        '2100000000000000',
        '01000000',
        bytes.slice(170, 178),
        '76617276652e6265',
      ].join(''),
    );
    expect([bytes.slice(56, 64), bytes.slice(114, 130), bytes.slice(170, 178)]).toMatchInlineSnapshot(`
      [
        "5cac6e2e",
        "a4615d2a573fae35",
        "89bbda9a",
      ]
    `);
  });

  test.each(['none', 'lz4', 'zstd'] as const)(
    'gives back every value by its reference (%s)',
    (compression) => {
      const { fs, bytes, references } = buildBlob(records, compression);
      const reader = openBlob(fs, bytes);
      for (const [i, [key, value]] of records.entries()) {
        expect(readBlob(reader, references[i]!, key)).toBe(value);
      }
      expect(walk(fs)).toEqual(records.map(([key, value]) => `${key}=${value}`));
    },
  );

  test('does not give the value of another key', () => {
    const { fs, bytes, references } = buildBlob(records);
    const reader = openBlob(fs, bytes);
    const offset = references[0]!.offset;
    expect(() => readBlob(reader, references[0]!, 'beetle')).toThrow(
      expect.objectContaining({ kind: 'corruption', context: { file: BLOB_PATH, offset } }) as Error,
    );
  });

  test('with any byte changed, gives the same values or corruption with file and offset', () => {
    const { fs, bytes, references } = buildBlob(records, 'lz4');
    const original = readFile(fs, BLOB_PATH);
    const file = fs.open(BLOB_PATH, 'readWrite');
    for (let at = 0; at < original.length; at++) {
      file.write(Uint8Array.of(original[at]! ^ (1 << (at % 8))), 0, 1, at);
      expectSound(() => {
        const reader = openBlob(fs, bytes);
        for (const [i, [key, value]] of records.entries()) {
          expect(readBlob(reader, references[i]!, key)).toBe(value);
        }
      });
      expectSound(() => expect(walk(fs)).toEqual(records.map(([key, value]) => `${key}=${value}`)), true);
      file.write(original, at, 1, at);
    }
  });

  test('cut anywhere, is corruption where it is walked', () => {
    for (let bytes = 0; bytes < buildBlob(records).bytes; bytes++) {
      const { fs } = buildBlob(records);
      const file = fs.open(BLOB_PATH, 'readWrite');
      file.truncate(bytes);
      expectSound(() => walk(fs), true);
    }
  });

  test('is refused by name when a later release wrote it', () => {
    const { fs, bytes } = buildBlob(records);
    const file = fs.open(BLOB_PATH, 'readWrite');
    expect(() => readBlobEnds(file, new Uint8Array(16))).toThrow(/another one than the manifest names/);
    const footer = readFile(fs, BLOB_PATH).slice(-32);
    expect(() => decodeBlobFooter(footer, BLOB_ID, bytes + 1, BLOB_PATH)).toThrow(/not as long/);
    expect(encodeBlobHeader(BLOB_ID)).toHaveLength(32);
  });
});

/** Runs `read`; what it throws is corruption of the file with an offset. With `must`, it throws. */
function expectSound(read: () => void, must = false): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    expect(error).toMatchObject({ kind: 'corruption' });
    expect(error.context).toMatchObject({ file: BLOB_PATH, offset: expect.any(Number) as number });
    return;
  }
  if (must) throw new Error('damage went unnoticed');
}

describe('a reference', () => {
  const encoded = (file: number, offset: number, length: number): Uint8Array => {
    const reference = new BlobReference();
    Object.assign(reference, { file, offset, length });
    const bytes = new Uint8Array(REFERENCE_BYTES_MAX);
    return bytes.slice(0, reference.encode(bytes, 0));
  };

  test('has the bytes that it always had', () => {
    expect(hex(encoded(7, 300, 70_000))).toBe('0007ac02f0a204');
  });

  test('comes back as it was', () => {
    const random = new Random(1);
    const reference = new BlobReference();
    for (let i = 0; i < 1000; i++) {
      const [file, offset, length] = [1, 0, 1].map((least) => least + random.below(2 ** random.below(31)));
      const bytes = encoded(file!, offset! * 1000, length!);
      reference.decode(bytes, 0, bytes.length);
      const got = [reference.file, reference.offset, reference.length];
      expect(got).toEqual([file, offset! * 1000, length]);
    }
  });

  test('with flags of a later release is refused by name', () => {
    const reference = new BlobReference();
    for (const flags of [1, 2, 128, 255]) {
      const bytes = encoded(1, 40, 50);
      bytes[0] = flags;
      expect(() => reference.decode(bytes, 0, bytes.length)).toThrow(
        expect.objectContaining({ kind: 'invalid', code: 'UNSUPPORTED_BLOB_REFERENCE' }) as Error,
      );
    }
  });

  test('that is cut, too long or names nothing is corruption', () => {
    const reference = new BlobReference();
    const bytes = encoded(7, 300, 70_000);
    const wrong = [
      ...Array.from({ length: bytes.length }, (_, length) => bytes.slice(0, length)),
      Uint8Array.of(...bytes, 0),
      encoded(0, 40, 50),
      encoded(1, 40, 0),
    ];
    for (const each of wrong) {
      expect(() => reference.decode(each, 0, each.length)).toThrow(
        expect.objectContaining({ kind: 'corruption' }) as Error,
      );
    }
  });
});
