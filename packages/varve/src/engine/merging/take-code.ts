/**
 * A keyspace takes the user code that it was opened with: for reads of this thread, for jobs, and, by name and version, for good.
 * Owner's thread.
 */
import type { CodeSource } from '../../base/code-source.ts';
import type { StoredCode } from '../../base/merge-operator.ts';
import type { KeyspaceRecord } from '../../manifest/version-edit.ts';
import type { CodeRole } from '../../manifest/keyspace-code.ts';
import type { Core } from '../core.ts';
import type { Tree } from '../tree.ts';
import { type GivenCode, isSameCode, storedOf } from './code-options.ts';

type Store = (tree: Tree, role: CodeRole, code: StoredCode) => void;

export function takeCode(core: Core, tree: Tree, { operator, filter }: GivenCode, store: Store): void {
  if (operator !== undefined) {
    tree.code.operator = operator.code;
    tree.code.forget();
    core.userCode.add(operator.source.id, operator.code);
    takeSource(core, tree, operator.source, store);
  }
  if (filter !== undefined) {
    const { code, source, data } = filter;
    core.userCode.add(source.id, code);
    tree.code.filterSource = source;
    tree.code.filterData = data;
    warnIfUnloadable(core, tree, 'compaction filter', source);
    const stored = tree.code.storedFilter ?? tree.view.version.record.compactionFilter;
    if (!isSameCode(stored, source) && !core.options.readOnly) {
      store(tree, 'compactionFilter', storedOf(source));
      tree.code.storedFilter = storedOf(source);
    }
  }
}

/** The operator as jobs find it, of this thread or of an attached one. */
export function takeSource(core: Core, tree: Tree, source: CodeSource, store: Store): void {
  const { code } = tree;
  // What this thread has goes before what another one has.
  if (
    code.operator === undefined ||
    code.operatorSource === undefined ||
    source.name === code.operator.name
  ) {
    if (code.operatorSource?.url === undefined || source.url !== undefined) code.operatorSource = source;
  }
  warnIfUnloadable(core, tree, 'merge operator', source);
  const stored = code.storedOperator ?? tree.view.version.record.mergeOperator;
  if (isSameCode(stored, source) || core.options.readOnly) return;
  if (stored !== undefined) {
    core.events.emit('warning', () => ({
      code: 'MERGE_OPERATOR_VERSION',
      message: `keyspace '${tree.name}' has operands of version ${stored.version} of the merge operator '${source.name}', which is now version ${source.version}`,
    }));
  }
  store(tree, 'mergeOperator', storedOf(source));
  code.storedOperator = storedOf(source);
}

/** The record of a keyspace with what this session has stored. */
export function recordNow({ record, code, view }: Tree): KeyspaceRecord {
  const mergeOperator = code.storedOperator ?? view.version.record.mergeOperator;
  return mergeOperator === undefined ? record : { ...record, mergeOperator };
}

function warnIfUnloadable(core: Core, tree: Tree, what: string, source: CodeSource): void {
  if (core.runner.kind !== 'threads' || source.isBuiltIn || source.url !== undefined) return;
  core.events.emit('warning', () => ({
    code: 'USER_CODE_WITHOUT_URL',
    message: `keyspace '${tree.name}' got its ${what} '${source.name}' without the url of its module: flush and compaction, which run in other threads, do without it`,
  }));
}
