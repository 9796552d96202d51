/**
 * How far a compaction job is, and which files it has made so far, in memory that its owner reads while it runs: for the
 * picture of what is going on, and for cleaning up after a thread that died (whoever died removes nothing).
 *
 *   word  written by  meaning
 *     0   the job     input that it has gone through, in KiB
 *     1   the job     files created; each number is stored before it is counted, and counted before the file is there
 *     2.. the job     the numbers of the first CREATED_MAX files
 */
const DONE = 0;
const COUNT = 1;
const NUMBERS = 2;
/** Of a job that makes more the rest is removed by the next open. */
const CREATED_MAX = 1022;
const KIB = 1024;

export class JobProgress {
  readonly #words: Int32Array;
  /** Bytes passed that do not make up a KiB yet. */
  #rest = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer((NUMBERS + CREATED_MAX) * 4);
  }

  /** Bytes of input gone through. */
  get doneBytes(): number {
    return Atomics.load(this.#words, DONE) * KIB;
  }

  /** The job has gone through so many more bytes. */
  pass(bytes: number): void {
    this.#rest += bytes;
    const whole = Math.floor(this.#rest / KIB);
    if (whole === 0) return;
    this.#rest -= whole * KIB;
    Atomics.add(this.#words, DONE, whole);
  }

  /** The job is about to create the file with this number. */
  creates(number: number): void {
    const count = Atomics.load(this.#words, COUNT);
    if (count < CREATED_MAX) Atomics.store(this.#words, NUMBERS + count, number);
    Atomics.store(this.#words, COUNT, count + 1);
  }

  /** Numbers of the files that it has created. */
  created(): number[] {
    const count = Math.min(CREATED_MAX, Atomics.load(this.#words, COUNT));
    return Array.from(this.#words.subarray(NUMBERS, NUMBERS + count));
  }
}
