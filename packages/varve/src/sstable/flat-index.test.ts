import { expect, test } from 'vitest';
import { compareBytes } from '../base/bytes.ts';
import { Random } from '../base/random.ts';
import { BlockView } from './block.ts';
import { BlockBuilder } from './block-builder.ts';
import { UNDECIDED } from '../base/key-fragments.ts';
import { FlatIndex } from './flat-index.ts';
import { putBlockHandle } from './format.ts';
import { ByteReader } from '../base/varint.ts';

/** Reads handles as the loader does. */
class Handles {
  handleOffset = 0;
  handleLength = 0;
  readHandle(view: BlockView, index: number): void {
    const reader = new ByteReader(view.bytes, view.valueStart(index), view.valueStart(index + 1));
    this.handleOffset = reader.varint();
    this.handleLength = reader.varint();
  }
}

function blockOf(keys: readonly Uint8Array[]): BlockView {
  const builder = new BlockBuilder();
  const handle = new Uint8Array(16);
  keys.forEach((key, i) => {
    const end = putBlockHandle(handle, 0, i * 4096, 4000 + i);
    builder.add(key, 0, key.length, 7, 1, handle, 0, end);
  });
  const bytes = new Uint8Array(builder.bytes);
  builder.finish(bytes, 0);
  const view = new BlockView();
  view.open(bytes, 0);
  return view;
}

function randomKey(random: Random): Uint8Array {
  const key = new Uint8Array(random.below(9));
  for (let i = 0; i < key.length; i++) key[i] = random.pick([0, 1, 0x61, 0x7f, 0x80, 0xff]);
  return key;
}

test('a decided search is the search of the block, and an undecided one has an entry with the same four bytes', () => {
  const random = new Random(5);
  for (let round = 0; round < 200; round++) {
    const prefix = new Uint8Array(random.below(4)).fill(0x70);
    const join = (key: Uint8Array): Uint8Array => Uint8Array.from([...prefix, ...key]);
    const keys = Array.from({ length: 1 + random.below(30) }, () => join(randomKey(random)))
      .toSorted(compareBytes)
      .filter((key, i, all) => i === 0 || compareBytes(key, all[i - 1]!) !== 0);
    const view = blockOf(keys);
    const flat = new FlatIndex(view, new Handles());
    expect(keys.map((_, i) => flat.offset(i))).toEqual(keys.map((_, i) => i * 4096));
    expect(keys.map((_, i) => flat.length(i))).toEqual(keys.map((_, i) => 4000 + i));
    for (let i = 0; i < 50; i++) {
      const key = random.oneIn(4) ? randomKey(random) : join(randomKey(random));
      const found = flat.keys.search(key, 0, key.length);
      const expected = view.search(key, 0, key.length, 7);
      if (found !== UNDECIDED) expect(found).toBe(expected);
      else expect(keys.some((each) => sameStart(each, key, view.prefixLength))).toBe(true);
    }
  }
});

function sameStart(a: Uint8Array, b: Uint8Array, prefix: number): boolean {
  for (let i = 0; i < prefix + 4; i++) if ((a[i] ?? 0) !== (b[i] ?? 0)) return false;
  return true;
}
