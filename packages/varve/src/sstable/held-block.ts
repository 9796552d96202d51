/**
 * A block in the hands of a walk, which keeps it whatever else is read: a copy, because the cache may evict its own between
 * two moves, or lent from memory that nobody else writes to. One thread.
 */
import { EMPTY } from '../base/bytes.ts';
import { ownMemory } from './own-memory.ts';
import type { ReadAhead } from './read-ahead.ts';

/** Most blocks fit this; larger ones get memory of their own. */
const USUAL_BLOCK_BYTES = 4096;
/** Memory for block copies is cut from pieces of this size: an array buffer for each would cost more than a seek. */
const SLAB_BYTES = 16 * USUAL_BLOCK_BYTES;
let slab = EMPTY;
let slabUsed = 0;

function blockBuffer(length: number): Uint8Array {
  if (length > USUAL_BLOCK_BYTES) return ownMemory(length);
  if (slabUsed + USUAL_BLOCK_BYTES > slab.length) {
    slab = ownMemory(SLAB_BYTES);
    slabUsed = 0;
  }
  slabUsed += USUAL_BLOCK_BYTES;
  return slab.subarray(slabUsed - USUAL_BLOCK_BYTES, slabUsed);
}

/** A block that a walk holds: its own copy, or lent from its own read-ahead buffer. */
export class HeldBlock {
  bytes: Uint8Array = EMPTY;
  start = 0;
  /** Undefined: one block at a time. */
  readonly readAhead: ReadAhead | undefined;
  #own = EMPTY;

  constructor(readAhead?: ReadAhead) {
    this.readAhead = readAhead;
  }

  copy(bytes: Uint8Array, start: number, length: number): void {
    const own = this.room(length);
    own.set(bytes.subarray(start, start + length));
    this.bytes = own;
    this.start = 0;
  }

  /** Memory for the next block, to be lent to it: what it holds now is gone. */
  room(length: number): Uint8Array {
    if (length > this.#own.length) this.#own = blockBuffer(length);
    return this.#own;
  }

  lend(bytes: Uint8Array, start: number): void {
    this.bytes = bytes;
    this.start = start;
  }
}
