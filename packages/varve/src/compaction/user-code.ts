/**
 * The user code of one job: its merge operator and its filter, found in the thread that the job runs in, and what went wrong with
 * them. A job never fails for user code: what throws leaves operands and entries as they are, and a few problems are reported
 * with the job's result.
 */
import { cloneOf } from '../base/bytes.ts';
import type { CodeSource } from '../base/code-source.ts';
import {
  type CompactionFilter,
  type FilterContext,
  type FilteredEntry,
  wantedOfFilter,
} from '../base/compaction-filter.ts';
import { asError } from '../base/errors.ts';
import { VALUE_BYTES_MAX } from '../base/entry.ts';
import { type MergeOperator, runMerge, wantedOfOperator } from '../base/merge-operator.ts';
import { builtInOperator } from '../base/operators/built-in.ts';
import { isUnawaited } from '../base/unawaited.ts';
import type { JobCode, JobEnv, JobProblem } from './job.ts';

const PROBLEMS_MAX = 8;
/** Keys at which it fails before it is not asked any more: what always throws would cost time for each. */
const FAILURES_MAX = 1000;

export class JobUserCode {
  readonly problems: JobProblem[] = [];
  readonly #keyspace: string;
  readonly #operator: MergeOperator | undefined;
  readonly #filter: CompactionFilter | undefined;
  #context: FilterContext | undefined;
  #mergeFailures = 0;
  #filterFailures = 0;

  /** @param level to which the job writes; undefined for a flush, which asks no filter */
  constructor(code: JobCode | undefined, level: number | undefined, env: JobEnv) {
    this.#keyspace = code?.keyspace ?? '';
    const { operator, filter } = code ?? {};
    if (operator !== undefined) {
      this.#operator = (
        operator.isBuiltIn ? builtInOperator(operator.name) : this.#find(operator, wantedOfOperator, env)
      ) as MergeOperator | undefined;
    }
    if (filter === undefined || level === undefined) return;
    this.#filter = this.#find(filter, wantedOfFilter, env) as CompactionFilter | undefined;
    if (this.#filter === undefined) return;
    const context = { keyspace: this.#keyspace, level, data: code?.filterData };
    try {
      const state = this.#filter.begin?.(context);
      if (isUnawaited(state)) throw new Error('begin returned a promise, which nobody awaits');
      this.#context = { ...context, state };
    } catch (error) {
      this.#note('FILTER_FAILED', filter.name, undefined, error);
    }
  }

  get filters(): boolean {
    return this.#context !== undefined;
  }

  #find(source: CodeSource, wantedOf: (code: unknown) => string | undefined, env: JobEnv): unknown {
    try {
      const code = env.code?.(source);
      const wanted = wantedOf(code);
      if (wanted !== undefined) throw new Error(`it is not ${wanted}`);
      return code;
    } catch (error) {
      this.#note('USER_CODE_MISSING', source.name, undefined, error);
      return undefined;
    }
  }

  merge(
    key: Uint8Array,
    existing: Uint8Array | undefined,
    operands: readonly Uint8Array[],
  ): Uint8Array | undefined {
    const operator = this.#operator;
    if (operator === undefined || this.#mergeFailures >= FAILURES_MAX) return undefined;
    try {
      return runMerge(operator, this.#keyspace, key, existing, operands);
    } catch (error) {
      this.#mergeFailures++;
      this.#note('MERGE_FAILED', operator.name, key, error);
      return undefined;
    }
  }

  partialMerge(key: Uint8Array, older: Uint8Array, newer: Uint8Array): Uint8Array | undefined {
    const operator = this.#operator;
    if (operator?.partialMerge === undefined || this.#mergeFailures >= FAILURES_MAX) return undefined;
    try {
      const both = operator.partialMerge(key, older, newer);
      if (both === undefined || both instanceof Uint8Array) return both;
      isUnawaited(both);
      throw new Error('partialMerge returned no Uint8Array');
    } catch (error) {
      this.#mergeFailures++;
      this.#note('MERGE_FAILED', operator.name, key, error);
      return undefined;
    }
  }

  /** 'keep', 'remove', or the new value. */
  filter(entry: FilteredEntry): 'keep' | 'remove' | Uint8Array {
    const filter = this.#filter!;
    if (this.#filterFailures >= FAILURES_MAX) return 'keep';
    try {
      const decision: unknown = filter.filter(entry, this.#context!);
      if (decision === 'keep' || decision === 'remove') return decision;
      const value = (decision as { readonly value?: unknown } | undefined)?.value;
      if (value instanceof Uint8Array && value.length <= VALUE_BYTES_MAX) return value;
      isUnawaited(decision);
      throw new Error("it returned none of 'keep', 'remove' and { value }");
    } catch (error) {
      this.#filterFailures++;
      this.#note('FILTER_FAILED', filter.name, entry.key, error);
      return 'keep';
    }
  }

  #note(code: JobProblem['code'], name: string, key: Uint8Array | undefined, error: unknown): void {
    if (this.problems.length >= PROBLEMS_MAX) return;
    const message = asError(error).message;
    this.problems.push({ code, name, message, ...(key === undefined ? {} : { key: cloneOf(key) }) });
  }
}
