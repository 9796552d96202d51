/**
 * What jobs get of a keyspace's user code, and what they say of it: events. Owner's thread.
 */
import { describeBytes } from '../../base/bytes.ts';
import type { CodeSource } from '../../base/code-source.ts';
import { asError } from '../../base/errors.ts';
import type { JobCode, JobProblem } from '../../compaction/job.ts';
import type { Events } from '../../observe/events.ts';
import type { Core } from '../core.ts';
import type { Tree } from '../tree.ts';

/** For a flush, or a compaction, which asks the filter too; undefined: the keyspace has no user code. */
export function jobCode(core: Core, tree: Tree, filters: boolean): JobCode | undefined {
  const { operatorSource, filterSource } = tree.code;
  const operator = loadable(core, operatorSource);
  const filter = filters ? loadable(core, filterSource) : undefined;
  if (operator === undefined && filter === undefined) return undefined;
  const blobs = [...tree.view.version.blobs.values()];
  if (filter === undefined) return { keyspace: tree.name, operator, blobs };
  try {
    const filterData = structuredClone(tree.code.filterData?.());
    return { keyspace: tree.name, operator, blobs, filter, filterData };
  } catch (error) {
    const { name } = filter;
    tellProblems(core.events, tree, [
      { code: 'FILTER_FAILED', name, message: `its data can not be given: ${asError(error).message}` },
    ]);
    return { keyspace: tree.name, operator, blobs };
  }
}

/** Where jobs run in other threads they import it; what has no URL they do without. */
function loadable(core: Core, source: CodeSource | undefined): CodeSource | undefined {
  if (source === undefined || core.runner.kind !== 'threads') return source;
  return source.isBuiltIn || source.url !== undefined ? source : undefined;
}

/** A `warning` event for each. */
export function tellProblems(events: Events, tree: Tree, problems: readonly JobProblem[]): void {
  for (const { code, name, key, message } of problems) {
    events.emit('warning', () => {
      const what = code === 'FILTER_FAILED' ? 'compaction filter' : 'user code';
      const where = key === undefined ? '' : ` at key ${describeBytes(key)}`;
      return {
        code,
        message: `keyspace '${tree.name}': ${what} '${name}' failed${where}, and nothing was changed by it: ${message}`,
        context: { keyspace: tree.name, operator: name, ...(key === undefined ? {} : { key }) },
      };
    });
  }
}
