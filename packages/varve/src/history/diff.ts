/**
 * `db.diff(from, to)`: what has changed between two states, key by key in the order of the keys.
 *
 * Two ways, with the same answer. Where no range was deleted since `from` and nothing expires, only what is newer than `from`
 * is walked (engine/changed-since.ts): the tables and memtables that hold something newer name the keys, and each is read at
 * both states. So the cost follows what has changed and not what is there. Else both states are walked side by side.
 *
 * Both states are registered while the difference is walked, and no view is held while the caller has an entry: keys are
 * gathered CHUNK_KEYS at a time from the view that is current then.
 */
import { cloneRange, compareBytes, equalBytes, successor } from '../base/bytes.ts';
import { invalid } from '../base/errors.ts';
import type { Difference, DiffOptions } from '../engine/history-types.ts';
import { hasExpiring, keysChangedSince, rangeDeletedSince } from '../engine/changed-since.ts';
import type { Session } from '../engine/core.ts';
import { type CursorRange, RangeCursor } from '../engine/cursor.ts';
import { findValue } from '../engine/find-value.ts';
import { bytes } from '../engine/codecs/bytes.ts';
import { decodeKey, decodeValue, type KeyCodec, type ValueCodec } from '../engine/codecs/codec.ts';
import { KeyspaceHandle } from '../engine/keyspace.ts';
import { checkTarget, pointIn, type PastState, type PastTarget } from '../engine/past.ts';
import type { ReadPoint } from '../engine/read-point.ts';
import type { Tree } from '../engine/tree.ts';

const CHUNK_KEYS = 256;

/** A key of which the two states differ, as bytes. */
interface RawDifference {
  readonly key: Uint8Array;
  readonly before: Uint8Array | undefined;
  readonly after: Uint8Array | undefined;
}

/** What is compared: one keyspace, or all of them one after the other. */
interface Compared<K, V> {
  readonly tree: Tree;
  readonly range: CursorRange;
  readonly key: KeyCodec<K>;
  readonly value: ValueCodec<V>;
  readonly check: () => void;
}

/**
 * @throws invalid `OUTSIDE_HISTORY`, `POINT_INVALID`, `RANGE_INVALID`, `KEYSPACE_FOREIGN`, `OPTION_INVALID`; closed. What can
 *   be refused is refused here, before anything is walked.
 */
export function diff<K, V>(
  core: Session,
  from: PastTarget,
  to: PastTarget | undefined,
  options: DiffOptions<K, V>,
): Iterable<Difference<K, V>> {
  core.state.checkOpen();
  const all = comparedOf(core, options);
  const first = checkTarget(from);
  const last = to === undefined ? 'now' : checkTarget(to);
  // A state that time runs out for while nobody walks is refused when somebody does.
  closeStates(core, openStates(core, first, last, all));
  return {
    [Symbol.iterator]: () => walk(core, first, last, all),
  };
}

function* walk<K, V>(
  core: Session,
  first: PastTarget,
  last: PastTarget | 'now',
  all: readonly Compared<K, V>[],
): Generator<Difference<K, V>, void> {
  const states = openStates(core, first, last, all);
  try {
    for (const compared of all) {
      const { tree, key, value } = compared;
      const decode = (stored: Uint8Array | undefined): V | undefined =>
        stored === undefined ? undefined : decodeValue(value, stored, 0, stored.length);
      let left = compared.range.limit;
      if (left === 0) continue;
      const from = pointIn(states[0], tree);
      const { sequence, time } = pointIn(states[1], tree);
      const to = { sequence, time: Math.max(time, from.time) };
      for (const found of differences(core, compared, from, to)) {
        const before = decode(found.before);
        const after = decode(found.after);
        const decoded = decodeKey(key, found.key, 0, found.key.length);
        yield { keyspace: tree.name, key: decoded, before, after };
        if (--left === 0) break;
      }
    }
  } finally {
    closeStates(core, states);
  }
}

