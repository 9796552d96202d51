/** What travels between the processes of `mga`. */

export interface Job {
  /** ':memory:' or a directory. */
  readonly path: string;
  /** Rows, one a key. */
  readonly num: number;
  /** Reads of each kind, and scans. */
  readonly reads: number;
  readonly scans: number;
  readonly payload: number;
  readonly seed: number;
}

export interface Rate {
  readonly perSecond: number;
  /** Of one operation, nanoseconds. */
  readonly p99: number;
}

/** By the name of the step. */
export type Rates = Readonly<Record<string, Rate>>;
