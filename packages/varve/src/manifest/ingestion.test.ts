import { expect, test } from 'vitest';
import { VarveError } from '../base/errors.ts';
import { Random } from '../base/random.ts';
import { decodeIngestion, editsByKeyspace, encodeIngestion, ingestionEdit, keyspaceOf } from './ingestion.ts';
import { sampleFile } from './samples.suite.ts';

const place = { file: '/db/000003.wal', offset: 84 };
const tables = [
  { level: 6, file: sampleFile(7, 'a', 'c') },
  { level: 0, file: sampleFile(8, 'd', 'f') },
];
const edit = ingestionEdit([{ keyspace: 4, tables }], 99);
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

const several = ingestionEdit(
  [
    { keyspace: 9, tables: [{ level: 0, file: sampleFile(9, 'a', 'z') }] },
    { keyspace: 4, tables },
  ],
  99,
);

test('tables of several keyspaces come back, and what each of them gets', () => {
  const whole = encodeIngestion(several);
  expect(decodeIngestion(whole, 0, whole.length, 99, place)).toEqual(several);
  expect(editsByKeyspace(several).map(keyspaceOf)).toEqual([9, 4]);
  expect(editsByKeyspace(several)[1]).toEqual(edit);
});

test('one keyspace is written as earlier releases did: its number, how many tables, the tables', () => {
  expect([...body.subarray(0, 3)]).toEqual([4, 2, 6]);
  expect([...encodeIngestion(several).subarray(-body.length)]).toEqual([...body]);
});

test('a keyspace that is named twice is damage', () => {
  const twice = new Uint8Array([...body, ...body]);
  expect(() => decodeIngestion(twice, 0, twice.length, 99, place)).toThrow(
    expect.objectContaining({ code: 'CORRUPTION' }) as Error,
  );
});
