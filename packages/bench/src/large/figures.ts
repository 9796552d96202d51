/**
 * A figure of the table: what was asked, what was measured, and what follows. Pure functions; the parts make figures with
 * them, table.ts prints them.
 */

/** `-`: nothing was asked, or there is nothing to hold it against. */
export type Verdict = 'met' | 'MISSED' | '-';

export interface Figure {
  readonly name: string;
  readonly asked: string;
  readonly measured: string;
  readonly verdict: Verdict;
  /** The measured number in the unit that `asked` is in, and the limit; undefined where there is none. */
  readonly value: number | undefined;
  readonly limit: number | undefined;
  /** What else there is to know: a line each. */
  readonly notes: readonly string[];
}

export interface Unit {
  /** The number with its unit. */
  (value: number): string;
}

/** At most `limit`; a `limit` that is undefined asks for nothing. */
export function atMost(
  name: string,
  limit: number | undefined,
  value: number,
  unit: Unit,
  notes: readonly string[] = [],
): Figure {
  const asked = limit === undefined ? '-' : `<= ${unit(limit)}`;
  const verdict = limit === undefined ? '-' : value <= limit ? 'met' : 'MISSED';
  return { name, asked, measured: unit(value), verdict, value, limit, notes };
}

/** At least `limit`; a `limit` that is undefined asks for nothing. */
export function atLeast(
  name: string,
  limit: number | undefined,
  value: number,
  unit: Unit,
  notes: readonly string[] = [],
): Figure {
  const asked = limit === undefined ? '-' : `>= ${unit(limit)}`;
  const verdict = limit === undefined ? '-' : value >= limit ? 'met' : 'MISSED';
  return { name, asked, measured: unit(value), verdict, value, limit, notes };
}

/** Throughput beside that of db_bench, which may not be there. */
export function atLeastRival(
  name: string,
  ratio: number,
  own: number,
  rival: number | undefined,
  unit: Unit,
  notes: readonly string[] = [],
): Figure {
  const asked = `>= ${times(ratio)} db_bench`;
  if (rival === undefined) {
    return { name, asked, measured: unit(own), verdict: '-', value: undefined, limit: ratio, notes };
  }
  const value = own / rival;
  const measured = `${times(value)}: ${unit(own)}, ${unit(rival)}`;
  return { name, asked, measured, verdict: value >= ratio ? 'met' : 'MISSED', value, limit: ratio, notes };
}

/** Not above what db_bench has, which may not be there. */
export function atMostRival(
  name: string,
  own: number,
  rival: number | undefined,
  unit: Unit,
  notes: readonly string[] = [],
): Figure {
  const asked = '<= db_bench';
  if (rival === undefined) {
    return { name, asked, measured: unit(own), verdict: '-', value: own, limit: undefined, notes };
  }
  const measured = `${unit(own)}, db_bench ${unit(rival)}`;
  return { name, asked, measured, verdict: own <= rival ? 'met' : 'MISSED', value: own, limit: rival, notes };
}

/** 2.345 -> "2.35x". */
export const times: Unit = (value) => `${value.toFixed(2)}x`;
export const milliseconds: Unit = (value) => `${value < 9.95 ? value.toFixed(2) : value.toFixed(0)} ms`;
export const microseconds: Unit = (value) => `${value.toFixed(value < 9.95 ? 2 : 0)} us`;
export const megabytes: Unit = (value) => `${value.toFixed(1)} MB`;
