/**
 * What a table of the simulator holds: keys are integers, values have only a size. Two typed arrays side by side, so that
 * merging millions of entries takes seconds.
 *
 * A stamp is `sequence * 2 + (1 for a delete)`: of two versions of a key the one with the larger stamp is the newer.
 * Invariant: keys ascend and no key is there twice, since nobody holds a snapshot in a simulation; fragments are disjoint and
 * ascend.
 */
import type { Fragment } from './fragments.ts';

export interface Contents {
  readonly keys: Uint32Array;
  readonly stamps: Uint32Array;
  readonly fragments: readonly Fragment[];
}

/** Points without range tombstones. */
export type Points = Pick<Contents, 'keys' | 'stamps'>;

export const KEY_BYTES = 4;
/** Stamps are 32 bits. */
export const SEQUENCE_MAX: number = 2 ** 31 - 1;

const noPoints: Points = { keys: new Uint32Array(0), stamps: new Uint32Array(0) };

/** The key as file metadata has it: order of bytes is order of numbers. */
export function encodeKey(key: number): Uint8Array {
  const bytes = new Uint8Array(KEY_BYTES);
  writeKey(bytes, key);
  return bytes;
}

export function writeKey(to: Uint8Array, key: number): void {
  to[0] = key >>> 24;
  to[1] = key >>> 16;
  to[2] = key >>> 8;
  to[3] = key;
}

/** The newest version of each key of all runs, in any order. */
export function mergeAll(runs: readonly Points[]): Points {
  if (runs.length === 0) return noPoints;
  // In pairs, so that each entry is moved log2(runs) times.
  let round = runs;
  while (round.length > 1) {
    const next: Points[] = [];
    for (let i = 0; i + 1 < round.length; i += 2) next.push(mergeTwo(round[i]!, round[i + 1]!));
    if (round.length % 2 === 1) next.push(round.at(-1)!);
    round = next;
  }
  return round[0]!;
}

/** Runs that follow each other, as one. */
export function concatenate(runs: readonly Points[]): Points {
  const only = runs.length === 1 ? runs[0] : undefined;
  if (only !== undefined) return only;
  const length = runs.reduce((sum, { keys }) => sum + keys.length, 0);
  const keys = new Uint32Array(length);
  const stamps = new Uint32Array(length);
  let at = 0;
  for (const run of runs) {
    keys.set(run.keys, at);
    stamps.set(run.stamps, at);
    at += run.keys.length;
  }
  return { keys, stamps };
}

/** Writes in their order become sorted points: of a key the last one stays. */
export function sortWrites(writeKeys: Uint32Array, writeStamps: Uint32Array, count: number): Points {
  const order = new Float64Array(count);
  // Key and position in one number below 2^53, which sorts natively.
  for (let i = 0; i < count; i++) order[i] = writeKeys[i]! * 2 ** 21 + i;
  order.sort();
  const keys = new Uint32Array(count);
  const stamps = new Uint32Array(count);
  let out = 0;
  for (let i = 0; i < count; i++) {
    const key = Math.floor(order[i]! / 2 ** 21);
    const next = i + 1 < count ? Math.floor(order[i + 1]! / 2 ** 21) : -1;
    if (next === key) continue;
    keys[out] = key;
    stamps[out++] = writeStamps[order[i]! - key * 2 ** 21]!;
  }
  return { keys: keys.subarray(0, out), stamps: stamps.subarray(0, out) };
}

/** Most writes that `sortWrites` takes. */
export const WRITES_MAX: number = 2 ** 21;

function mergeTwo(a: Points, b: Points): Points {
  const aKeys = a.keys;
  const bKeys = b.keys;
  const aLength = aKeys.length;
  const bLength = bKeys.length;
  const keys = new Uint32Array(aLength + bLength);
  const stamps = new Uint32Array(aLength + bLength);
  let i = 0;
  let j = 0;
  let out = 0;
  while (i < aLength && j < bLength) {
    const left = aKeys[i]!;
    const right = bKeys[j]!;
    if (left < right) {
      keys[out] = left;
      stamps[out++] = a.stamps[i++]!;
    } else if (right < left) {
      keys[out] = right;
      stamps[out++] = b.stamps[j++]!;
    } else {
      keys[out] = left;
      stamps[out++] = Math.max(a.stamps[i++]!, b.stamps[j++]!);
    }
  }
  const rest = i < aLength ? a : b;
  const from = i < aLength ? i : j;
  keys.set(rest.keys.subarray(from), out);
  stamps.set(rest.stamps.subarray(from), out);
  out += rest.keys.length - from;
  return { keys: keys.subarray(0, out), stamps: stamps.subarray(0, out) };
}
