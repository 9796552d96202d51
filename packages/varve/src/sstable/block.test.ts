import { describe, expect, test } from 'vitest';

import { compareBytes, sharedPrefix } from '../base/bytes.ts';
import { SEQUENCE_MAX } from '../base/entry.ts';
import { VarveError } from '../base/errors.ts';
import { putU32, putU64 } from '../base/fixed.ts';
import { KIND_PUT, KIND_MERGE, KIND_PUT_EXPIRY } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { BlockBuilder } from './block-builder.ts';
import { BlockView, validateBlock } from './block.ts';
import {
  bytesOf,
  compareEntries,
  del,
  type Entry,
  type EntryShape,
  put,
  randomBytes,
  randomEntries,
  smallShape,
} from './table.suite.ts';

/** Bytes of a block of these entries, from entries added without a limit. */
function sizeOf(entries: readonly Entry[]): number {
  const builder = new BlockBuilder();
  for (const { key, sequence, kind, value } of entries) {
    builder.add(key, 0, key.length, sequence, kind, value, 0, value.length);
  }
  return builder.bytes;
}

function build(entries: readonly Entry[], at = 0): Uint8Array {
  const builder = new BlockBuilder();
  let last: Uint8Array = new Uint8Array(0);
  for (const { key, sequence, kind, value } of entries) {
    const shared = sharedPrefix(last, 0, last.length, key, 0, key.length);
    const addWithin = (bytesMax: number): boolean =>
      builder.addWithin(bytesMax, shared, key, 0, key.length, sequence, kind, value, 0, value.length);
    // Neither too early nor too late: a byte less than the block takes with the entry is refused.
    const before = builder.count;
    const size = sizeOf([...entries.slice(0, before), { key, sequence, kind, value }]);
    if (before > 0) expect(addWithin(size - 1)).toBe(false);
    expect(addWithin(size)).toBe(true);
    expect(builder.bytes).toBe(size);
    last = key;
  }
  const size = builder.bytes;
  const bytes = new Uint8Array(at + size);
  expect(builder.finish(bytes, at)).toBe(at + size);
  expect(builder.count).toBe(0);
  return bytes;
}

function open(bytes: Uint8Array, at = 0): BlockView {
  validateBlock(bytes, at, bytes.length - at, 'a.sst', 0);
  const view = new BlockView();
  view.open(bytes, at);
  return view;
}

function entriesOf(view: BlockView): Entry[] {
  return Array.from({ length: view.count }, (_, i) => ({
    key: view.keyAt(i),
    sequence: view.sequence(i),
    kind: view.kind(i),
    value: view.bytes.slice(view.valueStart(i), view.valueStart(i + 1)),
  }));
}

const shapes: [string, EntryShape][] = [
  ['narrow columns', smallShape],
  ['wide offsets', { ...smallShape, keys: 700, valueBytesMax: 400 }],
  ['wide sequences', { ...smallShape, sequenceMax: SEQUENCE_MAX }],
  ['one sequence and random bytes', { ...smallShape, sequenceMax: 1, alphabet: 256, versionsMax: 1 }],
];

describe.each(shapes)('a block with %s', (name, shape) => {
  const random = new Random(name.length);
  const entries = randomEntries(random, shape);

  test('gives back its entries, wherever it lies', () => {
    expect(entriesOf(open(build(entries)))).toEqual(entries);
    expect(entriesOf(open(build(entries, 13), 13))).toEqual(entries);
  });

  test('finds for any key and sequence the first entry at or after it', () => {
    const view = open(build(entries, 3), 3);
    for (let round = 0; round < 500; round++) {
      const known = random.pick(entries);
      const key = random.oneIn(2) ? known.key : randomBytes(random, random.below(13), shape.alphabet);
      const sequence = random.pick([0, SEQUENCE_MAX, known.sequence, known.sequence - 1, known.sequence + 1]);
      const target = { key, sequence, kind: KIND_PUT, value: key };
      let expected = entries.findIndex((entry) => compareEntries(entry, target) >= 0);
      if (expected < 0) expected = entries.length;
      const got = view.search(key, 0, key.length, sequence);
      expect(got).toBe(expected);
      const isMatch = got < entries.length && compareBytes(entries[got]!.key, key) === 0;
      expect(view.matched === got).toBe(isMatch);
    }
  });
});

test('a shared prefix is stored once and searched', () => {
  const entries = ['user:a', 'user:ab', 'user:b'].map((key) => put(key, 5, 'v'));
  const bytes = build(entries);
  const view = open(bytes);
  expect(view.prefixLength).toBe(5);
  expect(bytes.length).toBe(16 + 5 + 4 * 2 + 4 + 4 * 2 + 3);
  const search = (key: string): number => view.search(bytesOf(key), 0, key.length, SEQUENCE_MAX);
  expect(['', 'usa', 'user', 'user:', 'user:aa', 'user:c', 'v'].map(search)).toEqual([0, 0, 0, 0, 1, 3, 3]);
});

