/** What travels between the processes of `transactions`, and what each store brings: forms of reading, changing and writing a key. */

import { setImmediate as turn } from 'node:timers/promises';
import type { KeyBuffer } from '../keys.ts';
import type { Random } from '../random.ts';

export interface Job {
  readonly store: 'varve' | 'lmdb' | 'rocksdb';
  readonly path: string;
  readonly keys: number;
  readonly hotKeys: number;
  readonly writers: number;
  readonly valueSize: number;
  /** Milliseconds of one measurement, and how many there are of each form. */
  readonly ms: number;
  readonly rounds: number;
  readonly seed: number;
}

/** One way to do it. Runs until `end` (performance.now) and returns how many operations went through. */
export interface Form {
  readonly name: string;
  run(end: number): Promise<number>;
}

export interface Forms {
  readonly forms: readonly Form[];
  close(): Promise<void>;
}

/** Operations a second by form, one a round. */
export type Rates = Record<string, number[]>;

export const KEY_SIZE = 16;
/** Operations between two looks at the clock. */
export const STRIDE = 256;

/** One operation after the other, each on a random key of `keys`. */
export function oneByOne(
  name: string,
  key: KeyBuffer,
  keys: number,
  random: Random,
  operate: () => unknown,
): Form {
  return {
    name,
    async run(end) {
      let count = 0;
      for (; performance.now() < end; await turn()) {
        for (let i = 0; i < STRIDE; i++) {
          key.set(random.below(keys));
          const made = operate();
          if (made instanceof Promise) await made;
        }
        count += STRIDE;
      }
      return count;
    },
  };
}
