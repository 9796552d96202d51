/**
 * Adds whole numbers of 8 bytes, big-endian, as the codec `u64` writes them. Sums are taken modulo 2^64, so adding
 * 2n ** 64n - 1n takes one away.
 */
import type { MergeOperator } from '../merge-operator.ts';

const BYTES = 8;
const HALF = 2 ** 32;

/**
 * A counter for keyspaces with `value: u64`: the value is the sum of what was put last and all operands since; a key without
 * one begins at 0.
 *
 * Errors: `OPERAND_INVALID` for an operand that has not 8 bytes.
 *
 * @example
 * const visits = db.keyspace('visits', { key: utf8, value: u64, mergeOperator: counter });
 * visits.merge('/', 1);
 */
export const counter: MergeOperator = {
  name: 'varve.counter',
  version: 1,
  merge(_key: Uint8Array, existing: Uint8Array | undefined, operands: readonly Uint8Array[]): Uint8Array {
    // Halves of 32 bits: a sum of many fits a number, and nothing is allocated for each.
    let high = 0;
    let low = 0;
    const add = (bytes: Uint8Array): void => {
      if (bytes.length !== BYTES) throw new Error(`a counter has 8 bytes; got ${bytes.length}`);
      low += half(bytes, 4);
      high += half(bytes, 0);
      if (low >= HALF) {
        low -= HALF;
        high++;
      }
      if (high >= HALF) high -= HALF;
    };
    if (existing !== undefined) add(existing);
    for (const operand of operands) add(operand);
    const sum = new Uint8Array(BYTES);
    for (let i = 0; i < 4; i++) {
      sum[i] = high >>> (24 - 8 * i);
      sum[4 + i] = low >>> (24 - 8 * i);
    }
    return sum;
  },
  partialMerge: (key: Uint8Array, older: Uint8Array, newer: Uint8Array): Uint8Array =>
    counter.merge(key, older, [newer]),
  refuse: (operand: Uint8Array): string | undefined =>
    operand.length === BYTES ? undefined : '8 bytes, as the value codec u64 writes them',
};

function half(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
