/**
 * The public form of what writes have met: `db.pressure` and `stats().pressure`.
 */

/** Writes that met pressure, and how long they waited for it. */
export interface PressureCounts {
  delayed: number;
  blocked: number;
  failed: number;
  waitMs: number;
}

export interface PressureStats extends PressureCounts {
  state: 'none' | 'slow' | 'block' | 'fail';
  reason?: string;
  /** The same by reason, of those that there were. */
  reasons: Record<string, PressureCounts>;
}
