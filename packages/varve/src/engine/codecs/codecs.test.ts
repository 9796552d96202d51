import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareBytes } from '../../base/bytes.ts';
import { VarveError } from '../../base/errors.ts';
import { bytes } from './bytes.ts';
import type { KeyCodec, RangeDecoder, ValueCodec } from './codec.ts';
import { decodeKey, decodeValue, describeValue, encodeKey, encodeValue } from './codec.ts';
import { json } from './json.ts';
import { loadPacker, msgpack } from './msgpack.ts';
import { u64 } from './u64.ts';
import { utf8 } from './utf8.ts';

const seeded = { seed: 20261120, numRuns: 500 };

function errorOf(call: () => unknown): VarveError {
  try {
    call();
  } catch (error) {
    if (error instanceof VarveError) return error;
    throw error;
  }
  throw new Error('did not throw');
}

/** Bytes in shared memory with other bytes around, as the engine lends them. */
function lent(content: Uint8Array): [Uint8Array, number, number] {
  const shared = new Uint8Array(new SharedArrayBuffer(content.length + 20)).fill(0xee);
  shared.set(content, 7);
  return [shared, 7, 7 + content.length];
}

describe('bytes', () => {
  test('are stored as they are and read as a copy of their own', () => {
    const given = new Uint8Array([1, 2, 255]);
    expect(bytes.encode(given)).toBe(given);
    const [shared, start, end] = lent(given);
    const read = decodeKey(bytes, shared, start, end);
    shared.fill(0);
    expect(read).toEqual(given);
    expect(read.buffer).toBeInstanceOf(ArrayBuffer);
  });

  test.each([['text'], [5], [null], [undefined], [[1, 2]], [new ArrayBuffer(3)]])('refuse %j', (value) => {
    expect(errorOf(() => bytes.encode(value as never)).context['codec']).toBe('bytes');
  });
});

describe('utf8', () => {
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ maxLength: 80 }));

  test('round trip, the same bytes as the platform, also from lent shared memory', () => {
    fc.assert(
      fc.property(text, (value) => {
        const encoded = utf8.encode(value);
        expect(encoded).toEqual(new TextEncoder().encode(value));
        expect(utf8.decode(encoded)).toBe(value);
        expect(decodeKey(utf8, ...lent(encoded))).toBe(value);
      }),
      seeded,
    );
  });

  test('order is that of code points', () => {
    const points = (value: string): number[] => Array.from(value, (c) => c.codePointAt(0)!);
    const compare = (a: number[], b: number[]): number => {
      for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
      return a.length - b.length;
    };
    fc.assert(
      fc.property(text, text, (a, b) => {
        const expected = Math.sign(compare(points(a), points(b)));
        expect(Math.sign(compareBytes(utf8.encode(a), utf8.encode(b)))).toBe(expected);
      }),
      seeded,
    );
    expect(compareBytes(utf8.encode('\uFFFD'), utf8.encode('\u{10000}'))).toBeLessThan(0);
  });

  test.each(['\uD800', 'a\uDC00', `${'x'.repeat(60)}\uD83D`, '\uD83Dx'])(
    'a lone surrogate is refused: %j',
    (value) => {
      const error = errorOf(() => utf8.encode(value));
      expect([error.kind, error.code, error.context['codec']]).toEqual(['invalid', 'KEY_INVALID', 'utf8']);
    },
  );

  test('a stored replacement character, a byte order mark and a zero are kept', () => {
    for (const value of ['\uFFFD', 'a\uFFFDb'.repeat(20), '\uFEFFx', '\0', '']) {
      expect(utf8.decode(utf8.encode(value))).toBe(value);
    }
  });

  test.each([
    [[0x80]],
    [[0xc0, 0x80]],
    [[0xed, 0xa0, 0x80]],
    [[0x61, 0xf5, 0x80, 0x80, 0x80]],
    [[0xe2, 0x82]],
  ])('bytes that are not UTF-8 are refused: %j', (damaged) => {
    expect(errorOf(() => utf8.decode(new Uint8Array(damaged))).code).toBe('KEY_INVALID');
  });

  test.each([5, null, undefined, {}, ['a'], new Uint8Array(1)])('%j is no string', (value) => {
    expect(errorOf(() => utf8.encode(value as never)).code).toBe('KEY_INVALID');
  });
});

