/**
 * The body of a keyspace record in the log: JSON, because it is rare, small and read by people in dumps.
 *
 *   { "change": "create", "id": 3, "name": "users", "keyCodec": "utf8", "valueCodec": "json" }
 *   { "change": "drop", "id": 3 }
 *
 * PERSISTED: names never change meaning; an unknown change is refused by name.
 */
import { corruption, invalid } from '../base/errors.ts';

export type KeyspaceChange =
  | { change: 'create'; id: number; name: string; keyCodec: string; valueCodec: string }
  | { change: 'drop'; id: number };

export function encodeKeyspaceChange(change: KeyspaceChange): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(change));
}

export function decodeKeyspaceChange(
  body: Uint8Array,
  where: { file: string; offset: number },
): KeyspaceChange {
  let parsed: Record<string, unknown>;
  try {
    parsed = JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>;
  } catch (cause) {
    throw corruption('a keyspace record is not readable', where, cause);
  }
  const { change, id, name, keyCodec, valueCodec } = parsed;
  if (change !== 'create' && change !== 'drop') {
    throw invalid('UNSUPPORTED_KIND', `a keyspace record has the unknown change '${String(change)}'`, where);
  }
  if (!Number.isSafeInteger(id)) throw corruption('a keyspace record has no id', where);
  if (change === 'drop') return { change, id: id as number };
  if (typeof name !== 'string' || typeof keyCodec !== 'string' || typeof valueCodec !== 'string') {
    throw corruption('a keyspace record lacks its names', where);
  }
  return { change, id: id as number, name, keyCodec, valueCodec };
}
