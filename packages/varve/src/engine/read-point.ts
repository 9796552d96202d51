/** Where a reader stands: what it sees is what was written up to the sequence and has not expired at the time. */
export interface ReadPoint {
  readonly sequence: number;
  /** By the stored clock. */
  readonly time: number;
}
