/**
 * `getMany` of many keys: encodes them, has them read in batches that go through the sources together (get-many.ts), and
 * decodes what was found. Codecs are user code: after each of their calls the keyspace is checked again.
 */
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
    for (let i = 0; i < count; i++) {
      const value = many.values[i];
      if (value === undefined) results.push(undefined);
      else if (ownResults) results.push(value as V);
      else {
        keyspace.check();
        results.push(decodeValue(codec, value, many.valueStarts[i]!, many.valueEnds[i]!));
      }
    }
  }
  return results;
}
