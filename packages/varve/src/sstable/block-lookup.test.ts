import { expect, test } from 'vitest';
import { compareBytes } from '../base/bytes.ts';
import { PointResult } from '../base/entry.ts';
import { KIND_DELETE, KIND_PUT } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { BlockBuilder } from './block-builder.ts';
import { lookUp } from './block-lookup.ts';
import { BlockView } from './block.ts';

interface Entry {
  key: Uint8Array;
  sequence: number;
  kind: number;
  value: Uint8Array;
}

function randomEntries(random: Random): Entry[] {
  const shape = random.below(3);
  const entries: Entry[] = [];
  const prefix = new Uint8Array(random.pick([0, 3, 20])).fill(0x6b);
  for (let i = 1 + random.below(60); i > 0; i--) {
    const tail = Uint8Array.from({ length: random.below(4) }, () => random.pick([0, 0x61, 0x62, 0xff]));
    entries.push({
      key: Uint8Array.from([...prefix, ...tail]),
      // All the same, narrow, or further apart than 32 bits.
      sequence: shape === 0 ? 7 : random.below(shape === 1 ? 50 : 2 ** 45),
      kind: random.oneIn(4) ? KIND_DELETE : KIND_PUT,
      value: new Uint8Array(random.pick([0, 1, 9, 3000])).fill(i),
    });
  }
  entries.sort((a, b) => compareBytes(a.key, b.key) || b.sequence - a.sequence);
  return entries.filter((e, i) => {
    const before = entries[i - 1];
    return before === undefined || compareBytes(before.key, e.key) !== 0 || before.sequence !== e.sequence;
  });
}

test('finds what the sorted entries hold, at every sequence, in narrow and wide blocks', () => {
  const random = new Random(31);
  const wides = new Set<boolean>();
  for (let round = 0; round < 150; round++) {
    const entries = randomEntries(random);
    const builder = new BlockBuilder();
    for (const { key, sequence, kind, value } of entries) {
      builder.add(key, 0, key.length, sequence, kind, value, 0, value.length);
    }
    const start = random.below(9);
    const bytes = new Uint8Array(start + builder.bytes);
    builder.finish(bytes, start);
    const view = new BlockView();
    view.open(bytes, start);
    wides.add(view.wide);
    const out = new PointResult();
    for (let i = 0; i < 60; i++) {
      const near = random.pick(entries);
      const key = random.oneIn(4) ? near.key.slice(0, random.below(near.key.length + 1)) : near.key;
      const sequence = random.pick([near.sequence, near.sequence - 1, near.sequence + 1, 2 ** 46]);
      const room = new Uint8Array(key.length + 3);
      room.set(key, 2);
      const expected = entries.find((e) => compareBytes(e.key, key) === 0 && e.sequence <= sequence);
      const found = lookUp(bytes, start, room, 2, 2 + key.length, sequence, out);
      expect(found).toBe(expected !== undefined);
      if (expected === undefined) continue;
      expect([out.sequence, out.kind]).toEqual([expected.sequence, expected.kind]);
      expect(out.value.slice(out.valueStart, out.valueEnd)).toEqual(expected.value);
    }
  }
  expect(wides.size).toBe(2);
});
