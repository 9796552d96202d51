/**
 * Makes the ranges of keyspaces and snapshots: what iterates (range-view.ts) over what walks (cursor.ts), with the read-ahead
 * of `for await` (walk-ahead.ts) and cut into parts (split-range.ts).
 */
import { invalid } from '../base/errors.ts';
import { decodeKey, decodeValue, type KeyCodec, type ValueCodec } from './codecs/codec.ts';
import type { Session } from './core.ts';
import { type CursorRange, RangeCursor } from './cursor.ts';
import { RangeReader } from './range-view.ts';
import type { ReadPoint } from './read-point.ts';
import { splitRange } from './split-range.ts';
import type { Tree } from './tree.ts';
import { WalkAhead } from './walk-ahead.ts';

const PARTS_MAX = 4096;

interface Codecs<K, V> {
  readonly key: KeyCodec<K>;
  readonly value: ValueCodec<V>;
  /** Throws when their keyspace can not be used any more. */
  readonly check: () => void;
}

/** At the point `at`, or at what is visible when each iteration begins. `check` as for cursors. */
export function rangeReader<K, V>(
  core: Session,
  tree: Tree,
  codecs: Codecs<K, V>,
  bounds: CursorRange,
  at: ReadPoint | undefined,
  check: () => void,
): RangeReader<K, V> {
  const { scheduler, clock, reads, tables, state } = core;
  const open = (ahead?: WalkAhead): RangeCursor => {
    codecs.check();
    return new RangeCursor(core, tree, bounds, at, check, ahead);
  };
  return new RangeReader<K, V>({
    open: () => open(),
    openAhead: () => open(reads.isUseful ? new WalkAhead(tables.cold, reads, bounds.reverse) : undefined),
    pause: () => new Promise((resolve) => scheduler.soon(resolve)),
    now: () => clock.monotonic(),
    partitions: (parts) => {
      checkParts('parts', parts);
      if (bounds.limit !== Number.POSITIVE_INFINITY) {
        throw invalid('RANGE_INVALID', 'a range with a limit has no partitions', { limit: bounds.limit });
      }
      check();
      const ranges = state.entered(() => splitRange(tree.view, tree.tables, bounds, parts));
      if (bounds.reverse) ranges.reverse();
      return ranges.map((range) => rangeReader(core, tree, codecs, { ...bounds, ...range }, at, check));
    },
    decodeKey: (bytes, start, end) => decodeKey(codecs.key, bytes, start, end),
    decodeValue: (bytes, start, end) => decodeValue(codecs.value, bytes, start, end),
  });
}

export function checkParts(name: string, parts: number): void {
  if (Number.isInteger(parts) && parts >= 1 && parts <= PARTS_MAX) return;
  throw invalid('RANGE_INVALID', `${name} is a whole number from 1 to ${PARTS_MAX}; got ${String(parts)}`, {
    got: parts,
  });
}
