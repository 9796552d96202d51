import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareBytes } from '../../base/bytes.ts';
import { VarveError } from '../../base/errors.ts';
import { Random } from '../../base/random.ts';
import type { PrefixLimiter, RangeDecoder } from './codec.ts';
import { keyPrefixEnd } from './codec.ts';
import { tuple } from './tuple.ts';
import { utf8 } from './utf8.ts';

type Element = null | Uint8Array | string | number | bigint | boolean | readonly Element[];
type Tuple = readonly Element[];

const codec = tuple<Tuple>();
const hex = (value: Tuple): string => Buffer.from(codec.encode(value)).toString('hex');

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return error instanceof VarveError ? error.code : String(error);
  }
  return 'none';
}

describe('the bytes are those of the tuple layer', () => {
  // From FoundationDB's design/tuple.md, and by its rules where that has no sample.
  test.each<[string, Tuple, string]>([
    ['null', [null], '00'],
    ['bytes with a zero', [Buffer.from('foo\0bar', 'latin1')], '01666f6f00ff62617200'],
    ['a string with a zero', ['FÔO\0bar'], '0246c3944f00ff62617200'],
    ['a nested tuple', [[Buffer.from('foo\0bar', 'latin1'), null, []]], '0501666f6f00ff6261720000ff050000'],
    ['a negative integer', [-5551212], '11ab4b93'],
    ['zero', [0], '14'],
    ['minus zero', [-0], '14'],
    ['one', [1], '1501'],
    ['255 and 256', [255, 256], '15ff160100'],
    ['minus one', [-1], '13fe'],
    ['2^64 - 1', [2n ** 64n - 1n], '1cffffffffffffffff'],
    ['-(2^64 - 1)', [-(2n ** 64n - 1n)], '0c0000000000000000'],
    ['2^64', [2n ** 64n], '1d09010000000000000000'],
    ['-2^64', [-(2n ** 64n)], '0bf6feffffffffffffffff'],
    ['2^53 - 1', [Number.MAX_SAFE_INTEGER], '1b1fffffffffffff'],
    ['a float', [-42.5], '213fbabfffffffffff'],
    ['false and true', [false, true], '2627'],
    ['nothing', [], ''],
  ])('%s', (_, value, bytes) => {
    expect(hex(value)).toBe(bytes);
  });
});

const bigMax = 2n ** 200n;
const element: fc.Memo<Element> = fc.memo((depth) =>
  fc.oneof(
    fc.constant(null),
    fc.uint8Array({ maxLength: 6, max: 3 }),
    fc.uint8Array({ maxLength: 6 }),
    fc.string({ unit: 'binary', maxLength: 5 }),
    fc.string({ unit: fc.constantFrom('\0', '\u0001', 'a', 'ÿ'), maxLength: 5 }),
    fc.integer({ min: -70000, max: 70000 }),
    fc.maxSafeInteger(),
    fc.bigInt({ min: -bigMax, max: bigMax }),
    fc.double(),
    fc.boolean(),
    depth <= 1 ? fc.constant([] as Tuple) : fc.array(element(depth - 1), { maxLength: 3 }),
  ),
);
const anyTuple = fc.array(element(3), { maxLength: 4 });

/** How the reader gives an element back: small bigints as numbers, -0 as 0. */
function normal(value: Element): Element {
  if (typeof value === 'bigint') {
    const small = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
    return small ? Number(value) : value;
  }
  if (Object.is(value, -0)) return 0;
  return Array.isArray(value) ? value.map(normal) : value;
}

const isInteger = (value: number | bigint): boolean =>
  typeof value === 'bigint' || Number.isSafeInteger(value);

function rank(value: Element): number {
  if (value === null) return 0;
  if (value instanceof Uint8Array) return 1;
  if (typeof value === 'string') return 2;
  if (Array.isArray(value)) return 3;
  if (typeof value === 'number' || typeof value === 'bigint') return isInteger(value) ? 4 : 5;
  return 6;
}

/** The order that the header of tuple.ts promises, written the slow way. */
function compareElements(a: Element, b: Element): number {
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (a instanceof Uint8Array) return compareBytes(a, b as Uint8Array);
  if (typeof a === 'string') return compareBytes(utf8.encode(a), utf8.encode(b as string));
  if (Array.isArray(a)) return compareTuples(a, b as Tuple);
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a! < b! ? -1 : a! > b! ? 1 : 0;
}

