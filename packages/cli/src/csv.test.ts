import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CsvError, CsvReader, csvRecord } from './csv.ts';

function read(text: string, piece = 3): string[][] {
  const reader = new CsvReader();
  const records: { fields: string[] }[] = [];
  for (let at = 0; at < text.length; at += piece) records.push(...reader.push(text.slice(at, at + piece)));
  records.push(...reader.end());
  return records.map((record) => record.fields);
}

describe('reading', () => {
  test.each<[string, string[][]]>([
    [
      'a,b\nc,d\n',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'a,b\r\nc,d',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    ['"a,1","b ""q"" b","c\r\nd"\n', [['a,1', 'b "q" b', 'c\r\nd']]],
    [
      ',\n"",x\n',
      [
        ['', ''],
        ['', 'x'],
      ],
    ],
    ['a,\n', [['a', '']]],
    ['\n\na\n\n', [['a']]],
    ['""\n', [['']]],
    ['', []],
  ])('%j', (text, records) => {
    for (const piece of [1, 2, 100]) expect(read(text, piece)).toEqual(records);
  });

  test('records know the line they begin on', () => {
    const reader = new CsvReader();
    const records = [...reader.push('a\n"b\nb"\r\n\nc'), ...reader.end()];
    expect(records.map((record) => record.line)).toEqual([1, 2, 5]);
  });

  test.each([
    ['a\nb"c\n', 2],
    ['"a"b\n', 1],
    ['a\n"b\nc', 2],
  ])('damage in %j is on line %i', (text, line) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ line }));
    expect(() => read(text)).toThrow(CsvError);
  });
});

test('what is written is read back', () => {
  const field = fc.string({ unit: fc.constantFrom('a', ' ', ',', '"', '\n', '\r', 'é') });
  const table = fc.array(fc.array(field, { minLength: 2, maxLength: 3 }), { maxLength: 4 });
  fc.assert(
    fc.property(table, (records) => {
      expect(read(records.map((fields) => `${csvRecord(fields)}\n`).join(''))).toEqual(records);
    }),
    { seed: 20261120, numRuns: 300 },
  );
});
