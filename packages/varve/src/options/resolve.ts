/**
 * From what a caller gave to what the engine uses: checks every option against its declaration, fills in defaults,
 * normalises lists by level, and holds the relations between options.
 *
 * Called by `open` and by `keyspace` on the owner thread, before anything is touched. All problems are reported in one
 * error: OPTION_INVALID with `context.problems`, or NOT_SUPPORTED_YET when nothing else is wrong.
 * Invariants: (1) no option is ignored. (2) The result is frozen and shares nothing mutable with the input.
 */
import { availableParallelism } from 'node:os';
import { invalid } from '../base/errors.ts';
import type { DatabaseOptions, ResolvedDatabaseOptions, SyncOption } from './database-settings.ts';
import { databaseSettings } from './database-settings.ts';
import type { Codec, KeyspaceSettings, ResolvedKeyspaceSettings } from './keyspace-settings.ts';
import {
  type ResolvedDefragment,
  resolveDefragment,
  resolveRate,
  resolveWindows,
} from './background-settings.ts';
import { resolveChangesRetention } from './changes-settings.ts';
import { FIFO_FLUSHES_MIN, resolveCompaction } from './compaction-settings.ts';
import { keyspaceSettings } from './keyspace-settings.ts';
import { memoryLimits, refuseBudget, refusePool } from './memory-limits.ts';
import type { Setting } from './setting.ts';
import { showBytes } from './setting.ts';
import { nearestName } from './suggest.ts';

export type { ResolvedDatabaseOptions, ResolvedKeyspaceSettings };

const NO_TIMES = 'no ms: timestamps are off, so nobody knows when something was written';

/** One thing that is wrong with the options. */
export interface OptionProblem {
  /** Where: 'cacheBytesMax', 'keyspaceDefaults.blockBytes'. */
  readonly option: string;
  /** What was given, as plain data. */
  readonly got: unknown;
  readonly wanted: string;
}

type SettingTable = { readonly [name: string]: Setting<unknown> };
type Values = Record<string, unknown>;

/** Collects what is wrong; throws once at the end. */
class Problems {
  readonly #invalid: OptionProblem[] = [];
  readonly #later: OptionProblem[] = [];

  add(option: string, got: unknown, wanted: string): void {
    this.#invalid.push({ option, got: plain(got), wanted });
  }

  addLater(option: string, got: unknown): void {
    this.#later.push({ option, got: plain(got), wanted: 'not given: this release does not support it yet' });
  }

