/**
 * The shared memory of a model: the SharedArrayBuffers of one instance, seen as numbered words of 32 bits.
 *
 * Every change is logged so that the search can take it back, and hashed so that it can tell states apart without reading
 * all of the memory. For each word it is kept which threads ever read and wrote it: a step on a word that no other thread
 * touches in a conflicting way needs no choice of order (machine.ts), and when such a word turns out to be shared after all,
 * `grown` says that the search has to begin anew.
 */

/** The bits of end checks and of invariants in the masks of readers. */
export const FINISH_BIT: number = 1 << 30;
export const INVARIANT_BIT: number = 1 << 29;

interface Region {
  name: string;
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  /** Bytes behind the last whole word; together they count as one more. */
  readonly rest: Uint8Array;
  readonly first: number;
}

function get({ words, rest }: Region, index: number): number {
  if (index < words.length) return words[index]!;
  let value = 0;
  for (let i = 0; i < rest.length; i++) value |= rest[i]! << (8 * i);
  return value;
}

function put({ words, rest }: Region, index: number, value: number): void {
  if (index < words.length) words[index] = value;
  else for (let i = 0; i < rest.length; i++) rest[i] = value >>> (8 * i);
}

export class ModelMemory {
  readonly #regions: Region[] = [];
  readonly #labels = new Map<number, string>();
  readonly #readers: number[] = [];
  readonly #writers: number[] = [];
  /** Who was assumed not to touch, and not to write, a word when a step on it was taken without a choice. */
  readonly #noReaders: number[] = [];
  readonly #noWriters: number[] = [];
  readonly #log: number[] = [];
  #hashLow = 0;
  #hashHigh = 0;
  /** Rises with every change of content. */
  #version = 0;
  grown = false;
  /** Every word counts as shared. */
  isAllShared = false;

  /** Makes a buffer part of the memory. */
  add(buffer: SharedArrayBuffer, name: string): void {
    if (this.firstWord(buffer) >= 0) return;
    const first = this.#readers.length;
    const words = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
    const rest = new Uint8Array(buffer, words.byteLength);
    this.#regions.push({ name, buffer, words, rest, first });
    for (let i = 0; i <= words.length; i++) {
      this.#readers.push(0);
      this.#writers.push(0);
      this.#noReaders.push(0);
      this.#noWriters.push(0);
    }
  }

  /** The number of a buffer's first word; -1 when it is not part of the memory. */
  firstWord(buffer: unknown): number {
    return this.#regions.find((region) => region.buffer === buffer)?.first ?? -1;
  }

  get regions(): number {
    return this.#regions.length;
  }

  get version(): number {
    return this.#version;
  }

  get hashLow(): number {
    return this.#hashLow;
  }

  get hashHigh(): number {
    return this.#hashHigh;
  }

  rename(buffer: SharedArrayBuffer, name: string): void {
    const region = this.#regions.find((each) => each.buffer === buffer);
    if (region !== undefined) region.name = name;
  }

  label(word: number, name: string): void {
    this.#labels.set(word, name);
  }

  /** What a word is called in a printed schedule. */
  nameOf(word: number): string {
    const label = this.#labels.get(word);
    if (label !== undefined) return label;
    const region = this.#regionOf(word);
    return `${region.name}[${word - region.first}]`;
  }

  read(word: number): number {
    const region = this.#regionOf(word);
    return get(region, word - region.first);
  }

  setWord(word: number, value: number): void {
    const region = this.#regionOf(word);
    const before = get(region, word - region.first);
    put(region, word - region.first, value);
    this.#record(word, before, value);
  }

  /** Runs `change`, which may write the given words, and logs what it did to them. */
  change<R>(words: readonly number[], change: () => R): R {
    const before = words.map((word) => this.read(word));
    const result = change();
    words.forEach((word, i) => this.#record(word, before[i]!, this.read(word)));
    return result;
  }

  /** Where the log stands, for `undo`. */
  mark(): number {
    return this.#log.length;
  }

  /** Takes back everything since `mark`. */
  undo(mark: number): void {
    while (this.#log.length > mark) {
      const before = this.#log.pop()!;
      const word = this.#log.pop()!;
      const region = this.#regionOf(word);
      this.#rehash(word, get(region, word - region.first), before);
      put(region, word - region.first, before);
      this.#version++;
    }
  }

  /** What was done so far becomes the beginning. */
  settle(): void {
    this.#log.length = 0;
    this.#hashLow = 0;
    this.#hashHigh = 0;
  }

  /** Does a step conflict with one of `others` (a mask of threads)? */
  isShared(words: readonly number[], isWrite: boolean, others: number): boolean {
    if (this.isAllShared) return true;
    for (const word of words) {
      const touched = isWrite ? this.#readers[word]! | this.#writers[word]! : this.#writers[word]!;
      if ((touched & others) !== 0) return true;
    }
    return false;
  }

  /** A step is taken without a choice because it conflicts with nothing that `others` do. */
  assume(words: readonly number[], isWrite: boolean, others: number): void {
    for (const word of words) {
      this.#noWriters[word]! |= others;
      if (isWrite) this.#noReaders[word]! |= others;
    }
  }

  /** Remembers who touched what. */
  note(words: readonly number[], isWrite: boolean, bit: number): void {
    for (const word of words) {
      const masks = isWrite ? this.#writers : this.#readers;
      if ((masks[word]! & bit) !== 0) continue;
      masks[word]! |= bit;
      const without = isWrite ? this.#noWriters : this.#noReaders;
      if ((without[word]! & bit) !== 0) this.grown = true;
    }
  }

  #record(word: number, before: number, after: number): void {
    if (before === after) return;
    this.#log.push(word, before);
    this.#rehash(word, before, after);
    this.#version++;
  }

  #rehash(word: number, before: number, after: number): void {
    this.#hashLow ^= mix(word, before, 0x9e3779b1) ^ mix(word, after, 0x9e3779b1);
    this.#hashHigh ^= mix(word, before, 0x85ebca6b) ^ mix(word, after, 0x85ebca6b);
  }

  #regionOf(word: number): Region {
    for (let i = this.#regions.length - 1; i >= 0; i--) {
      const region = this.#regions[i]!;
      if (word >= region.first) return region;
    }
    throw new Error(`there is no word ${word}`);
  }
}

/** One of 2^32 for a value in a place, and of a seed. */
export function mix(a: number, b: number, seed: number): number {
  let h = Math.imul(a ^ seed, 0xcc9e2d51);
  h = Math.imul(h ^ (h >>> 15) ^ b, 0x1b873593);
  h = Math.imul(h ^ (h >>> 13), 0x85ebca6b);
  h ^= h >>> 16;
  h = Math.imul(h + seed, 0xc2b2ae35);
  return h ^ (h >>> 15);
}
