/**
 * XXH64 of byte ranges, the checksum of table blocks (0.4 us per 4 KiB through WebAssembly).
 *
 * The module compiles asynchronously, so every thread awaits `ready()` once before it opens or writes a table: in
 * `open` and at worker start. The result stays in `digest` as two 32-bit words, so that a caller compares numbers.
 * Ranges above CHUNK bytes are streamed, because the WebAssembly memory never shrinks again.
 * Source: https://github.com/Cyan4973/xxHash, doc/xxhash_spec.md (XXH64).
 */
import xxhash, { type XXHashAPI } from 'xxhash-wasm';

import { internal } from '../base/errors.ts';
import { xxh64Plain } from './xxh64-plain.ts';

const CHUNK = 256 * 1024;

let api: XXHashAPI | undefined;
let starting: Promise<void> | undefined;
/** Whether checksums before `ready()` resolved are computed slowly instead of being refused. */
let mayBePlain = false;

const seed64 = new BigUint64Array(1);
const seed32 = new Uint32Array(seed64.buffer);
const digest64 = new BigUint64Array(1);

/** Low and high half of the last `xxh64` on this thread. */
export const digest: Uint32Array = new Uint32Array(digest64.buffer);

/** Compiles the checksum code; once per thread, later calls give the same promise. */
export function ready(): Promise<void> {
  starting ??= xxhash().then((loaded) => {
    api = loaded;
  });
  return starting;
}

/** For the synchronous reader of a file: checksums work from now on, slowly until the compiled code is there. */
export function readyAtOnce(): void {
  mayBePlain = true;
  ready().catch(() => undefined);
}

/** XXH64 of [start, end) with the 64-bit seed (high, low); the result is left in `digest`. */
export function xxh64(
  bytes: Uint8Array,
  start: number,
  end: number,
  seedLow: number,
  seedHigh: number,
): void {
  seed32[0] = seedLow;
  seed32[1] = seedHigh;
  if (api === undefined) {
    if (!mayBePlain) throw internal('a checksum was asked for before ready() resolved');
    digest64[0] = xxh64Plain(bytes, start, end, seed64[0]!);
    return;
  }
  if (end - start <= CHUNK) {
    digest64[0] = api.h64Raw(bytes.subarray(start, end), seed64[0]);
    return;
  }
  const stream = api.create64(seed64[0]);
  for (let at = start; at < end; at += CHUNK) stream.update(bytes.subarray(at, Math.min(end, at + CHUNK)));
  digest64[0] = stream.digest();
}
