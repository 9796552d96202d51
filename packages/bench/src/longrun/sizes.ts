/** What travels to the child processes of `longrun`: plain data. */
import type { Durability } from 'varve';

export const strategies = ['leveled', 'tiered', 'hybrid', 'fifo'] as const;
export type Strategy = (typeof strategies)[number];

export const pressures = ['slow', 'block', 'fail'] as const;
export type PressureName = (typeof pressures)[number];

export interface Sizes {
  readonly keySize: number;
  readonly valueSize: number;
  readonly memtableBytes: number;
  readonly cacheBytes: number;
  /** Random puts of `writeamp`. */
  readonly puts: number;
  /** Entries of the other parts. */
  readonly keys: number;
  /** Times that `space` overwrites all of them. */
  readonly overwrites: number;
  /** Keys before the one that `seek` looks for. */
  readonly deletes: number;
  /** Repetitions of which the median counts. */
  readonly rounds: number;
  /** How long one measurement of reads takes. */
  readonly readMs: number;
  /** Overload for each kind of pressure, and the mixed run. */
  readonly overloadMs: number;
  readonly mixedMs: number;
  /** What is waited for after deletes. */
  readonly returnMs: number;
  /** Files that stay the same for so long have come to rest. */
  readonly restMs: number;
  /** Where the mixed run puts a line each second; undefined: nowhere. */
  readonly samples: string | undefined;
  readonly seed: number;
}

/** The class of all awaited writes here: it is what most users await. */
export const AWAITED: { readonly durability: Durability } = { durability: 'os' };