function compareTuples(a: Tuple, b: Tuple): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const order = compareElements(a[i]!, b[i]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

const seeded = { seed: 20261120, numRuns: 2000 };

describe('for any tuples', () => {
  test('round trip', () => {
    fc.assert(
      fc.property(anyTuple, (value) => {
        expect(codec.decode(codec.encode(value))).toEqual(value.map(normal));
      }),
      { ...seeded, numRuns: 1000 },
    );
  });

  test('bytes order as the tuples do', () => {
    fc.assert(
      fc.property(anyTuple, anyTuple, (a, b) => {
        const expected = Math.sign(compareTuples(a, b));
        const order = Math.sign(compareBytes(codec.encode(a), codec.encode(b)));
        expect(order, `${hex(a)} against ${hex(b)}`).toBe(expected);
      }),
      seeded,
    );
  });

  test('tuples that differ in one element order by that element', () => {
    fc.assert(
      fc.property(anyTuple, element(2), element(2), anyTuple, (head, a, b, tail) => {
        const order = compareBytes(codec.encode([...head, a, ...tail]), codec.encode([...head, b, ...tail]));
        expect(Math.sign(order)).toBe(Math.sign(compareElements(a, b)));
      }),
      seeded,
    );
  });

  test('a prefix finds the tuples that begin with its elements, and no others', () => {
    fc.assert(
      fc.property(anyTuple, anyTuple, (prefix, value) => {
        const begins =
          value.length >= prefix.length && compareTuples(value.slice(0, prefix.length), prefix) === 0;
        const start = codec.encode(prefix);
        const end = keyPrefixEnd(codec, start)!;
        for (const [candidate, wanted] of [
          [value, begins],
          [[...prefix, ...value], true],
        ] as const) {
          const key = codec.encode(candidate);
          expect(compareBytes(key, start) >= 0 && compareBytes(key, end) < 0).toBe(wanted);
        }
      }),
      { ...seeded, numRuns: 500 },
    );
    const found = codec.encode(['a\0b']);
    expect(compareBytes(found, keyPrefixEnd(codec, codec.encode(['a']))!)).toBeGreaterThan(0);
  });
});

describe('what is refused', () => {
  test.each([
    ['a date', [new Date(0)]],
    ['undefined', [undefined]],
    ['an object', [{}]],
    ['a function', [() => 1]],
    ['a lone surrogate', ['\uD800']],
    ['an integer of 256 bytes', [2n ** 2048n]],
    ['no array', 'text'],
    ['null', null],
  ])('%s', (_, value) => {
    expect(codeOf(() => codec.encode(value as never))).toBe('KEY_INVALID');
  });

  test('an array that contains itself', () => {
    const circle: unknown[] = [];
    circle.push(circle);
    expect(codeOf(() => codec.encode(circle as never))).toBe('KEY_INVALID');
  });

  test.each([
    '01',
    '0161',
    '02c000',
    '05',
    '0500ff',
    '15',
    '1c00',
    '1d',
    '1d05',
    '0b',
    '21000000',
    '20',
    '33',
    'ff',
  ])('the bytes %s', (text) => {
    expect(codeOf(() => codec.decode(Buffer.from(text, 'hex')))).toBe('KEY_INVALID');
  });

  test('random bytes never do anything else', () => {
    const random = new Random(7);
    for (let i = 0; i < 5000; i++) {
      const bytes = Uint8Array.from({ length: random.below(12) }, () =>
        random.below(random.pick([0x30, 256])),
      );
      expect(['none', 'KEY_INVALID']).toContain(codeOf(() => codec.decode(bytes)));
    }
    expect(codeOf(() => codec.decode(new Uint8Array(5000).fill(5)))).toBe('KEY_INVALID');
  });
});

test('a tuple is read from the middle of lent shared memory and keeps none of it', () => {
  const encoded = codec.encode(['ab', new Uint8Array([1, 0, 2]), 300]);
  const shared = new Uint8Array(new SharedArrayBuffer(encoded.length + 8)).fill(0xff);
  shared.set(encoded, 3);
  const { decodeRange } = codec as typeof codec & RangeDecoder<Tuple> & PrefixLimiter;
  const read = decodeRange(shared, 3, 3 + encoded.length);
  shared.fill(0);
  expect(read).toEqual(['ab', new Uint8Array([1, 0, 2]), 300]);
});
