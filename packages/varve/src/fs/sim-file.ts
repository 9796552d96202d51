/**
 * One file of the simulated disk: what programs see now, and what power loss may leave of it.
 *
 * The unit of a torn write is the 512-byte sector. From the first change of a sector after a sync on, its earlier
 * contents are kept: the durable one first, then some in between. A crash picks for each such sector any of them or the
 * current one. Sectors of a recycled file thus come back as the old records, and appended ones as zeros.
 * Invariant: a sector without earlier contents is the same on the disk as in the program's eyes.
 */
import type { Random } from '../base/random.ts';
import { MemoryFile } from './memory-file.ts';

export const sectorBytes = 512;
/** Earlier contents kept per sector: the durable one and the latest others. */
const contentsMax = 4;
const zeros = new Uint8Array(sectorBytes);

/** How much of what was not synced a crash leaves. */
export type Survival = 'everything' | 'nothing' | 'prefix' | 'independent';

export class SimFile {
  readonly inode: number;
  readonly #now: MemoryFile;
  readonly #earlier: Map<number, Uint8Array[]> = new Map();
  #durableLength = 0;
  /** Range of the lengths since the last sync. */
  #shortest = 0;
  #longest = 0;

  constructor(inode: number) {
    this.inode = inode;
    this.#now = new MemoryFile(inode);
  }

  get length(): number {
    return this.#now.length;
  }

  /** Would power loss now leave exactly what programs see? */
  get durable(): boolean {
    return (
      this.#earlier.size === 0 && this.#durableLength === this.length && this.#shortest === this.#longest
    );
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    return this.#now.read(target, offset, length, position);
  }

  write(source: Uint8Array, offset: number, length: number, position: number): void {
    if (length === 0) return;
    this.#remember(position, position + length);
    this.#now.write(source, offset, length, position);
    this.#longest = Math.max(this.#longest, this.length);
  }

  resize(length: number): void {
    this.#remember(length, this.length);
    this.#now.resize(length);
    this.#shortest = Math.min(this.#shortest, length);
    this.#longest = Math.max(this.#longest, length);
  }

  sync(): void {
    this.#earlier.clear();
    this.#durableLength = this.#shortest = this.#longest = this.length;
  }

  /** The file after power loss, all of it durable; this one stays as it is. */
  afterCrash(random: Random, survival: Survival): SimFile {
    const after = new SimFile(this.inode);
    const all = new Uint8Array(Math.max(this.length, this.#longest));
    this.#now.read(all, 0, this.length, 0);
    const cut = random.below(all.length + 1);
    for (const [sector, contents] of this.#earlier) {
      const at = sector * sectorBytes;
      const kept =
        survival === 'everything' ||
        (survival === 'prefix' && at < cut) ||
        (survival === 'independent' && random.oneIn(2));
      if (kept || at >= all.length) continue;
      const content = survival === 'independent' ? random.pick(contents) : contents[0]!;
      all.set(content.subarray(0, Math.min(sectorBytes, all.length - at)), at);
    }
    after.#now.resize(this.#lengthAfter(random, survival, cut));
    after.#now.write(all, 0, after.length, 0);
    after.sync();
    return after;
  }

  #lengthAfter(random: Random, survival: Survival, cut: number): number {
    if (survival === 'everything') return this.length;
    if (survival === 'nothing') return this.#durableLength;
    const low = Math.min(this.#durableLength, this.length);
    if (survival === 'prefix')
      return Math.min(Math.max(low, cut), Math.max(this.#durableLength, this.length));
    const between = this.#shortest + random.below(this.#longest - this.#shortest + 1);
    return random.pick([this.#durableLength, this.length, this.#shortest, between]);
  }

  /** Keeps what the sectors of [start, end) hold before they change. */
  #remember(start: number, end: number): void {
    for (let sector = Math.floor(start / sectorBytes); sector * sectorBytes < end; sector++) {
      let contents = this.#earlier.get(sector);
      if (contents === undefined) this.#earlier.set(sector, (contents = []));
      else if (contents.length === contentsMax) contents.splice(1, 1);
      contents.push(this.#sector(sector));
    }
  }

  #sector(sector: number): Uint8Array {
    if (sector * sectorBytes >= this.length) return zeros;
    const content = new Uint8Array(sectorBytes);
    this.#now.read(content, 0, sectorBytes, sector * sectorBytes);
    return content;
  }
}
