import { expect, test } from 'vitest';

import { crc32c } from '../base/crc32c.ts';
import { putU32 } from '../base/fixed.ts';
import {
  decodeFooter,
  encodeFooter,
  type Footer,
  FOOTER_BYTES,
  FOOTER_TAIL_BYTES,
  footerLength,
  NO_BLOCK,
} from './format.ts';
import { TABLE_ID } from './table.suite.ts';

const footer: Footer = {
  topIndex: { offset: 5_000_000_000, length: 900 },
  properties: { offset: 5_000_000_900, length: 300 },
  filter: NO_BLOCK,
  rangeTombstones: { offset: 4_999_999_900, length: 100 },
  uniqueId: TABLE_ID,
  fileBytes: 5_000_001_200 + FOOTER_BYTES,
};

function decode(bytes: Uint8Array, fileBytes = footer.fileBytes): Footer {
  const length = footerLength(bytes.subarray(bytes.length - FOOTER_TAIL_BYTES), fileBytes, 'a.sst');
  if (length !== bytes.length) throw new Error(`asked for ${length} bytes`);
  return decodeFooter(bytes, fileBytes, 'a.sst');
}

/** A valid checksum over changed bytes: what a later release or a mischievous one would write. */
function reseal(bytes: Uint8Array): Uint8Array {
  putU32(bytes, bytes.length - 12, crc32c(bytes, 0, bytes.length - 12));
  return bytes;
}

test('a footer comes back as it was', () => {
  expect(decode(encodeFooter(footer))).toEqual(footer);
});

test('any flipped bit is corruption that names the file and an offset', () => {
  for (let bit = 0; bit < FOOTER_BYTES * 8; bit++) {
    const bytes = encodeFooter(footer);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    const corrupt = { kind: 'corruption', context: { file: 'a.sst', offset: expect.any(Number) } };
    let caught: unknown;
    try {
      const length = footerLength(
        bytes.subarray(FOOTER_BYTES - FOOTER_TAIL_BYTES),
        footer.fileBytes,
        'a.sst',
      );
      const whole = new Uint8Array(length);
      whole.set(bytes.subarray(Math.max(0, FOOTER_BYTES - length)), Math.max(0, length - FOOTER_BYTES));
      decodeFooter(whole, footer.fileBytes, 'a.sst');
    } catch (error) {
      caught = error;
    }
    expect(caught).toMatchObject(corrupt);
  }
});

test('without the magic bytes it is not a table', () => {
  expect(() => footerLength(new Uint8Array(FOOTER_TAIL_BYTES), 1000, 'a.sst')).toThrow(/not a table/);
});

test('a newer format version is refused by name, also with a longer footer', () => {
  const newer = encodeFooter(footer);
  putU32(newer, 84, 2);
  const refused = expect.objectContaining({ kind: 'invalid', code: 'UNSUPPORTED_VERSION' });
  expect(() => decode(reseal(newer))).toThrow(refused);
  const longer = new Uint8Array(FOOTER_BYTES + 28);
  longer.set(newer, 28);
  putU32(longer, 28 + 80, longer.length);
  expect(() => decode(reseal(longer))).toThrow(refused);
});

test('a footer of another file length is corruption', () => {
  expect(() => decode(encodeFooter(footer), footer.fileBytes + 1)).toThrow(/not as long/);
});

test('handles outside of the file are corruption even under a right checksum', () => {
  for (const at of [0, 12, 24, 36]) {
    const bytes = encodeFooter(footer);
    putU32(bytes, at + 4, 2);
    putU32(bytes, at + 8, 0xffffffff);
    expect(() => decode(reseal(bytes))).toThrow(/outside of the file/);
  }
  const missing = encodeFooter({ ...footer, topIndex: NO_BLOCK });
  expect(() => decode(missing)).toThrow(/outside of the file/);
});

test('impossible footer lengths are corruption', () => {
  for (const length of [0, 19, 5000, 0xffffffff]) {
    const bytes = encodeFooter(footer);
    putU32(bytes, 80, length);
    expect(() => decode(reseal(bytes))).toThrow(/impossible length/);
  }
});
