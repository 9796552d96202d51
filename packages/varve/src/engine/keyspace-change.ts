/**
 * The body of a keyspace record in the log: JSON, because it is rare, small and read by people in dumps.
 *
 *   { "change": "create", "id": 3, "name": "users", "keyCodec": "utf8", "valueCodec": "json" }
 *       and, when it was made with them, "mergeOperator" and "compactionFilter": { "name": "varve.counter", "version": "1" }
 *   { "change": "drop", "id": 3, "name": "users" }
 *   { "change": "retain", "id": 3, "ms": 3600000, "versions": 2, "since": 1790000000000, "floor": 17, "counted": { "sequence": 17, "before": 1 } }
 *       without "counted", as the first release wrote it, all versions count
 *   { "change": "code", "id": 3, "role": "mergeOperator", "name": "varve.counter", "version": "1" }
 *
 * PERSISTED: names never change meaning; an unknown change is refused by name.
 */
import { corruption, invalid } from '../base/errors.ts';
import type { StoredCode } from '../base/merge-operator.ts';
import { ALL_COUNTED, type Counted } from '../manifest/counted-versions.ts';
import type { CodeRole, KeyspaceCode } from '../manifest/keyspace-code.ts';
import type { KeyspaceRecord, Retention, VersionEdit } from '../manifest/version-edit.ts';

/** User code that a keyspace was made with. */
export type CreatedCode = Pick<KeyspaceRecord, CodeRole>;

export type KeyspaceChange =
  | ({ change: 'create'; id: number; name: string; keyCodec: string; valueCodec: string } & CreatedCode)
  /** Those that the first release wrote have no name. */
  | { change: 'drop'; id: number; name?: string }
  | RetentionChange
  | { change: 'code'; id: number; role: CodeRole; name: string; version: string };

/** How much of its past the keyspace keeps from now on (manifest/version-edit.ts); states before `floor` are not kept by it. */
export type RetentionChange = { change: 'retain'; id: number; floor: number; counted: Counted } & Retention;

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
  const { change, id, name, keyCodec, valueCodec, role, version } = parsed;
  if (change !== 'create' && change !== 'drop' && change !== 'retain' && change !== 'code') {
    throw invalid('UNSUPPORTED_KIND', `a keyspace record has the unknown change '${String(change)}'`, where);
  }
  if (!Number.isSafeInteger(id)) throw corruption('a keyspace record has no id', where);
  if (change === 'drop') return { change, id: id as number, ...(typeof name === 'string' && { name }) };
  if (change === 'retain') {
    const { ms, versions, since, floor } = parsed;
    const numbers = { ms, versions, since, floor };
    for (const [field, value] of Object.entries(numbers)) {
      if (!Number.isSafeInteger(value) || (value as number) < 0)
        throw corruption(`a keyspace record has no ${field}`, where);
    }
    const { counted = ALL_COUNTED } = parsed;
    if (!isCounted(counted)) throw corruption('a keyspace record does not say which versions count', where);
    const { sequence, before } = counted;
    return {
      change,
      id: id as number,
      ...(numbers as Record<keyof typeof numbers, number>),
      counted: { sequence, before },
    };
  }
  if (change === 'code') {
    if (role !== 'mergeOperator' && role !== 'compactionFilter') {
      throw invalid(
        'UNSUPPORTED_KIND',
        `a keyspace record has user code in the unknown role '${String(role)}'`,
        where,
      );
    }
    if (typeof name !== 'string' || typeof version !== 'string') {
      throw corruption('a keyspace record lacks the name of its user code', where);
    }
    return { change, id: id as number, role, name, version };
  }
  if (typeof name !== 'string' || typeof keyCodec !== 'string' || typeof valueCodec !== 'string') {
    throw corruption('a keyspace record lacks its names', where);
  }
  const codes: { -readonly [Role in CodeRole]?: StoredCode } = {};
  for (const each of ['mergeOperator', 'compactionFilter'] as const) {
    const code = parsed[each];
    if (code === undefined) continue;
    if (!isStoredCode(code)) throw corruption('a keyspace record lacks the name of its user code', where);
    codes[each] = { name: code.name, version: code.version };
  }
  return { change, id: id as number, name, keyCodec, valueCodec, ...codes };
}

function isCounted(counted: unknown): counted is Counted {
  if (typeof counted !== 'object' || counted === null) return false;
  const { sequence, before } = counted as Record<string, unknown>;
  return [sequence, before].every((each) => Number.isSafeInteger(each) && (each as number) >= 0);
}

function isStoredCode(code: unknown): code is StoredCode {
  if (typeof code !== 'object' || code === null) return false;
  const { name, version } = code as Record<string, unknown>;
  return typeof name === 'string' && typeof version === 'string';
}

/** The record of a keyspace that was created at `sequence`. */
export function recordOf(
  change: Extract<KeyspaceChange, { change: 'create' }>,
  sequence: number,
): KeyspaceRecord {
  const { change: _, ...record } = change;
  return { ...record, createdSequence: sequence };
}

/** What the manifest says of a change that stands in the log at `sequence`. */
export function editOfChange(change: KeyspaceChange, sequence: number): VersionEdit {
  if (change.change === 'create')
    return { keyspacesCreated: [recordOf(change, sequence)], metaSequence: sequence };
  if (change.change === 'drop') return { keyspacesDropped: [change.id], metaSequence: sequence };
  if (change.change === 'code') return { keyspaceCodes: [codeOf(change)], metaSequence: sequence };
  const { id: keyspace, ms, versions, since, floor, counted } = change;
  return {
    retention: [{ keyspace, ms, versions, since }],
    ...(counted.sequence > 0 && { countedVersions: [{ keyspace, ...counted }] }),
    historyFloor: [{ keyspace, sequence: floor }],
    metaSequence: sequence,
  };
}

/** What the manifest says of user code. */
function codeOf({ id, role, name, version }: Extract<KeyspaceChange, { change: 'code' }>): KeyspaceCode {
  return { keyspace: id, role, name, version };
}