test('kinds get a column only when they differ', () => {
  expect(build([put('a', 1, ''), put('b', 1, '')]).length + 2).toBe(
    build([put('a', 1, ''), del('b', 1)]).length,
  );
});

test('a key of the longest length and an empty one stand side by side', () => {
  const long = new Uint8Array(65_535).fill(0x7a);
  const entries = [put('', 1, 'empty'), { ...put('', 1, 'long'), key: long }];
  const view = open(build(entries));
  expect(entriesOf(view)).toEqual(entries);
  expect(view.search(long, 0, long.length, 1)).toBe(1);
});

test('an empty block has nothing to find', () => {
  const view = open(build([]));
  expect(view.count).toBe(0);
  expect(view.search(bytesOf('a'), 0, 1, 1)).toBe(0);
});

describe('validation', () => {
  const entries = randomEntries(new Random(4), { ...smallShape, keys: 30 });

  test('refuses every truncation and every extension that breaks the sums', () => {
    const bytes = build(entries);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => validateBlock(bytes, 0, length, 'a.sst', 77)).toThrow(
        expect.objectContaining({ kind: 'corruption', context: { file: 'a.sst', offset: 77 } }),
      );
    }
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    expect(() => validateBlock(longer, 0, longer.length, 'a.sst', 77)).toThrow(/malformed/);
  });

  test('what it lets pass can be walked and searched without leaving the block', () => {
    const random = new Random(8);
    const key = bytesOf('abcabc');
    for (let round = 0; round < 1000; round++) {
      const bytes = build(entries);
      for (let n = random.below(3); n >= 0; n--)
        bytes[random.below(random.oneIn(2) ? 60 : bytes.length)] = random.below(256);
      try {
        validateBlock(bytes, 0, bytes.length, 'a.sst', 0);
      } catch (error) {
        expect(error).toBeInstanceOf(VarveError);
        continue;
      }
      const view = new BlockView();
      view.open(bytes, 0);
      let isOrdered = true;
      for (let i = 0; i < view.count; i++) {
        if (view.suffixStart(i) > view.suffixStart(i + 1)) isOrdered = false;
        if (view.valueStart(i) > view.valueStart(i + 1)) isOrdered = false;
      }
      expect(isOrdered).toBe(true);
      expect(view.valueStart(view.count)).toBeLessThanOrEqual(bytes.length);
      expect(view.search(key, 0, key.length, 5)).toBeLessThanOrEqual(view.count);
    }
  });

  test('refuses huge counts before it looks at columns', () => {
    for (const count of [entries.length + 1, 0x7fffffff, 0xffffffff]) {
      const bytes = build(entries);
      putU32(bytes, 0, count);
      expect(() => validateBlock(bytes, 0, bytes.length, 'a.sst', 0)).toThrow(/malformed/);
    }
  });

  test('refuses sequences past the safe integers', () => {
    const bytes = build([put('a', 1, ''), put('b', 2, '')]);
    putU64(bytes, 8, SEQUENCE_MAX);
    expect(() => validateBlock(bytes, 0, bytes.length, 'a.sst', 0)).toThrow(/sequence/);
  });

  test('names an entry kind that this release can not read', () => {
    for (const [kind, name] of [
      [5, 'range-delete'],
      [9, 'unknown'],
    ] as const) {
      const bytes = build([put('a', 1, '')]);
      bytes[7] = kind;
      expect(() => validateBlock(bytes, 0, bytes.length, 'a.sst', 0)).toThrow(
        expect.objectContaining({ code: 'UNSUPPORTED_KIND', message: expect.stringContaining(name) }),
      );
    }
  });

  test('refuses a merge that holds no whole list of operands', () => {
    for (const [value, isWhole] of [
      ['', false],
      ['\u0003ab', false],
      ['\u0002ab', true],
      ['\u0001a\u0000\u0001b', true],
    ] as const) {
      const bytes = build([put('a', 1, value)]);
      bytes[7] = KIND_MERGE;
      const validate = (): void => validateBlock(bytes, 0, bytes.length, 'a.sst', 0);
      if (isWhole) validate();
      else
        expect(validate).toThrow(
          expect.objectContaining({ kind: 'corruption', message: expect.stringContaining('operands') }),
        );
    }
  });

  test('refuses a value that expires and does not begin with its expiry', () => {
    for (const [value, message] of [
      ['1234567', 'its expiry'],
      ['\u007f'.repeat(8), 'its expiry'],
      ['12345\0\0\0', undefined],
    ] as const) {
      const bytes = build([put('a', 1, value)]);
      bytes[7] = KIND_PUT_EXPIRY;
      const validate = (): void => validateBlock(bytes, 0, bytes.length, 'a.sst', 0);
      if (message === undefined) expect(validate).not.toThrow();
      else expect(validate).toThrow(expect.objectContaining({ code: 'CORRUPTION' }));
    }
  });
});
