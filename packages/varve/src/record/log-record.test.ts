import { expect, test } from 'vitest';
import { viewOf } from '../base/bytes.ts';
import { crc32c } from '../base/crc32c.ts';
import { putU32 } from '../base/fixed.ts';
import {
  comparePosition,
  decodeSegmentStart,
  encodeHeader,
  encodeSegmentStart,
  HEADER_BYTES,
  intactRecordLength,
  RECORD_BATCH,
  RECORD_COMMIT,
  RecordHeader,
  recordKindName,
} from './log-record.ts';

function record(body: Uint8Array, timeMs: number | undefined): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(bytes.buffer);
  encodeHeader(view, 0, body.length, RECORD_BATCH, 7, 9, 2 ** 40 + 3, 8, 4_000_000_000, timeMs);
  bytes.set(body, HEADER_BYTES);
  putU32(bytes, 0, crc32c(bytes, 4));
  return bytes;
}

test('the header comes back as it was written', () => {
  const header = new RecordHeader();
  header.decode(viewOf(record(new Uint8Array([1, 2, 3]), 1234.5)), 0);
  expect(header).toMatchObject({
    bodyLength: 3,
    kind: RECORD_BATCH,
    incarnation: 7,
    segment: 9,
    sequence: 2 ** 40 + 3,
    syncedSegment: 8,
    syncedOffset: 4_000_000_000,
    timestampMs: 1234.5,
  });
  expect(header.hasTimestamp).toBe(true);
  expect(header.isSupported).toBe(true);
});

test('the bytes of a record are these, forever', () => {
  const hex = Buffer.from(record(new Uint8Array([0xaa, 0xbb]), 1234.5)).toString('hex');
  expect(hex.slice(8)).toBe(
    '02000000' +
      '01' +
      '01' +
      '0000' +
      '07000000' +
      '09000000' +
      '0300000000010000' +
      '08000000' +
      '00286bee' +
      '00000000004a9340' +
      'aabb',
  );
});

test('without timestamps the flag and the field are zero', () => {
  const header = new RecordHeader();
  header.decode(viewOf(record(new Uint8Array([1]), undefined)), 0);
  expect(header.hasTimestamp).toBe(false);
  expect(header.timestampMs).toBe(0);
});

test('any flipped bit and any cut makes a record not intact', () => {
  const bytes = record(new Uint8Array([1, 2, 3, 4, 5]), 1234.5);
  const view = viewOf(bytes);
  expect(intactRecordLength(view, 0, bytes.length)).toBe(bytes.length);
  for (let end = 0; end < bytes.length; end++) expect(intactRecordLength(view, 0, end)).toBe(0);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    expect(intactRecordLength(view, 0, bytes.length)).toBe(0);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
});

test('kinds of later releases are not supported, and shown by their number', () => {
  const header = new RecordHeader();
  for (const kind of [0, 8, 9, 255]) {
    const bytes = record(new Uint8Array(0), 1234.5);
    bytes[8] = kind;
    header.decode(viewOf(bytes), 0);
    expect(header.isSupported).toBe(false);
  }
  expect(recordKindName(RECORD_COMMIT)).toBe('commit');
  expect(recordKindName(0)).toBe('unknown(0)');
  expect(recordKindName(99)).toBe('unknown(99)');
});

test('a segment start comes back as it was written', () => {
  const link = { recycled: true, lastSequence: 2 ** 50, segment: 4_000_000_000, endOffset: 77 };
  const bytes = new Uint8Array(30);
  encodeSegmentStart(bytes, 5, link);
  expect(decodeSegmentStart(bytes, 5)).toEqual(link);
});

test('positions order by segment, then by offset', () => {
  expect(comparePosition({ segment: 1, offset: 9 }, 2, 0)).toBeLessThan(0);
  expect(comparePosition({ segment: 2, offset: 9 }, 2, 8)).toBeGreaterThan(0);
  expect(comparePosition({ segment: 2, offset: 9 }, 2, 9)).toBe(0);
});
