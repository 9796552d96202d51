/**
 * Where bits are flipped: random positions over all files of all specimens, such that small files have their share: half of
 * the positions choose a specimen and a file first, half a byte. Of every four in a file one is near its start or its end.
 */
import { Random } from 'varve/testing';
import type { Mutation } from './judge.ts';
import type { Specimen } from './specimens.ts';

const EDGE_BYTES = 256;

interface Place {
  readonly specimen: string;
  readonly file: string;
  readonly bytes: number;
}

/** `count` positions that follow from `seed`, given the same specimens. */
export function randomMutations(specimens: readonly Specimen[], count: number, seed: number): Mutation[] {
  const random = new Random(seed);
  const places: Place[] = [];
  let total = 0;
  for (const { name: specimen, files } of specimens) {
    for (const [file, { length: bytes }] of files) {
      if (bytes > 0) places.push({ specimen, file, bytes });
      total += bytes;
    }
  }
  const mutations: Mutation[] = [];
  while (mutations.length < count) {
    const { specimen, file, bytes } = random.oneIn(2)
      ? byFile(places, specimens, random)
      : byByte(places, random.below(total));
    const edge = Math.min(bytes, EDGE_BYTES);
    const roll = random.below(8);
    const offset =
      roll === 0 ? random.below(edge) : roll === 1 ? bytes - 1 - random.below(edge) : random.below(bytes);
    mutations.push({ specimen, file, offset, bit: random.below(8) });
  }
  return mutations;
}

function byFile(places: readonly Place[], specimens: readonly Specimen[], random: Random): Place {
  const { name } = random.pick(specimens);
  return random.pick(places.filter(({ specimen }) => specimen === name));
}

function byByte(places: readonly Place[], byte: number): Place {
  let left = byte;
  for (const place of places) {
    if (left < place.bytes) return place;
    left -= place.bytes;
  }
  return places.at(-1)!;
}
