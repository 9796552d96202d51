/** How much `threads` measures: what its parts are given, as JSON, in a process of their own. */

export interface Sizes {
  readonly num: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly cacheBytes: number;
  readonly memtableBytes: number;
  /** Rounds that count; one more comes before them, in which the code is compiled. */
  readonly rounds: number;
  /** How long a run of reads takes. */
  readonly readMs: number;
  /** Entries of a run of writes, of all its threads together. */
  readonly writes: number;
  readonly attachments: number;
  /** Numbers of tables that `attach` is timed with. */
  readonly tables: readonly number[];
  /** Processes for each engine. */
  readonly peerRounds: number;
  readonly seed: number;
}
