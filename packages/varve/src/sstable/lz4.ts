/**
 * LZ4 blocks by WebAssembly: what lz4-wasm-nodejs brings, called without its own wrapping, which copies each block once more on
 * either side and makes an array for it. The block format is lz4_Block_format.md of the LZ4 project.
 *
 * The wasm module works on its own memory, which may move when it grows: views of it are made anew after each call. What a
 * call returns is lent until the next one. One instance a thread; nothing here is shared.
 */
import * as lz4 from 'lz4-wasm-nodejs';

import { getU32, putU32 } from '../base/fixed.ts';

/** The functions of the module, as wasm-bindgen names them. `ret` is where a call leaves pointer and length. */
interface Lz4Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  compress(ret: number, input: number, length: number): void;
  /** The input begins with the raw length, u32; a third and fourth word of `ret` tell of an error. */
  decompress(ret: number, input: number, length: number): void;
  __wbindgen_malloc(bytes: number): number;
  __wbindgen_free(pointer: number, bytes: number): void;
  __wbindgen_add_to_stack_pointer(bytes: number): number;
}

const wasm: Lz4Exports = (lz4 as unknown as { readonly __wasm: Lz4Exports }).__wasm;
/** Pointer, length, error, is there an error. */
const RET_BYTES = 16;
const LENGTH_BYTES = 4;

let memory = new Uint8Array(wasm.memory.buffer);

function current(): Uint8Array {
  if (memory.buffer !== wasm.memory.buffer) memory = new Uint8Array(wasm.memory.buffer);
  return memory;
}

/** What the last call has returned and nobody needs any more. */
let lentAt = 0;
let lentBytes = 0;

function giveBack(): void {
  if (lentBytes > 0) wasm.__wbindgen_free(lentAt, lentBytes);
  lentBytes = 0;
}

/** The LZ4 block of [start, end), without a length: lent until the next call of anything here. */
export function packLz4(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  const input = wasm.__wbindgen_malloc(length);
  current().set(bytes.subarray(start, end), input);
  giveBack();
  const ret = wasm.__wbindgen_add_to_stack_pointer(-RET_BYTES);
  try {
    wasm.compress(ret, input, length);
    const after = current();
    lentAt = getU32(after, ret);
    lentBytes = getU32(after, ret + 4);
    return after.subarray(lentAt + LENGTH_BYTES, lentAt + lentBytes);
  } finally {
    wasm.__wbindgen_add_to_stack_pointer(RET_BYTES);
  }
}

/**
 * The raw bytes of the LZ4 block [start, end), in memory of their own, or in `room` if they are as many as were expected.
 * @throws Error when it is no such block
 */
export function unpackLz4(
  bytes: Uint8Array,
  start: number,
  end: number,
  rawLength: number,
  room?: Uint8Array,
): Uint8Array {
  const length = LENGTH_BYTES + end - start;
  const input = wasm.__wbindgen_malloc(length);
  const before = current();
  putU32(before, input, rawLength);
  before.set(bytes.subarray(start, end), input + LENGTH_BYTES);
  giveBack();
  const ret = wasm.__wbindgen_add_to_stack_pointer(-RET_BYTES);
  try {
    wasm.decompress(ret, input, length);
    const after = current();
    if (getU32(after, ret + 12) !== 0) throw new Error('the bytes are no LZ4 block');
    const at = getU32(after, ret);
    const rawBytes = getU32(after, ret + 4);
    try {
      if (room === undefined || rawBytes !== rawLength) return after.slice(at, at + rawBytes);
      room.set(after.subarray(at, at + rawBytes));
      return room.subarray(0, rawBytes);
    } finally {
      wasm.__wbindgen_free(at, rawBytes);
    }
  } finally {
    wasm.__wbindgen_add_to_stack_pointer(RET_BYTES);
  }
}
