/**
 * The memory that whole filters may take, of all open tables of a database together. A table that finds no room asks its
 * filter by parts through the block cache. One thread, like the tables.
 */
export class FilterMemory {
  readonly bytesMax: number;
  #held = 0;

  constructor(bytesMax: number = Number.POSITIVE_INFINITY) {
    this.bytesMax = bytesMax;
  }

  get bytesHeld(): number {
    return this.#held;
  }

  hasRoom(bytes: number): boolean {
    return this.#held + bytes <= this.bytesMax;
  }

  /** Counts bytes that are held now, with room or, where there is no other way, without. */
  take(bytes: number): void {
    this.#held += bytes;
  }

  give(bytes: number): void {
    this.#held -= bytes;
  }
}