describe('u64', () => {
  const max = 2n ** 64n - 1n;
  const number = fc.oneof(
    fc.bigInt({ min: 0n, max }),
    fc.maxSafeNat().map(BigInt),
    fc.integer({ min: 0, max: 300 }).map(BigInt),
  );

  test('round trip: numbers up to 2^53-1, bigints beyond', () => {
    fc.assert(
      fc.property(number, (value) => {
        const safe = value <= BigInt(Number.MAX_SAFE_INTEGER);
        const wanted = safe ? Number(value) : value;
        expect(u64.decode(u64.encode(value))).toBe(wanted);
        if (safe) expect(u64.encode(Number(value))).toEqual(u64.encode(value));
        expect(decodeKey(u64, ...lent(u64.encode(value)))).toBe(wanted);
      }),
      seeded,
    );
    expect(u64.decode(u64.encode(2 ** 53 - 1))).toBe(2 ** 53 - 1);
    expect(u64.decode(u64.encode(2n ** 53n))).toBe(2n ** 53n);
    expect(u64.decode(u64.encode(max))).toBe(max);
  });

  test('order is that of the numbers', () => {
    fc.assert(
      fc.property(number, number, (a, b) => {
        expect(Math.sign(compareBytes(u64.encode(a), u64.encode(b)))).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
      seeded,
    );
  });

  test('is big-endian in 8 bytes', () => {
    expect([...u64.encode(0x0102030405)]).toEqual([0, 0, 0, 1, 2, 3, 4, 5]);
  });

  test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -1n, 2n ** 64n, '5', null, true])(
    '%s is refused',
    (value) => {
      expect(errorOf(() => u64.encode(value as never)).code).toBe('KEY_INVALID');
    },
  );

  test('other than 8 bytes are refused', () => {
    expect(errorOf(() => u64.decode(new Uint8Array(7))).code).toBe('KEY_INVALID');
  });
});

describe.each([
  ['json', json<unknown>()],
  ['msgpack', msgpack<unknown>()],
])('%s', (name, codec) => {
  test('values come back equal, also from lent shared memory', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        // -0 is 0 in JSON.
        const plain = JSON.parse(JSON.stringify(value)) as unknown;
        expect(codec.decode(codec.encode(plain))).toEqual(plain);
        expect(decodeValue(codec, ...lent(codec.encode(plain)))).toEqual(plain);
      }),
      { ...seeded, numRuns: 200 },
    );
  });

  test('undefined and functions are refused', () => {
    for (const value of [undefined, () => 1, Symbol('x')]) {
      const error = errorOf(() => codec.encode(value));
      expect([error.kind, error.code, error.context['codec']]).toEqual(['invalid', 'VALUE_INVALID', name]);
    }
  });

  test('bytes of something else are refused', () => {
    expect(errorOf(() => codec.decode(new Uint8Array([0xc1, 0x22]))).code).toBe('VALUE_INVALID');
    expect(errorOf(() => codec.decode(new Uint8Array(0))).code).toBe('VALUE_INVALID');
  });
});

describe('json', () => {
  test('bigints and circles are refused, lone surrogates survive', () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    expect(errorOf(() => json().encode({ big: 1n })).code).toBe('VALUE_INVALID');
    expect(errorOf(() => json().encode(circle)).cause).toBeInstanceOf(TypeError);
    expect(json().decode(json().encode('\uD800'))).toBe('\uD800');
  });
});

