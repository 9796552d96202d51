/**
 * From the range of a caller to bytes: every bound encoded by the key codec, `prefix` by its bytes, all of them together
 * folded into one half-open [lower, upper). Bad members are refused by name.
 */
import { cloneRange, compareBytes, successor } from '../base/bytes.ts';
import { invalid } from '../base/errors.ts';
import type { Range } from './keyspace-types.ts';
import type { CursorRange } from './cursor.ts';

const members = new Set(['gte', 'gt', 'lte', 'lt', 'prefix', 'reverse', 'limit']);

export function encodeRange<K>(
  range: Range<K>,
  encode: (key: K) => Uint8Array,
  prefixEnd: (prefix: Uint8Array) => Uint8Array | undefined,
): CursorRange {
  if (typeof range !== 'object' || range === null || Array.isArray(range)) {
    throw invalid(
      'RANGE_INVALID',
      `a range is an object of gte, gt, lte, lt, prefix, reverse, limit; got ${typeof range}`,
      {
        got: typeof range,
      },
    );
  }
  for (const name of Object.keys(range)) {
    if (!members.has(name)) {
      throw invalid('RANGE_INVALID', `a range has no member '${name}'`, { got: name, wanted: [...members] });
    }
  }
  const { reverse = false, limit = Number.POSITIVE_INFINITY } = range;
  if (typeof reverse !== 'boolean')
    throw invalid('RANGE_INVALID', 'reverse is true or false', { got: reverse });
  if (typeof limit !== 'number' || !(limit >= 0) || (Number.isFinite(limit) && !Number.isInteger(limit))) {
    throw invalid('RANGE_INVALID', 'limit is a whole number, 0 or more', { got: limit });
  }
  let lower: Uint8Array | undefined;
  let upper: Uint8Array | undefined;
  const above = (bound: Uint8Array): void => {
    if (lower === undefined || compareBytes(bound, lower) > 0) lower = bound;
  };
  const below = (bound: Uint8Array | undefined): void => {
    if (bound !== undefined && (upper === undefined || compareBytes(bound, upper) < 0)) upper = bound;
  };
  // Encoders may return memory of the caller or of their own: bounds outlive the call, so they are copied.
  if (range.gte !== undefined) above(copyOf(encode(range.gte)));
  if (range.gt !== undefined) above(successor(encode(range.gt)));
  if (range.lt !== undefined) below(copyOf(encode(range.lt)));
  if (range.lte !== undefined) below(successor(encode(range.lte)));
  if (range.prefix !== undefined) {
    const prefix = copyOf(encode(range.prefix));
    if (prefix.length > 0) {
      above(prefix);
      below(prefixEnd(prefix));
    }
  }
  return { lower, upper, reverse, limit };
}

/** A copy: `slice` of a Buffer would be a view of it. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return cloneRange(bytes, 0, bytes.length);
}