  throwIfAny(): void {
    const problems = [...this.#invalid, ...this.#later];
    if (problems.length === 0) return;
    const lines = problems.map(({ option, got, wanted }) => `${option}: got ${show(got)}, wanted ${wanted}`);
    const code = this.#invalid.length > 0 ? 'OPTION_INVALID' : 'NOT_SUPPORTED_YET';
    throw invalid(code, lines.join('\n'), { problems });
  }
}

/**
 * Checks and completes the options of `open`.
 *
 * @throws VarveError `OPTION_INVALID` or `NOT_SUPPORTED_YET` (kind invalid) with `context.problems`.
 * @example
 * resolveDatabaseOptions({ memoryBytesMax: 1024 ** 3 }).cacheBytesMax // 832 MiB
 */
export function resolveDatabaseOptions(options: unknown): ResolvedDatabaseOptions {
  const problems = new Problems();
  const given = check(databaseSettings, options, '', [], problems) as DatabaseOptions;

  const memoryBytesMax = given.memoryBytesMax ?? databaseSettings.memoryBytesMax.default!;
  const memtableBytesMax =
    given.memtableBytesMax ??
    Math.min(databaseSettings.memtableBytesMax.default!, Math.floor(memoryBytesMax / 2));
  const room = Math.floor(memoryBytesMax / 8);
  const cacheBytesMax =
    given.cacheBytesMax ??
    Math.min(databaseSettings.cacheBytesMax.max!, Math.max(0, memoryBytesMax - memtableBytesMax - room));
  const batchBytesMax = given.batchBytesMax ?? databaseSettings.batchBytesMax.default!;
  const overBudget = refuseBudget(memoryBytesMax, memtableBytesMax, cacheBytesMax);
  if (overBudget !== undefined) problems.add('memoryBytesMax', memoryBytesMax, overBudget);
  const overPool = refusePool(memtableBytesMax, batchBytesMax);
  if (overPool !== undefined) problems.add('memtableBytesMax', memtableBytesMax, overPool);
  if (given.createIfMissing === true && given.readOnly === true) {
    problems.add('createIfMissing', true, 'false or not given together with readOnly: true');
  }
  if (given.changesRetention?.ms !== undefined && given.timestamps === false) {
    problems.add('changesRetention', given.changesRetention, 'no ms together with timestamps: false');
  }
  const keyspaceDefaults = completeKeyspace(
    check(keyspaceSettings, given.keyspaceDefaults, 'keyspaceDefaults.', [], problems),
    builtInKeyspace(memtableBytesMax),
    memtableBytesMax,
    'keyspaceDefaults.',
    problems,
  );
  const defragment = resolveDefragment(given.defragment ?? {});
  refuseContradictions(keyspaceDefaults, defragment, 'keyspaceDefaults.', problems);
  if (given.timestamps === false && keyspaceDefaults.retention?.ms !== undefined) {
    problems.add('keyspaceDefaults.retention', keyspaceDefaults.retention, NO_TIMES);
  }
  problems.throwIfAny();

  const value = <Name extends keyof DatabaseOptions>(name: Name): NonNullable<DatabaseOptions[Name]> =>
    (given[name] ?? databaseSettings[name].default) as NonNullable<DatabaseOptions[Name]>;
  const sync = value('sync');
  return Object.freeze({
    createIfMissing: value('createIfMissing') && !value('readOnly'),
    errorIfExists: value('errorIfExists'),
    readOnly: value('readOnly'),
    recovery: value('recovery'),
    sync: typeof sync === 'string' ? sync : (Object.freeze(withoutUndefined(sync)) as SyncOption),
    log: value('log'),
    logBytesMax: value('logBytesMax'),
    timestamps: value('timestamps'),
    changesRetention: resolveChangesRetention(value('changesRetention')),
    memoryBytesMax,
    memtableBytesMax,
    cacheBytesMax,
    memoryLimits: memoryLimits(
      memoryBytesMax,
      { bytes: memtableBytesMax, isGiven: given.memtableBytesMax !== undefined },
      { bytes: cacheBytesMax, isGiven: given.cacheBytesMax !== undefined },
      { batchBytesMax, logBytesMax: value('logBytesMax'), cacheLimit: databaseSettings.cacheBytesMax.max! },
    ),
    pressure: value('pressure'),
    syncWaitMsMax: value('syncWaitMsMax'),
    batchBytesMax,
    openFilesMax: value('openFilesMax'),
    reads: value('reads'),
    workers: given.workers ?? Math.max(1, availableParallelism() - 1),
    compactionRate: resolveRate(value('compactionRate')),
    compactionWindows: resolveWindows(value('compactionWindows')),
    defragment,
    fileSystem: given.fileSystem,
    clock: value('clock'),
    keyspaceDefaults,
  });
}

/**
 * Checks the settings of one keyspace and completes them from `defaults`. `key` and `value` (the codecs, which the
 * engine checks) may stand among them. `memtableBytesMax` is the limit over all keyspaces.
 *
 * @throws VarveError `OPTION_INVALID` or `NOT_SUPPORTED_YET` (kind invalid) with `context.problems`.
 */
export function resolveKeyspaceSettings(
  settings: unknown,
  defaults: ResolvedKeyspaceSettings,
  memtableBytesMax: number = Number.MAX_SAFE_INTEGER,
  defragment?: ResolvedDefragment,
  timestamps: boolean = true,
): ResolvedKeyspaceSettings {
  const problems = new Problems();
  const given = check(
    keyspaceSettings,
    settings,
    '',
    ['key', 'value', 'mergeOperator', 'compactionFilter'],
    problems,
  );
  const resolved = completeKeyspace(given, defaults, memtableBytesMax, '', problems);
  if (!timestamps && resolved.retention?.ms !== undefined)
    problems.add('retention', resolved.retention, NO_TIMES);
  refuseContradictions(resolved, defragment, '', problems);
  problems.throwIfAny();
  return resolved;
}

/** The values that pass; the others become problems. `undefined` counts as not given. */
function check(
  table: { readonly [name: string]: unknown },
  options: unknown,
  at: string,
  others: readonly string[],
  problems: Problems,
): Values {
  const passed: Values = {};
  if (options === undefined) return passed;
  if (options === null || typeof options !== 'object' || Array.isArray(options)) {
    problems.add(at === '' ? 'options' : at.slice(0, -1), options, 'an object');
    return passed;
  }
  const names = Object.keys(table);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || others.includes(name)) continue;
    if (!Object.hasOwn(table, name)) {
      const near = nearestName(name, [...names, ...others]);
      const advice = near === undefined ? `one of ${names.join(', ')}` : `did you mean '${near}'?`;
      problems.add(at + name, value, `no such option; ${advice}`);
      continue;
    }
    const declared = (table as SettingTable)[name]!;
    if (declared.later?.(value) === true) {
      problems.addLater(at + name, value);
      continue;
    }
    const wanted = declared.refuse(value);
    if (wanted === undefined) passed[name] = value;
    else problems.add(at + name, value, wanted);
  }
  return passed;
}

