/**
 * User code that a keyspace was opened with, as the manifest has it (version-edit.ts): of a role the last one counts.
 *
 *   varint  keyspace
 *   varint  role        PERSISTED: 1 merge operator, 2 compaction filter
 *   text    name
 *   text    version
 */
import { invalid } from '../base/errors.ts';
import type { StoredCode } from '../base/merge-operator.ts';
import type { FieldReader, FieldWriter } from './fields.ts';

export type CodeRole = 'mergeOperator' | 'compactionFilter';

export interface KeyspaceCode extends StoredCode {
  readonly keyspace: number;
  readonly role: CodeRole;
}

const TEXT_BYTES_MAX = 65_535;
const ROLE_MERGE_OPERATOR = 1;
const ROLE_COMPACTION_FILTER = 2;

export function encodeCode({ keyspace, role, name, version }: KeyspaceCode, to: FieldWriter): void {
  const number = role === 'mergeOperator' ? ROLE_MERGE_OPERATOR : ROLE_COMPACTION_FILTER;
  to.varint(keyspace).varint(number).text(name).text(version);
}

/** @throws corruption; invalid `UNSUPPORTED_MANIFEST` for a role of a later release */
export function decodeCode(from: FieldReader): KeyspaceCode {
  const keyspace = from.varint('a keyspace');
  const role = from.varint('the role of user code');
  if (role !== ROLE_MERGE_OPERATOR && role !== ROLE_COMPACTION_FILTER) {
    const message = `the manifest has user code in the role ${role}, which this release does not know: a later one wrote it`;
    throw invalid('UNSUPPORTED_MANIFEST', message, { keyspace, role });
  }
  return {
    keyspace,
    role: role === ROLE_MERGE_OPERATOR ? 'mergeOperator' : 'compactionFilter',
    name: from.text('the name of user code', TEXT_BYTES_MAX),
    version: from.text('the version of user code', TEXT_BYTES_MAX),
  };
}
