/**
 * Holding what a database shows of a range against what a thread was told of its operations.
 */
import type { Snapshot } from 'varve';
import { brief, compareEntries, Violation } from '../check.ts';
import { ACKED, HANDED_OVER, type Life, STARTED } from './board.ts';
import { apply, copyOf, names, operationAt, prefixOf, type RangeModel } from './history.ts';
import type { Keyspaces } from './keyspaces.ts';
import { sorted } from './reader.ts';

/** What is known of a thread that has ended. */
export interface LifeRecord {
  readonly seed: number;
  readonly life: number;
  readonly range: number;
  /** What its range held before. */
  readonly base: RangeModel;
  readonly started: number;
  readonly acked: number;
  /** Operations up to the newest that it was told to be with the system, at least. */
  readonly handedOver: number;
  /** By operation; 0 where it was told none. */
  readonly sequences: Float64Array;
}

export function recordOf(
  seed: number,
  number: number,
  range: number,
  base: RangeModel,
  life: Life,
): LifeRecord {
  const { sequences } = life;
  const acked = life.get(ACKED);
  // In that order: a thread that still runs has begun no less than it was acknowledged.
  const started = life.get(STARTED);
  return { seed, life: number, range, base, started, acked, handedOver: life.get(HANDED_OVER), sequences };
}

export interface Judged {
  readonly model: RangeModel;
  /** So many operations are there, at least and at most: some do not show. */
  readonly from: number;
  readonly to: number;
}

/** How what a snapshot shows of a range differs from a model; undefined when it does not. */
export function differenceOf(
  snapshot: Snapshot,
  keyspaces: Keyspaces,
  range: number,
  model: RangeModel,
  operations: number,
): string | undefined {
  try {
    for (const name of names) {
      const keyspace = keyspaces[name];
      const where = `keyspace ${name} after ${operations} operations`;
      compareEntries([...snapshot.range(keyspace, { prefix: prefixOf(range) })], sorted(model, name), where);
      for (const [key, value] of model[name]) {
        const got = snapshot.get(keyspace, key);
        if (got !== value) return `${where}: get ${key} gives ${brief(got)}, should be ${brief(value)}`;
      }
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return error.message;
  }
}

/** The state after `from` to `to` operations that a snapshot shows; a Violation when it shows none of them. */
export function judge(
  snapshot: Snapshot,
  keyspaces: Keyspaces,
  record: LifeRecord,
  from: number,
  to: number,
): Judged & { readonly at: number } {
  const { seed, life, range, base, acked, started, handedOver } = record;
  const model = copyOf(base);
  for (let i = 0; i < from; i++) apply(model, operationAt(seed, life, range, i));
  let why = '';
  for (let at = from; ; at++) {
    const difference = differenceOf(snapshot, keyspaces, range, model, at);
    if (difference === undefined) return { model, from, to, at };
    why += `\n  ${difference}`;
    if (at === to) break;
    apply(model, operationAt(seed, life, range, at));
  }
  throw new Violation(
    `life ${life} of range ${range}: of ${started} operations ${acked} acknowledged, ${handedOver} handed over, ` +
      `${from} to ${to} should be there at sequence ${snapshot.sequence}:${why}`,
  );
}

/** The same where a database was recovered: what is there is everything up to `sequence`. */
export function judgeRecovered(
  snapshot: Snapshot,
  keyspaces: Keyspaces,
  record: LifeRecord,
  sequence: number,
): Judged {
  const { acked, started, handedOver, sequences } = record;
  let from = handedOver;
  for (let i = handedOver; i < acked; i++) {
    const told = sequences[i]!;
    if (told !== 0 && told <= sequence) from = i + 1;
  }
  let to = from;
  while (to < started && (to >= acked || sequences[to]! <= sequence)) to++;
  return judge(snapshot, keyspaces, record, from, to);
}

/** Common counters: what was acknowledged, and what may have come on top. */
export type Counters = { low: number; high: number }[];

/** Adds to `counters` what a thread has counted in its first `from` operations, and maybe in those up to `to`. */
export function count(counters: Counters, { seed, life, range }: LifeRecord, from: number, to: number): void {
  for (let i = 0; i < to; i++) {
    const operation = operationAt(seed, life, range, i);
    if (operation.kind !== 'countCommon') continue;
    const bounds = counters[operation.counter]!;
    if (i < from) bounds.low++;
    bounds.high++;
  }
}

/** They have what was acknowledged; from then on what was in progress is decided. */
export function checkCounters(counters: Counters, { common }: Keyspaces): void {
  counters.forEach((bounds, counter) => {
    const value = Number(common.get(`counter${counter}`) ?? 0);
    if (value < bounds.low || value > bounds.high) {
      throw new Violation(
        `counter ${counter} is ${value}; ${bounds.low} updates were acknowledged, ${bounds.high - bounds.low} more in progress`,
      );
    }
    bounds.low = value;
    bounds.high = value;
  });
}
