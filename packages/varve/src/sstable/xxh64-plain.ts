/**
 * XXH64 without WebAssembly, for a caller that can not wait for its compilation: `dumpFile` is synchronous. 150 us per
 * 4 KiB; checksum.ts, which everything else uses, takes 0.4 us, and takes over here too as soon as it is compiled.
 *
 * Source: https://github.com/Cyan4973/xxHash, doc/xxhash_spec.md (XXH64). Pure; any thread.
 */
const PRIME_1 = 0x9e3779b185ebca87n;
const PRIME_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME_3 = 0x165667b19e3779f9n;
const PRIME_4 = 0x85ebca77c2b2ae63n;
const PRIME_5 = 0x27d4eb2f165667c5n;

const STRIPE_BYTES = 32;

/** XXH64 of [start, end) with a 64-bit seed. */
export function xxh64Plain(bytes: Uint8Array, start: number, end: number, seed: bigint): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = start;
  let hash: bigint;
  if (end - start >= STRIPE_BYTES) {
    let a = cut(cut(seed + PRIME_1) + PRIME_2);
    let b = cut(seed + PRIME_2);
    let c = cut(seed);
    let d = cut(seed - PRIME_1);
    for (; at + STRIPE_BYTES <= end; at += STRIPE_BYTES) {
      a = round(a, view.getBigUint64(at, true));
      b = round(b, view.getBigUint64(at + 8, true));
      c = round(c, view.getBigUint64(at + 16, true));
      d = round(d, view.getBigUint64(at + 24, true));
    }
    hash = cut(cut(rotate(a, 1n) + rotate(b, 7n)) + cut(rotate(c, 12n) + rotate(d, 18n)));
    for (const lane of [a, b, c, d]) hash = cut(cut((hash ^ round(0n, lane)) * PRIME_1) + PRIME_4);
  } else {
    hash = cut(seed + PRIME_5);
  }
  hash = cut(hash + BigInt(end - start));
  for (; at + 8 <= end; at += 8) {
    hash = cut(cut(rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * PRIME_1) + PRIME_4);
  }
  if (at + 4 <= end) {
    hash = cut(cut(rotate(hash ^ cut(BigInt(view.getUint32(at, true)) * PRIME_1), 23n) * PRIME_2) + PRIME_3);
    at += 4;
  }
  for (; at < end; at++) hash = cut(rotate(hash ^ cut(BigInt(bytes[at]!) * PRIME_5), 11n) * PRIME_1);
  hash = cut((hash ^ (hash >> 33n)) * PRIME_2);
  hash = cut((hash ^ (hash >> 29n)) * PRIME_3);
  return hash ^ (hash >> 32n);
}

function round(lane: bigint, word: bigint): bigint {
  return cut(rotate(cut(lane + cut(word * PRIME_2)), 31n) * PRIME_1);
}

function rotate(word: bigint, by: bigint): bigint {
  return cut(word << by) | (word >> (64n - by));
}

function cut(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}
