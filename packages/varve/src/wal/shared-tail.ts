/**
 * Where the end of the log is, in memory that several threads share: what a thread that takes the write lock goes on from,
 * and what a writer that died in the middle has left.
 *
 * Two copies of the words below and a selector that names the valid one. `store` fills the other copy, then turns the selector:
 * one atomic store, before which nothing has happened and after which all of it has. For a record that is the moment from
 * which its batch counts as written: who finds `lastSequence` above the visible sequence applies the record again.
 * Read and written under the write lock only; the lock's own words order one holder after another.
 */

/** What is kept; plain numbers, one object a thread that is filled and stored again and again. */
export class TailWords {
  /** Bytes of whole records in the log buffer. */
  used = 0;
  /** The segment that is written, and how far it was handed to the system. */
  segment = 0;
  segmentBytes = 0;
  lastSequence = 0;
  handedOverSequence = 0;
  syncedSegment = 0;
  syncedOffset = 0;
  syncedSequence = 0;
  /** 1: nothing follows the marker at the end. */
  isSealed = 0;
  isDiskFull = 0;
  /** Body of the last batch record: where it begins in the log buffer, or -1, and its length. */
  recordAt = -1;
  recordLength = 0;
  /** Where in the segment it begins, when it went past the buffer. */
  recordOffset = 0;
  /** 1: segments before this one are not on disk whole. */
  isOlderUnsynced = 0;
  /** 1: names of segments are not on disk. */
  isDirectoryUnsynced = 0;
  /** Stored time of the newest batch. */
  lastTime = 0;
}

const FIELDS = 16;
/** Selector, and what keeps the copies aligned. */
const SELECTOR_BYTES = 8;
export const TAIL_BYTES: number = SELECTOR_BYTES + 2 * FIELDS * 8;

export class SharedTail {
  readonly memory: SharedArrayBuffer;
  readonly words: TailWords = new TailWords();
  readonly #selector: Int32Array;
  readonly #copies: Float64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(TAIL_BYTES)) {
    this.memory = memory;
    this.#selector = new Int32Array(memory, 0, 1);
    this.#copies = new Float64Array(memory, SELECTOR_BYTES);
  }

  /** Fills `words` with what was stored last. */
  load(): TailWords {
    const { words } = this;
    const copies = this.#copies;
    let at = Atomics.load(this.#selector, 0) * FIELDS;
    words.used = copies[at++]!;
    words.segment = copies[at++]!;
    words.segmentBytes = copies[at++]!;
    words.lastSequence = copies[at++]!;
    words.handedOverSequence = copies[at++]!;
    words.syncedSegment = copies[at++]!;
    words.syncedOffset = copies[at++]!;
    words.syncedSequence = copies[at++]!;
    words.isSealed = copies[at++]!;
    words.isDiskFull = copies[at++]!;
    words.recordAt = copies[at++]!;
    words.recordLength = copies[at++]!;
    words.recordOffset = copies[at++]!;
    words.isOlderUnsynced = copies[at++]!;
    words.isDirectoryUnsynced = copies[at++]!;
    words.lastTime = copies[at]!;
    return words;
  }

  /** Makes `words` what counts. */
  store(): void {
    const { words } = this;
    const copies = this.#copies;
    const other = 1 - Atomics.load(this.#selector, 0);
    let at = other * FIELDS;
    copies[at++] = words.used;
    copies[at++] = words.segment;
    copies[at++] = words.segmentBytes;
    copies[at++] = words.lastSequence;
    copies[at++] = words.handedOverSequence;
    copies[at++] = words.syncedSegment;
    copies[at++] = words.syncedOffset;
    copies[at++] = words.syncedSequence;
    copies[at++] = words.isSealed;
    copies[at++] = words.isDiskFull;
    copies[at++] = words.recordAt;
    copies[at++] = words.recordLength;
    copies[at++] = words.recordOffset;
    copies[at++] = words.isOlderUnsynced;
    copies[at++] = words.isDirectoryUnsynced;
    copies[at] = words.lastTime;
    Atomics.store(this.#selector, 0, other);
  }
}
