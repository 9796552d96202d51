/**
 * The binary search of a block beside a hash index, behind the block with RocksDB's load, and before it with half of that,
 * which is the best that can be thought of: blocks of 4 KiB with 33 entries of 16 + 100 bytes, a few of
 * them (all in the processor's caches) or spread over more memory than the caches hold. Behind
 * docs/decisions/0014-no-hash-index-in-blocks.md.
 *
 * Each lookup waits for the one before: the byte of the value that it reads takes part in the choice of the next. So
 * what is measured is the time until the value is there, and not how many lookups a processor can have under way.
 * Hashes are computed before, as the filter has them. The ways take turns every thousand lookups, a time in which other
 * processes rarely get the processor, each at another place of the list, so that none meets what another has just read.
 */
import { BlockBuilder, hashKey, KIND_PUT, lookUp, PointResult } from 'varve/internals';
import { formatBinaryBytes } from '../format.ts';
import { KeyBuffer } from '../keys.ts';
import { Random } from '../random.ts';
import { addHashIndex, lookUpHashed } from './hashed-block.bench.ts';
import { inRounds, middle, row, type StudyMeans } from './rounds.bench.ts';

const KEY_BYTES = 16;
const BLOCK_BYTES = 4096;
/** As many as fit into a block when its keys share little. */
const ENTRIES = 33;
/** Room for an index. */
const ROOM = 128;
/** A block with room on both sides: all ways meet the same memory. */
const SLOT_BYTES = ROOM + BLOCK_BYTES + ROOM;
/** Buckets of an index: at RocksDB's default load of 0.75, and at half of it. */
const BEHIND = Math.ceil(ENTRIES / 0.75);
const BEFORE = Math.ceil(ENTRIES / 0.375);
const LOOKUPS = 200_000;
/** Looked up in a row. */
const CHUNK = 1_000;
const SEQUENCE = 1_000_000;
const VALUE = new Uint8Array(100).fill(118);
const SPREADS = [64 * 1024, 128 * 2 ** 20, 1024 * 2 ** 20] as const;

type Keys = 'decimal' | 'random';

/** Blocks, each in its slot, and what is looked up in them. */
interface World {
  readonly bytes: Uint8Array;
  /** Start of the block and of the index behind it, by lookup. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly hashes: Uint32Array;
  /** Keys of the lookups, one after the other. */
  readonly keys: Uint8Array;
  /** Share of the keys that an index leaves to the search. */
  readonly leftBehind: number;
  readonly leftBefore: number;
}

export async function studyBlockHash({ rounds, say }: StudyMeans): Promise<void> {
  say(`${rounds} times ${LOOKUPS} lookups; nanoseconds a lookup, medians of ${CHUNK} in a row`);
  say(row('', ['search', 'index behind', 'saved', 'index before', 'saved', 'left to search']));
  for (const keys of ['decimal', 'random'] as const) {
    for (const spread of SPREADS) {
      const world = makeWorld(keys, Math.max(1, Math.floor(spread / SLOT_BYTES)));
      const ways = [search, hashBehind, hashBefore].map((run, index) => ({
        run,
        at: Math.floor((index * LOOKUPS) / 3 / CHUNK) * CHUNK,
      }));
      const results = await inRounds(ways, (rounds * LOOKUPS) / CHUNK, (way) => {
        const start = performance.now();
        const found = way.run(world, way.at, way.at + CHUNK);
        const ns = ((performance.now() - start) * 1e6) / CHUNK;
        if (found !== CHUNK) throw new Error(`${found} of ${CHUNK} keys were found`);
        way.at = (way.at + CHUNK) % LOOKUPS;
        return ns;
      });
      const [searched, behind, before] = results.map((own) => middle(own, (ns) => ns)) as [
        number,
        number,
        number,
      ];
      const saved = (ns: number): string => `${((1 - ns / searched) * 100).toFixed(0)} %`;
      const share = (left: number): string => `${(left * 100).toFixed(0)} %`;
      say(
        row(`${keys} keys, blocks over ${formatBinaryBytes(spread)}`, [
          searched.toFixed(0),
          behind.toFixed(0),
          saved(behind),
          before.toFixed(0),
          saved(before),
          `${share(world.leftBehind)}, ${share(world.leftBefore)}`,
        ]),
      );
    }
  }
  say(`an index takes ${BEHIND} bytes a block, or ${BEFORE}`);
}

