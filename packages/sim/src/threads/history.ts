/**
 * What one thread of the rig writes: operation `i` of a life follows from (seed, life, i) alone, so whoever knows how many of
 * them were acknowledged knows what the database has to hold, without having seen a single write.
 *
 * Each thread has a range of keys to itself, in two keyspaces, of which a model (RangeModel) is exact. Beside it all threads
 * raise the same counters and race for the same absent keys; those do not show in the model.
 */
import { Random } from 'varve/testing';

export type Name = 'a' | 'b';
export const names: readonly Name[] = ['a', 'b'];
/** The keyspace of what all threads write. */
export const COMMON = 'common';
export const COUNTERS = 4;
const KEYS = 120;
const KIB = 1024;

export type Change =
  | { readonly kind: 'put'; readonly keyspace: Name; readonly key: string; readonly value: string }
  | { readonly kind: 'delete'; readonly keyspace: Name; readonly key: string }
  | { readonly kind: 'deleteRange'; readonly keyspace: Name; readonly from: string; readonly to: string };

export type Wait = 'none' | 'memory' | 'os' | 'disk';

export type Operation =
  | { readonly kind: 'write'; readonly changes: readonly Change[]; readonly wait: Wait }
  | { readonly kind: 'putIfAbsent'; readonly keyspace: Name; readonly key: string; readonly value: string }
  /** Adds one to a counter of the thread's own. */
  | { readonly kind: 'count'; readonly keyspace: Name; readonly key: string }
  /** Adds one to a counter of all threads. */
  | { readonly kind: 'countCommon'; readonly counter: number }
  /** Writes the next absent key of all threads, if it is the first to do so. */
  | { readonly kind: 'race' };

/** What a range holds. */
export type RangeModel = Readonly<Record<Name, Map<string, string>>>;

export function emptyModel(): RangeModel {
  return { a: new Map(), b: new Map() };
}

export function copyOf(model: RangeModel): RangeModel {
  return { a: new Map(model.a), b: new Map(model.b) };
}

export function prefixOf(range: number): string {
  return `range${String(range).padStart(2, '0')}/`;
}

/** A key that is in both keyspaces with the same value, always: every batch writes it. */
export function pairKey(range: number): string {
  return `${prefixOf(range)}pair`;
}

export function operationAt(seed: number, life: number, range: number, index: number): Operation {
  const random = new Random(seed ^ Math.imul(life + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  const roll = random.below(1000);
  const mark = `${life}.${index}`;
  const keyspace = random.pick(names);
  const key = keyOf(random, range);
  if (roll < 450) {
    return write(random, [{ kind: 'put', keyspace, key, value: `${mark}:${filler(random)}` }]);
  }
  if (roll < 550) return write(random, [{ kind: 'delete', keyspace, key }]);
  if (roll < 580) return write(random, [deleteRange(random, range, keyspace)]);
  if (roll < 800) return write(random, batch(random, range, mark));
  if (roll < 850) return { kind: 'putIfAbsent', keyspace, key, value: `${mark}:${filler(random)}` };
  if (roll < 910) return { kind: 'count', keyspace, key: `${prefixOf(range)}count` };
  if (roll < 960) return { kind: 'countCommon', counter: random.below(COUNTERS) };
  return { kind: 'race' };
}

/** Whether an operation writes, given what is there. */
export function apply(model: RangeModel, operation: Operation): void {
  if (operation.kind === 'write') for (const change of operation.changes) applyChange(model, change);
  else if (operation.kind === 'putIfAbsent') {
    const { keyspace, key, value } = operation;
    if (!model[keyspace].has(key)) model[keyspace].set(key, value);
  } else if (operation.kind === 'count') {
    const { keyspace, key } = operation;
    model[keyspace].set(key, counted(model[keyspace].get(key)));
  }
}

/** A counter's next value. */
export function counted(old: string | undefined): string {
  return String(Number(old ?? 0) + 1);
}

function applyChange(model: RangeModel, change: Change): void {
  const entries = model[change.keyspace];
  if (change.kind === 'put') entries.set(change.key, change.value);
  else if (change.kind === 'delete') entries.delete(change.key);
  else for (const key of entries.keys()) if (key >= change.from && key < change.to) entries.delete(key);
}

function write(random: Random, changes: readonly Change[]): Operation {
  const roll = random.below(100);
  const wait: Wait = roll < 84 ? 'none' : roll < 88 ? 'memory' : roll < 97 ? 'os' : 'disk';
  return { kind: 'write', changes, wait };
}

/** Up to hundreds of changes: a thread that dies in the middle of adding them leaves a part. */
function batch(random: Random, range: number, mark: string): Change[] {
  const value = `${mark}:pair`;
  const changes: Change[] = [{ kind: 'put', keyspace: 'a', key: pairKey(range), value }];
  const count = random.pick([1, 2, 8, 40, 200]);
  for (let i = 0; i < count; i++) {
    const keyspace = random.pick(names);
    const roll = random.below(100);
    if (roll < 3) changes.push(deleteRange(random, range, keyspace));
    else if (roll < 15) changes.push({ kind: 'delete', keyspace, key: keyOf(random, range) });
    else {
      const filled = count > 8 ? 'x'.repeat(random.below(60)) : filler(random);
      changes.push({ kind: 'put', keyspace, key: keyOf(random, range), value: `${mark}.${i}:${filled}` });
    }
  }
  changes.push({ kind: 'put', keyspace: 'b', key: pairKey(range), value });
  return changes;
}

function deleteRange(random: Random, range: number, keyspace: Name): Change {
  const number = random.below(KEYS);
  const to = keyText(range, number + 1 + random.below(random.oneIn(6) ? 60 : 10));
  return { kind: 'deleteRange', keyspace, from: keyText(range, number), to };
}

function keyOf(random: Random, range: number): string {
  return keyText(range, random.below(KEYS));
}

function keyText(range: number, number: number): string {
  return `${prefixOf(range)}key${String(number).padStart(4, '0')}`;
}

/** Mostly short; now and then as large as what bypasses the log's buffer. */
function filler(random: Random): string {
  const roll = random.below(1500);
  const length = roll === 0 ? random.below(150 * KIB) : roll < 60 ? random.below(8 * KIB) : random.below(200);
  const noise = random.u32().toString(36) + random.u32().toString(36);
  return noise.repeat(Math.ceil(length / noise.length));
}
