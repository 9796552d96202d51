import { describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { encodeFrame, FRAME_OVERHEAD, FrameReader, FrameWriter } from './frame.ts';

interface Frame {
  kind: number;
  payload: Uint8Array;
}

function read(bytes: Uint8Array): { frames: Frame[]; ending: string; offset: number } {
  const reader = new FrameReader(bytes);
  const frames: Frame[] = [];
  while (reader.next()) {
    frames.push({ kind: reader.kind, payload: bytes.slice(reader.payloadStart, reader.payloadEnd) });
  }
  return { frames, ending: reader.ending, offset: reader.offset };
}

function make(
  seed: number,
  lengths: readonly number[],
): { frames: Frame[]; bytes: Uint8Array; starts: number[] } {
  const random = new Random(seed);
  const writer = new FrameWriter();
  const starts: number[] = [];
  const frames = lengths.map((length, i) => {
    const payload = Uint8Array.from({ length }, () => random.below(256));
    starts.push(writer.length);
    writer.append(i, payload);
    return { kind: i, payload };
  });
  return { frames, bytes: writer.bytes.slice(0, writer.length), starts };
}

test('frames come back as they were written, and the end is clean', () => {
  const { frames, bytes } = make(1, [0, 1, 100, 511, 512, 5000]);
  expect(read(bytes)).toEqual({ frames, ending: 'clean', offset: bytes.length });
  expect(read(new Uint8Array(0))).toEqual({ frames: [], ending: 'clean', offset: 0 });
});

test('one frame alone is what the writer appends', () => {
  const payload = new Uint8Array([1, 2, 3]);
  const writer = new FrameWriter();
  writer.append(4, payload);
  expect(encodeFrame(4, payload)).toEqual(writer.bytes.slice(0, writer.length));
  expect(writer.length).toBe(payload.length + FRAME_OVERHEAD);
  writer.clear();
  writer.append(5, payload, 1, 2);
  expect(read(writer.bytes.slice(0, writer.length)).frames).toEqual([
    { kind: 5, payload: new Uint8Array([2]) },
  ]);
});

test('a file cut at any point is a prefix with a torn end', () => {
  const { frames, bytes, starts } = make(2, [10, 0, 700, 30]);
  for (let end = 0; end < bytes.length; end++) {
    const whole = starts.filter((_, i) => (starts[i + 1] ?? bytes.length) <= end).length;
    const found = read(bytes.slice(0, end));
    expect(found.frames).toEqual(frames.slice(0, whole));
    expect(found.ending).toBe(starts.includes(end) ? 'clean' : 'torn');
  }
});

test('a last frame whose sectors were lost is torn, in whatever combination', () => {
  const { frames, bytes, starts } = make(3, [300, 3000]);
  const sectors = Math.ceil(bytes.length / 512);
  for (let lost = 1; lost < 1 << sectors; lost++) {
    const torn = bytes.slice();
    for (let sector = 0; sector < sectors; sector++) {
      if (lost & (1 << sector)) torn.fill(0, Math.max(starts[1]!, sector * 512), (sector + 1) * 512);
    }
    expect(read(torn)).toEqual({ frames: frames.slice(0, 1), ending: 'torn', offset: starts[1] });
  }
});

describe('a flipped bit', () => {
  test('in any frame but the last is damage', () => {
    const { frames, bytes, starts } = make(4, [20, 40, 30]);
    for (let bit = 0; bit < starts[2]! * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      const hit = bit >> 3 < starts[1]! ? 0 : 1;
      expect(read(bytes)).toEqual({ frames: frames.slice(0, hit), ending: 'damaged', offset: starts[hit] });
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
  });

  test('in a last frame that is all there is damage too, in its length as well', () => {
    const { frames, bytes, starts } = make(5, [20, 700]);
    for (let bit = starts[1]! * 8; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(read(bytes)).toEqual({ frames: frames.slice(0, 1), ending: 'damaged', offset: starts[1] });
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
  });
});

test('zeros behind the last frame are a torn end', () => {
  const { frames, bytes } = make(6, [20, 30]);
  const longer = new Uint8Array(bytes.length + 600);
  longer.set(bytes);
  expect(read(longer)).toEqual({ frames, ending: 'torn', offset: bytes.length });
});
