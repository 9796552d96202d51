/**
 * Counts the entries of a table that expire, and between which times: for its properties and the manifest, from which
 * pickers tell how much of the table is gone by now. Used by the writer, and by verify, which holds the two together.
 */
export interface ExpiryFacts {
  /** Entries that expire. */
  readonly expiring: number;
  /** Of these, milliseconds since 1970. */
  readonly earliestExpiry: number;
  readonly latestExpiry: number;
}

export class ExpiryTally {
  #count = 0;
  #earliest = 0;
  #latest = 0;

  add(expiry: number): void {
    if (this.#count++ === 0 || expiry < this.#earliest) this.#earliest = expiry;
    if (expiry > this.#latest) this.#latest = expiry;
  }

  /** Undefined when nothing expires. */
  facts(): ExpiryFacts | undefined {
    if (this.#count === 0) return undefined;
    return { expiring: this.#count, earliestExpiry: this.#earliest, latestExpiry: this.#latest };
  }
}