/** The built-in defaults, before what the caller says. */
function builtInKeyspace(memtableBytesMax: number): ResolvedKeyspaceSettings {
  const builtIn = keyspaceSettings;
  return {
    memtableBytes: Math.min(builtIn.memtableBytes.default!, Math.ceil(memtableBytesMax / 2)),
    isMemtableGiven: false,
    blockBytes: builtIn.blockBytes.default!,
    filterBitsPerKey: [builtIn.filterBitsPerKey.default as number],
    filterPrefixBytes: builtIn.filterPrefixBytes.default!,
    compression: [builtIn.compression.default as Codec],
    compaction: resolveCompaction(builtIn.compaction.default!),
    levelRatio: builtIn.levelRatio.default!,
    tableBytes: builtIn.tableBytes.default!,
    ttlMs: undefined,
    blobValueBytes: undefined,
    retention: undefined,
  };
}

function completeKeyspace(
  values: Values,
  defaults: ResolvedKeyspaceSettings,
  memtableBytesMax: number,
  at: string,
  problems: Problems,
): ResolvedKeyspaceSettings {
  const given = values as KeyspaceSettings;
  if (given.memtableBytes !== undefined && given.memtableBytes > memtableBytesMax) {
    problems.add(
      `${at}memtableBytes`,
      given.memtableBytes,
      `at most memtableBytesMax, ${showBytes(memtableBytesMax)} for all keyspaces together`,
    );
  }
  return Object.freeze({
    memtableBytes: given.memtableBytes ?? defaults.memtableBytes,
    isMemtableGiven: given.memtableBytes !== undefined || defaults.isMemtableGiven,
    blockBytes: given.blockBytes ?? defaults.blockBytes,
    filterBitsPerKey: asList(given.filterBitsPerKey ?? defaults.filterBitsPerKey),
    filterPrefixBytes: given.filterPrefixBytes ?? defaults.filterPrefixBytes,
    compression: asList(given.compression ?? defaults.compression),
    compaction: given.compaction === undefined ? defaults.compaction : resolveCompaction(given.compaction),
    levelRatio: given.levelRatio ?? defaults.levelRatio,
    tableBytes: given.tableBytes ?? defaults.tableBytes,
    // The longest one ends never: a keyspace has none when the defaults have one.
    ttlMs: given.ttlMs === Number.MAX_SAFE_INTEGER ? undefined : (given.ttlMs ?? defaults.ttlMs),
    blobValueBytes: given.blobValueBytes ?? defaults.blobValueBytes,
    retention: given.retention === undefined ? defaults.retention : Object.freeze({ ...given.retention }),
  });
}

/** Settings that are fine one by one and together ask for what can not be. */
function refuseContradictions(
  { compaction, memtableBytes }: ResolvedKeyspaceSettings,
  defragment: ResolvedDefragment | undefined,
  at: string,
  problems: Problems,
): void {
  const add = (got: unknown, wanted: string): void => problems.add(`${at}compaction`, got, wanted);
  if (compaction.strategy === 'fifo') {
    const { bytesMax } = compaction;
    if (bytesMax !== undefined && bytesMax < FIFO_FLUSHES_MIN * memtableBytes) {
      add(
        `bytesMax: ${bytesMax}`,
        `a bytesMax of at least two memtables (memtableBytes is ${showBytes(memtableBytes)}): what is flushed would go at once`,
      );
    }
  }
  if (compaction.strategy === 'hybrid' && compaction.level0Bytes < memtableBytes) {
    add(
      `level0Bytes: ${compaction.level0Bytes}`,
      `a level0Bytes of at least memtableBytes, ${showBytes(memtableBytes)}: level 0 would never gather files`,
    );
  }
  if (compaction.strategy === 'tiered' && defragment !== undefined) {
    const least = 1 / compaction.spaceAmplificationMax;
    if (defragment.liveRatio > least) {
      add(
        `spaceAmplificationMax: ${compaction.spaceAmplificationMax}`,
        `at most ${(1 / defragment.liveRatio).toFixed(2)}, 1 / defragment.liveRatio: tables that this strategy leaves as they are would be rewritten for their dead share`,
      );
    }
  }
}

/** A copy whose members all have values: `'everyN' in sync` then means what it says. */
function withoutUndefined(values: object): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function asList<T>(value: T | readonly T[]): readonly T[] {
  return Object.freeze(Array.isArray(value) ? [...(value as readonly T[])] : [value as T]);
}

/** What an error's context may hold: primitives as they are, everything else as short text. */
function plain(value: unknown): unknown {
  if (value === null || ['string', 'number', 'boolean', 'undefined'].includes(typeof value)) return value;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'bigint' || typeof value === 'symbol') return cut(value.toString());
  try {
    return cut(JSON.stringify(value));
  } catch {
    return 'an object';
  }
}

const show = (value: unknown): string =>
  typeof value === 'string' ? `'${cut(value)}'` : `${value as number}`;
const cut = (text: string): string => (text.length > 100 ? `${text.slice(0, 100)}...` : text);
