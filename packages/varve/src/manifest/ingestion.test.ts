import { expect, test } from 'vitest';
import { VarveError } from '../base/errors.ts';
import { Random } from '../base/random.ts';
import { decodeIngestion, encodeIngestion, ingestionEdit } from './ingestion.ts';
import { sampleFile } from './samples.suite.ts';

const place = { file: '/db/000003.wal', offset: 84 };
const edit = ingestionEdit(
  4,
  [
    { level: 6, file: sampleFile(7, 'a', 'c') },
    { level: 0, file: sampleFile(8, 'd', 'f') },
  ],
  99,
);
const body = encodeIngestion(edit);

test('the edit comes back, with every entry at the sequence of the record', () => {
  const decoded = decodeIngestion(body, 0, body.length, 99, place);
  expect(decoded).toEqual(edit);
  expect(decoded.addedFiles[1]).toMatchObject({
    level: 0,
    file: { smallestSequence: 99, largestSequence: 99, sequenceOverride: 99 },
  });
});

test('a record of another sequence is damage with its place', () => {
  expect(() => decodeIngestion(body, 0, body.length, 98, place)).toThrow(
    expect.objectContaining({ code: 'CORRUPTION', context: { ...place, sequence: 98 } }) as Error,
  );
});

test('cut or changed bytes are a typed error or an edit, never anything else', () => {
  const random = new Random(3);
  for (let round = 0; round < 3000; round++) {
    const bytes = body.slice();
    const end = random.oneIn(2) ? bytes.length : random.below(bytes.length);
    for (let i = random.below(4); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
    try {
      const { addedFiles } = decodeIngestion(bytes, 0, end, 99, place);
      expect(addedFiles.length).toBeGreaterThan(0);
    } catch (error) {
      expect(error).toBeInstanceOf(VarveError);
      expect(['CORRUPTION', 'UNSUPPORTED_MANIFEST']).toContain((error as VarveError).code);
    }
  }
});