function comparedOf<K, V>(core: Session, options: DiffOptions<K, V>): Compared<K, V>[] {
  if (typeof options !== 'object' || options === null) {
    throw invalid('OPTION_INVALID', `the options of diff are an object; got ${String(options)}`, {
      got: typeof options,
    });
  }
  const { keyspace, ...range } = options;
  if (keyspace !== undefined) {
    const handle = KeyspaceHandle.of(keyspace, core);
    const { tree, codecs, check } = handle;
    return [{ tree, range: handle.bounds(range), ...codecs, check }];
  }
  if (Object.values(range).some((member) => member !== undefined)) {
    throw invalid('OPTION_INVALID', 'a range is one of a keyspace: give it beside the range', {
      got: 'none',
    });
  }
  if (core.owner === undefined) {
    throw invalid('OPTION_INVALID', 'in an attached thread diff takes a keyspace', { got: 'none' });
  }
  const everything = { lower: undefined, upper: undefined, reverse: false, limit: Number.POSITIVE_INFINITY };
  // Without a keyspace keys and values are bytes, as their types say.
  const codecs = { key: bytes as unknown as KeyCodec<K>, value: bytes as unknown as ValueCodec<V> };
  return [...core.state.trees.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((tree) => ({ tree, range: everything, ...codecs, check: () => checkThere(core, tree) }));
}

function checkThere(core: Session, tree: Tree): void {
  core.state.checkOpen();
  if (!tree.isDropped) return;
  throw invalid('KEYSPACE_DROPPED', `keyspace '${tree.name}' was dropped`, { keyspace: tree.name });
}

type States = readonly [from: PastState, to: PastState];

function openStates(
  core: Session,
  from: PastTarget,
  to: PastTarget | 'now',
  all: readonly Compared<never, never>[] | readonly Compared<unknown, unknown>[],
): States {
  const first = core.past.at(from);
  try {
    const second = core.past.at(to);
    try {
      // A sequence without one behind it is the state of any later time too.
      const isLater = typeof to === 'number' && second.sequence === first.sequence;
      if (second.sequence < first.sequence || (second.time < first.time && !isLater)) {
        throw invalid('POINT_INVALID', 'diff goes from the earlier state to the later one', { from, to });
      }
      for (const { tree } of all) {
        pointIn(first, tree);
        pointIn(second, tree);
      }
    } catch (error) {
      core.register.remove(second.sequence, second.time);
      throw error;
    }
    return [first, second];
  } catch (error) {
    core.register.remove(first.sequence, first.time);
    throw error;
  }
}

function closeStates(core: Session, states: States): void {
  for (const { sequence, time } of states) core.register.remove(sequence, time);
}

function differences(
  core: Session,
  compared: Compared<never, never> | Compared<unknown, unknown>,
  from: ReadPoint,
  to: ReadPoint,
): Generator<RawDifference, void> {
  const { tree, range } = compared;
  const isByKey = core.state.entered(
    () => !range.reverse && !hasExpiring(core.state, tree) && !rangeDeletedSince(tree, range, from.sequence),
  );
  return isByKey ? byKey(core, compared, from, to) : sideBySide(core, compared, from, to);
}

/** Reads the keys that were written since at both states. */
function* byKey(
  core: Session,
  { tree, range, check }: Compared<never, never> | Compared<unknown, unknown>,
  from: ReadPoint,
  to: ReadPoint,
): Generator<RawDifference, void> {
  let { lower } = range;
  for (;;) {
    const found: RawDifference[] = [];
    let isAtEnd = true;
    core.state.entered(() => {
      check();
      const keys = keysChangedSince(tree, { lower, upper: range.upper }, from.sequence, CHUNK_KEYS);
      isAtEnd = keys.length < CHUNK_KEYS;
      for (const key of keys) {
        const before = valueAt(core, tree, key, from);
        const after = valueAt(core, tree, key, to);
        if (!isSame(before, after)) found.push({ key, before, after });
        lower = successor(key);
      }
    });
    yield* found;
    if (isAtEnd) return;
  }
}

function valueAt(core: Session, tree: Tree, key: Uint8Array, at: ReadPoint): Uint8Array | undefined {
  const { found } = core;
  if (!findValue(tree, key, at.sequence, found, at.time)) return undefined;
  return cloneRange(found.value, found.valueStart, found.valueEnd);
}

/** Walks both states. */
function* sideBySide(
  core: Session,
  { tree, range, check }: Compared<never, never> | Compared<unknown, unknown>,
  from: ReadPoint,
  to: ReadPoint,
): Generator<RawDifference, void> {
  const whole = { ...range, limit: Number.POSITIVE_INFINITY };
  const old = new RangeCursor(core, tree, whole, from, check);
  const young = new RangeCursor(core, tree, whole, to, check);
  try {
    let isOld = old.next();
    let isYoung = young.next();
    while (isOld || isYoung) {
      const order = orderOf(isOld ? old : undefined, isYoung ? young : undefined, range.reverse);
      const key = cloneBytes(order <= 0 ? old.key : young.key);
      const before = order <= 0 ? cloneBytes(old.value) : undefined;
      const after = order >= 0 ? cloneBytes(young.value) : undefined;
      if (order <= 0) isOld = old.next();
      if (order >= 0) isYoung = young.next();
      if (!isSame(before, after)) yield { key, before, after };
    }
  } finally {
    old.leave();
    young.leave();
  }
}

/** Which of the two comes first; 0: both stand at the same key. */
function orderOf(old: RangeCursor | undefined, young: RangeCursor | undefined, isReverse: boolean): number {
  if (old === undefined) return 1;
  if (young === undefined) return -1;
  const order = compareBytes(old.key, young.key);
  return isReverse ? -order : order;
}

function cloneBytes(borrowed: Uint8Array): Uint8Array {
  return cloneRange(borrowed, 0, borrowed.length);
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return equalBytes(a, b);
}
