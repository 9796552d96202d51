/**
 * A fixed loop that says how fast this machine is right now, in steps a second: figures divided by it can be compared
 * between machines and between a quiet hour and a busy one, as far as that is possible.
 *
 * A step is what an engine in this language does: a read at a random place of 32 MiB that depends on the one before (a
 * cache miss), and a hash of 16 bytes. It uses nothing of Varve, so no change of the engine changes it. `check` divides by
 * it; `compare` says with it whether the machine was quiet.
 */
import { Random } from './random.ts';

const WORDS = 2 ** 23;
const STEPS = 200_000;
const PASSES = 2;
const HASHED_BYTES = 16;

export class Calibration {
  readonly #words = new Uint32Array(WORDS);
  readonly #bytes = new Uint8Array(1024);

  constructor() {
    const random = new Random(1);
    for (let i = 0; i < WORDS; i++) this.#words[i] = random.u32();
    for (let i = 0; i < this.#bytes.length; i++) this.#bytes[i] = random.u32();
    this.#walk();
  }

  /** Steps a second: the better of two passes, since nothing makes the loop faster than the machine. */
  measure(): number {
    let best = 0;
    for (let pass = 0; pass < PASSES; pass++) {
      const start = performance.now();
      this.#walk();
      best = Math.max(best, (STEPS / (performance.now() - start)) * 1000);
    }
    return best;
  }

  #walk(): void {
    const words = this.#words;
    const bytes = this.#bytes;
    let at = 1;
    let hash = 0;
    for (let i = 0; i < STEPS; i++) {
      at = (words[at]! ^ Math.imul(i, 0x9e3779b1)) & (WORDS - 1);
      const from = at & (bytes.length - HASHED_BYTES - 1);
      for (let byte = 0; byte < HASHED_BYTES; byte++)
        hash = Math.imul(hash ^ bytes[from + byte]!, 0x01000193);
    }
    // Keeps the result, and with it the loop.
    words[0] = hash;
  }
}