describe('msgpack', () => {
  test('keeps dates, bigints and binary', () => {
    const value = { at: new Date(5), big: 2n ** 63n, raw: new Uint8Array([1, 2]), set: new Set([1]) };
    const read = msgpack<typeof value>().decode(msgpack<typeof value>().encode(value));
    expect([read.at, read.big, [...read.raw], read.set]).toEqual([value.at, value.big, [1, 2], value.set]);
  });

  test('each value stands alone: the same object twice gives the same bytes', () => {
    const codec = msgpack<object>();
    const first = codec.encode({ name: 'a', age: 1 }).slice();
    expect(codec.encode({ name: 'a', age: 1 }).slice()).toEqual(first);
    expect(first[0]).toBe(0x82);
  });

  test('binary read from lent memory is a copy', () => {
    const [shared, start, end] = lent(msgpack().encode({ raw: new Uint8Array([1, 2, 3]) }));
    const read = decodeValue(msgpack<{ raw: Uint8Array }>(), shared, start, end);
    shared.fill(0);
    expect([...read.raw]).toEqual([1, 2, 3]);
  });

  test('without msgpackr the error names the package', () => {
    const missing = (): never => {
      throw new Error("Cannot find module 'msgpackr'");
    };
    const error = errorOf(() => loadPacker(missing));
    expect([error.code, error.context['package']]).toEqual(['CODEC_UNAVAILABLE', 'msgpackr']);
  });
});

describe('the role of a codec decides the code', () => {
  const mine: KeyCodec<string> & ValueCodec<string> = {
    name: 'mine',
    encode: (value) => {
      if (value === 'text') return 'text' as never;
      throw new TypeError('no');
    },
    decode: () => {
      throw new TypeError('no');
    },
  };

  test('a built-in codec refuses a key as KEY_INVALID and a value as VALUE_INVALID', () => {
    expect(errorOf(() => encodeKey(utf8, 5 as never)).code).toBe('KEY_INVALID');
    expect(errorOf(() => encodeValue(utf8, 5 as never)).code).toBe('VALUE_INVALID');
    expect(errorOf(() => decodeKey(u64, ...lent(new Uint8Array(3)))).code).toBe('KEY_INVALID');
    expect(errorOf(() => decodeValue(u64, ...lent(new Uint8Array(3)))).code).toBe('VALUE_INVALID');
    const error = errorOf(() => encodeValue(utf8, 5 as never));
    expect(error.context).toEqual({ codec: 'utf8', wanted: 'a string', got: 'number 5' });
  });

  test('whatever a codec of a user throws or returns becomes an error with code and cause', () => {
    for (const [code, call] of [
      ['KEY_INVALID', () => encodeKey(mine, 'a')],
      ['KEY_INVALID', () => encodeKey(mine, 'text')],
      ['VALUE_INVALID', () => encodeValue(mine, 'a')],
      ['VALUE_INVALID', () => encodeValue(mine, 'text')],
      ['KEY_INVALID', () => decodeKey(mine, ...lent(new Uint8Array(1)))],
      ['VALUE_INVALID', () => decodeValue(mine, ...lent(new Uint8Array(1)))],
    ] as const) {
      const error = errorOf(call);
      expect([error.kind, error.code, error.context['codec']]).toEqual(['invalid', code, 'mine']);
    }
    expect(errorOf(() => encodeKey(mine, 'a')).cause).toBeInstanceOf(TypeError);
  });

  test('a codec of a user gets bytes of its own', () => {
    let kept: Uint8Array | undefined;
    const keeper: ValueCodec<number> & Partial<RangeDecoder<number>> = {
      name: 'keeper',
      encode: () => new Uint8Array(1),
      decode: (given) => (kept = given).length,
    };
    const [shared, start, end] = lent(new Uint8Array([5, 6]));
    expect(decodeValue(keeper, shared, start, end)).toBe(2);
    shared.fill(0);
    expect(kept).toEqual(new Uint8Array([5, 6]));
  });
});

test('values are described in short words', () => {
  expect(describeValue('x'.repeat(100))).toBe(`string "${'x'.repeat(40)}..."`);
  expect(describeValue(new Uint8Array([1, 255]))).toBe('2 bytes 0x01ff');
  expect(describeValue(new Map())).toBe('Map');
  expect(describeValue(Object.create(null))).toBe('object');
  expect(describeValue(() => 1)).toBe('function');
});
