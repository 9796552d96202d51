/**
 * `getMany` of many keys: encodes them, has them read in batches that go through the sources together (get-many.ts), and
 * decodes what was found. Codecs are user code: after each of their calls the keyspace is checked again.
 */
import { cloneRange } from '../base/bytes.ts';
import { KeyBatch } from '../sstable/key-batch.ts';
import { bytes as bytesCodec } from './codecs/bytes.ts';
import { decodeValue, type ValueCodec } from './codecs/codec.ts';
import type { ManyGets } from './get-many.ts';
import type { ReadPoint } from './read-point.ts';
import type { Tree } from './tree.ts';

/** The keyspace whose keys are read. */
interface KeysAndValues<K, V> {
  readonly codecs: { readonly value: ValueCodec<V> };
  encodeKey(key: K): Uint8Array;
  /** The value of a single key. */
  getEncodedAt(key: Uint8Array, at: ReadPoint): V | undefined;
  /** Throws when it can not be used any more. */
  check(): void;
}

/** What `get` at the point gives for each key. */
export function getStaged<K, V>(
  keyspace: KeysAndValues<K, V>,
  tree: Tree,
  many: ManyGets,
  keys: readonly K[],
  at: ReadPoint,
): (V | undefined)[] {
  const codec = keyspace.codecs.value;
  const ownResults = (codec as ValueCodec<unknown>) === (bytesCodec as ValueCodec<unknown>);
  const results: (V | undefined)[] = [];
  const total = keys.length;
  for (let from = 0; from < total; from += KeyBatch.KEYS_MAX) {
    const count = Math.min(KeyBatch.KEYS_MAX, total - from);
    many.keys.clear();
    for (let i = 0; i < count; i++) {
      many.keys.add(keyspace.encodeKey(keys[from + i]!));
      keyspace.check();
    }
    tree.getMany(many, at, ownResults);
    // Their operator is user code, which may read many keys itself: the batch is looked at first.
    const merged = many.merged.size === 0 ? undefined : mergedKeys(many);
    for (let i = 0; i < count; i++) {
      const value = many.values[i];
      if (value === undefined) results.push(undefined);
      else if (ownResults) results.push(value as V);
      else {
        keyspace.check();
        results.push(decodeValue(codec, value, many.valueStarts[i]!, many.valueEnds[i]!));
      }
    }
    for (const [key, bytes] of merged ?? []) results[from + key] = keyspace.getEncodedAt(bytes, at);
  }
  return results;
}

/** Those of the batch that have operands, with copies of their bytes. */
function mergedKeys({ merged, keys }: ManyGets): [number, Uint8Array][] {
  return [...merged].map((key) => [key, cloneRange(keys.bytes, keys.ends[key]!, keys.ends[key + 1]!)]);
}
