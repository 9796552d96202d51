/**
 * The options of a keyspace that are user code, checked: `mergeOperator` and `compactionFilter`. Each takes the object alone, or
 * with the URL of the module that exports it, where worker threads find it.
 */
import type { CodeSource } from '../../base/code-source.ts';
import { type CompactionFilter, wantedOfFilter } from '../../base/compaction-filter.ts';
import { invalid } from '../../base/errors.ts';
import { type MergeOperator, type StoredCode, wantedOfOperator } from '../../base/merge-operator.ts';
import { builtInOperator } from '../../base/operators/built-in.ts';
import type { CreatedCode } from '../keyspace-change.ts';
import type { CompactionFilterOption, KeyspaceOptions } from '../keyspace-types.ts';

/** What was given. */
export interface GivenCode {
  readonly operator: { readonly code: MergeOperator; readonly source: CodeSource } | undefined;
  readonly filter:
    | {
        readonly code: CompactionFilter;
        readonly source: CodeSource;
        readonly data: (() => unknown) | undefined;
      }
    | undefined;
}

/** Names of options that are no settings. */
export const codeOptions: readonly string[] = ['mergeOperator', 'compactionFilter'];

let lastId = 0;
const ids = new WeakMap<object, number>();

/** @throws invalid `OPTION_INVALID` */
export function givenCode<K, V>(options: KeyspaceOptions<K, V>): GivenCode {
  const { mergeOperator, compactionFilter } = options;
  let operator: GivenCode['operator'];
  if (mergeOperator !== undefined) {
    const parts = partsOf('mergeOperator', mergeOperator, 'operator', ['operator', 'url']);
    check('mergeOperator', wantedOfOperator(parts.code), mergeOperator);
    const code = parts.code as MergeOperator;
    operator = { code, source: sourceOf(code, parts.url, builtInOperator(code.name) === code) };
  }
  let filter: GivenCode['filter'];
  if (compactionFilter !== undefined) {
    const parts = partsOf('compactionFilter', compactionFilter, 'filter', ['filter', 'url', 'data']);
    check('compactionFilter', wantedOfFilter(parts.code), compactionFilter);
    const code = parts.code as CompactionFilter;
    const { data } = parts.isWrapped ? (compactionFilter as CompactionFilterOption) : { data: undefined };
    if (data !== undefined && typeof data !== 'function') {
      check('compactionFilter', '{ filter, url, data } where data is a function', data);
    }
    filter = { code, source: sourceOf(code, parts.url, false), data };
  }
  return { operator, filter };
}

/** What a keyspace is made with. */
export function createdCode({ operator, filter }: GivenCode): CreatedCode {
  return {
    ...(operator === undefined ? {} : { mergeOperator: storedOf(operator.source) }),
    ...(filter === undefined ? {} : { compactionFilter: storedOf(filter.source) }),
  };
}

/** What of user code is stored. */
export function storedOf({ name, version }: CodeSource): StoredCode {
  return { name, version };
}

export function isSameCode(a: StoredCode | undefined, b: StoredCode): boolean {
  return a !== undefined && a.name === b.name && a.version === b.version;
}

/** @throws invalid `MERGE_OPERATOR_CHANGED` */
export function checkSameOperator(
  keyspace: string,
  stored: string | undefined,
  given: string | undefined,
): void {
  if (stored === undefined || given === undefined || stored === given) return;
  throw invalid(
    'MERGE_OPERATOR_CHANGED',
    `keyspace '${keyspace}' has operands of the merge operator '${stored}', which '${given}' can not merge`,
    { keyspace, expected: stored, got: given },
  );
}

/** What of a keyspace has to go together. */
export interface Together {
  readonly ttlMs: number | undefined;
  /** It comes from `keyspaceDefaults`. */
  readonly isTtlDefault: boolean;
  readonly strategy: string;
  /** What it keeps of its past from now on. */
  readonly retention: { readonly ms?: number; readonly versions?: number };
  readonly hasOperator: boolean;
  readonly hasFilter: boolean;
}

/** @throws invalid `OPTION_INVALID` */
export function checkTogether(keyspace: string, together: Together): void {
  const found = contradiction(together);
  if (found === undefined) return;
  const [option, why] = found;
  throw invalid('OPTION_INVALID', `keyspace '${keyspace}': ${why}`, { option, keyspace });
}

function contradiction({
  ttlMs,
  isTtlDefault,
  strategy,
  retention: { ms = 0, versions = 0 },
  hasOperator,
  hasFilter,
}: Together): [option: string, why: string] | undefined {
  if (hasOperator && ttlMs !== undefined) {
    const why = 'because operands do not expire; give single puts a ttlMs';
    const where = isTtlDefault
      ? ` (${ttlMs} ms is that of keyspaceDefaults: ttlMs: Number.MAX_SAFE_INTEGER turns it off for this keyspace)`
      : '';
    return ['mergeOperator', `ttlMs and mergeOperator do not go together, ${why}${where}`];
  }
  if (hasOperator && versions > 0) {
    const why = 'because operands are folded; keep a time, retention.ms';
    return ['mergeOperator', `retention.versions and mergeOperator do not go together, ${why}`];
  }
  if (hasFilter && ms > 0) {
    const why = 'because what a filter removes is in every state of the past that still sees it';
    return ['compactionFilter', `retention.ms and compactionFilter do not go together, ${why}`];
  }
  if (strategy === 'fifo' && ms + versions > 0) {
    const why = 'which gives up whole tables, whatever states see them';
    return ['retention', `retention does not go together with the strategy 'fifo', ${why}`];
  }
  return undefined;
}

interface Parts {
  readonly code: unknown;
  readonly url: string | undefined;
  readonly isWrapped: boolean;
}

function partsOf(option: string, given: unknown, member: string, members: readonly string[]): Parts {
  if (
    typeof given !== 'object' ||
    given === null ||
    !(member in given) ||
    typeof (given as Record<string, unknown>)[member] === 'function'
  ) {
    return { code: given, url: undefined, isWrapped: false };
  }
  const parts = given as Record<string, unknown>;
  const other = Object.keys(parts).find((name) => !members.includes(name));
  if (other !== undefined) check(option, `{ ${members.join(', ')} } only, not '${other}'`, given);
  return { code: parts[member], url: urlOf(option, parts['url']), isWrapped: true };
}

function urlOf(option: string, url: unknown): string | undefined {
  if (url === undefined) return undefined;
  if (url instanceof URL) return url.href;
  if (typeof url === 'string' && URL.canParse(url)) return url;
  check(option, 'given with the URL of its module, as import.meta.url says it', url);
  return undefined;
}

function sourceOf(
  code: { readonly name: string; readonly version: number | string },
  url: string | undefined,
  isBuiltIn: boolean,
): CodeSource {
  let id = ids.get(code);
  if (id === undefined) {
    id = ++lastId;
    ids.set(code, id);
  }
  return { name: code.name, version: String(code.version), url, isBuiltIn, id };
}

function check(option: string, wanted: string | undefined, got: unknown): void {
  if (wanted === undefined) return;
  throw invalid('OPTION_INVALID', `${option} must be ${wanted}`, { option, wanted, got: typeof got });
}