function makeWorld(keys: Keys, blocks: number): World {
  const random = new Random(1);
  const bytes = new Uint8Array(new SharedArrayBuffer(blocks * SLOT_BYTES));
  const endOf = new Uint32Array(blocks);
  let leftBehind = 0;
  let leftBefore = 0;
  // The keys of a block can be made again from its number.
  const keysOf = (block: number): Uint8Array[] => keysOfBlock(keys, block);
  const builder = new BlockBuilder();
  for (let block = 0; block < blocks; block++) {
    for (const key of keysOf(block)) {
      const sequence = 1 + random.below(SEQUENCE);
      builder.add(key, 0, KEY_BYTES, sequence, KIND_PUT, VALUE, 0, VALUE.length);
    }
    const start = block * SLOT_BYTES + ROOM;
    const end = builder.finish(bytes, start);
    if (end > start + BLOCK_BYTES) throw new Error('a block is too large');
    endOf[block] = end;
    leftBehind += addHashIndex(bytes, start, end, BEHIND);
    leftBefore += addHashIndex(bytes, start, start - BEFORE, BEFORE);
  }
  const world: World = {
    bytes,
    starts: new Uint32Array(LOOKUPS),
    ends: new Uint32Array(LOOKUPS),
    hashes: new Uint32Array(LOOKUPS),
    keys: new Uint8Array(LOOKUPS * KEY_BYTES),
    leftBehind: leftBehind / (blocks * ENTRIES),
    leftBefore: leftBefore / (blocks * ENTRIES),
  };
  for (let i = 0; i < LOOKUPS; i++) {
    const block = random.below(blocks);
    const key = keysOf(block)[random.below(ENTRIES)]!;
    world.starts[i] = block * SLOT_BYTES + ROOM;
    world.ends[i] = endOf[block]!;
    world.hashes[i] = hashKey(key, 0, KEY_BYTES);
    world.keys.set(key, i * KEY_BYTES);
  }
  return world;
}

/** Neighbouring numbers in decimal, or random bytes of which neighbours share two, as in a table of some million. */
function keysOfBlock(keys: Keys, block: number): Uint8Array[] {
  if (keys === 'decimal') {
    const key = new KeyBuffer(KEY_BYTES);
    return Array.from({ length: ENTRIES }, (_, i) => {
      key.set(block * ENTRIES + i);
      return key.bytes.slice();
    });
  }
  const random = new Random(block + 1);
  const made = Array.from({ length: ENTRIES }, () => {
    const key = new Uint8Array(KEY_BYTES);
    key[0] = block >>> 8;
    key[1] = block;
    for (let i = 2; i < KEY_BYTES; i++) key[i] = random.u32();
    return key;
  });
  return made.toSorted((a, b) => Buffer.compare(a, b));
}

function search({ bytes, starts, keys }: World, first: number, end: number): number {
  const out = new PointResult();
  let found = 0;
  let i = first;
  for (let done = first; done < end; done++) {
    const key = i * KEY_BYTES;
    if (lookUp(bytes, starts[i]!, keys, key, key + KEY_BYTES, SEQUENCE, out)) found++;
    // Values have no byte above 127, which the processor can not know.
    i = done + 1 + (bytes[out.valueStart]! >>> 7);
  }
  return found;
}

/** Two functions, so that each is compiled for itself. */
function hashBehind({ bytes, starts, ends, hashes, keys }: World, first: number, end: number): number {
  const out = new PointResult();
  let found = 0;
  let i = first;
  for (let done = first; done < end; done++) {
    const from = i * KEY_BYTES;
    const to = from + KEY_BYTES;
    if (lookUpHashed(bytes, starts[i]!, ends[i]!, BEHIND, hashes[i]!, keys, from, to, SEQUENCE, out)) found++;
    i = done + 1 + (bytes[out.valueStart]! >>> 7);
  }
  return found;
}

function hashBefore({ bytes, starts, hashes, keys }: World, first: number, end: number): number {
  const out = new PointResult();
  let found = 0;
  let i = first;
  for (let done = first; done < end; done++) {
    const from = i * KEY_BYTES;
    const to = from + KEY_BYTES;
    const index = starts[i]! - BEFORE;
    if (lookUpHashed(bytes, starts[i]!, index, BEFORE, hashes[i]!, keys, from, to, SEQUENCE, out)) found++;
    i = done + 1 + (bytes[out.valueStart]! >>> 7);
  }
  return found;
}
