import fc from 'fast-check';
import { tuple, u64, utf8 } from 'varve';
import { describe, expect, test } from 'vitest';
import { chooseFormat, escapeControls, fromPlain, toPlain } from './format.ts';
import { UsageError } from './session.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('text', () => {
  const format = chooseFormat('text', 'bytes');

  test('is UTF-8 in and out', () => {
    expect(format.parse('Zoë')).toEqual(bytesOf('Zoë'));
    expect(format.show(bytesOf('Zoë'))).toBe('Zoë');
  });

  test('control characters and bytes that are no text are escaped for people', () => {
    expect(format.show(bytesOf('a\n\u001b[31mb'))).toBe('a\\n\\x1b[31mb');
    expect(format.show(new Uint8Array([0x61, 0xff, 0x00]))).toBe('a\\xff\\x00');
  });

  test('bytes that are no text come back from JSON as they were', () => {
    const bytes = new Uint8Array([0xff, 0x00]);
    expect(format.toJson(bytes)).toEqual({ $hex: 'ff00' });
    expect(format.fromJson({ $hex: 'ff00' })).toEqual(bytes);
    expect(() => format.fromJson(5)).toThrow(UsageError);
  });

  test('a lone surrogate is wrong usage', () => {
    expect(() => format.parse('\uD800')).toThrow(UsageError);
  });
});

describe('hex', () => {
  const format = chooseFormat('hex', 'bytes');

  test('takes both cases and an 0x in front', () => {
    expect(format.parse('0xFf00')).toEqual(new Uint8Array([255, 0]));
    expect(format.show(new Uint8Array([255, 0]))).toBe('ff00');
    expect(format.parse('')).toEqual(new Uint8Array(0));
  });

  test.each(['f', 'fg', '0x1', 'ff ff'])('%j is wrong usage', (text) => {
    expect(() => format.parse(text)).toThrow(UsageError);
  });
});

describe('json', () => {
  test('is what the stored codec reads', () => {
    expect(chooseFormat('json', 'u64').parse('300')).toEqual(u64.encode(300));
    expect(chooseFormat('json', 'u64').parse('18446744073709551615')).toEqual(u64.encode(2n ** 64n - 1n));
    expect(chooseFormat('json', 'utf8').parse('"a"')).toEqual(utf8.encode('a'));
    expect(chooseFormat('json', 'tuple').parse('["SFO",5,null,{"$hex":"00"}]')).toEqual(
      tuple().encode(['SFO', 5, null, new Uint8Array([0])]),
    );
    expect(chooseFormat('json', 'json').parse('{ "a": 1 }')).toEqual(bytesOf('{"a":1}'));
    expect(chooseFormat('json', 'bytes').parse('[1]')).toEqual(bytesOf('[1]'));
  });

  test('shows the same', () => {
    expect(chooseFormat('json', 'u64').show(u64.encode(2n ** 63n))).toBe('{"$bigint":"9223372036854775808"}');
    expect(chooseFormat('json', 'tuple').show(tuple().encode(['a\n', -1]))).toBe('["a\\n",-1]');
  });

  test.each(['{', 'ada', ''])('%j is wrong usage', (text) => {
    expect(() => chooseFormat('json', 'bytes').parse(text)).toThrow(UsageError);
  });

  test('what the codec refuses is wrong usage', () => {
    expect(() => chooseFormat('json', 'u64').parse('-1')).toThrow(UsageError);
    expect(() => chooseFormat('json', 'tuple').parse('5')).toThrow(UsageError);
  });
});

test('without a choice the codec decides', () => {
  const names = ['bytes', 'utf8', 'json', 'of-a-user', 'u64', 'tuple', 'msgpack'].map(
    (codec) => chooseFormat(undefined, codec).name,
  );
  expect(names).toEqual(['text', 'text', 'text', 'text', 'json', 'json', 'json']);
});

test('what JSON cannot say survives the way there and back', () => {
  const value = [1n, new Uint8Array([1]), new Date(5), Number.NaN, new Set([2n]), { a: [null, 'x'] }];
  const through = JSON.parse(JSON.stringify(toPlain(value))) as unknown;
  expect(fromPlain(through)).toEqual(value);
});

test('any tuple key comes back from its JSON as the same bytes', () => {
  const element = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 4 }),
    fc.integer(),
    fc.bigInt(),
    fc.double(),
    fc.uint8Array({ maxLength: 4 }),
    fc.boolean(),
    fc.constant(null),
  );
  const format = chooseFormat(undefined, 'tuple');
  fc.assert(
    fc.property(fc.array(element, { maxLength: 4 }), (value) => {
      const bytes = tuple().encode(value);
      const line = JSON.stringify(format.toJson(bytes));
      expect(Buffer.compare(format.fromJson(JSON.parse(line)), bytes)).toBe(0);
    }),
    { seed: 20261120, numRuns: 200 },
  );
});

test('escaped text has no control characters left', () => {
  expect(escapeControls('\t\r\u009b\u007f é')).toBe('\\t\\x0d\\x9b\\x7f é');
});
