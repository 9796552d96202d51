import { availableParallelism } from 'node:os';
import { describe, expect, test } from 'vitest';
import { VarveError } from '../base/errors.ts';
import { databaseSettings } from './database-settings.ts';
import { atLevel, keyspaceSettings, tableBytesAt } from './keyspace-settings.ts';
import { type OptionProblem, resolveDatabaseOptions, resolveKeyspaceSettings } from './resolve.ts';

const MIB = 1024 * 1024;

function refusal(call: () => unknown): { code: string; kind: string; problems: OptionProblem[] } {
  try {
    call();
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    return {
      code: error.code,
      kind: error.kind,
      problems: error.context['problems'] as OptionProblem[],
    };
  }
  throw new Error('was not refused');
}

describe('defaults', () => {
  test('are those of the public API', () => {
    const { clock, fileSystem, ...options } = resolveDatabaseOptions(undefined);
    expect(typeof clock.now()).toBe('number');
    expect(fileSystem).toBeUndefined();
    expect(options).toEqual({
      createIfMissing: true,
      errorIfExists: false,
      readOnly: false,
      recovery: 'prefix',
      sync: { everyN: 1000, intervalMs: 200 },
      log: 'own',
      logBytesMax: 512 * MIB,
      timestamps: true,
      changesRetention: { bytes: undefined, ms: undefined, bytesMax: 1024 * MIB },
      memoryBytesMax: 256 * MIB,
      memtableBytesMax: 64 * MIB,
      cacheBytesMax: (256 - 64 - 32) * MIB,
      memoryLimits: {
        memtables: { min: 32 * MIB, max: 128 * MIB },
        cache: { min: 32 * MIB, max: 224 * MIB },
      },
      pressure: 'slow',
      syncWaitMsMax: 1000,
      batchBytesMax: 64 * MIB,
      openFilesMax: 1000,
      reads: 'pread',
      workers: Math.max(1, availableParallelism() - 1),
      compactionRate: 'auto',
      compactionWindows: [],
      defragment: { liveRatio: 0.4, intervalMs: 10_000, filesMax: 8 },
      keyspaceDefaults: {
        memtableBytes: 32 * MIB,
        isMemtableGiven: false,
        blockBytes: 4096,
        filterBitsPerKey: [10],
        filterPrefixBytes: 0,
        compression: ['none'],
        compaction: { strategy: 'leveled', level0Files: 4, level1Bytes: 64 * MIB },
        levelRatio: 10,
        tableBytes: 8 * MIB,
      },
    });
  });

  test('pass their own check', () => {
    for (const table of [databaseSettings, keyspaceSettings]) {
      for (const [name, declared] of Object.entries(table)) {
        if (declared.default !== undefined) {
          expect([name, declared.refuse(declared.default)]).toEqual([name, undefined]);
        }
      }
    }
  });

  test('undefined counts as not given, null does not', () => {
    expect(resolveDatabaseOptions({ timestamps: undefined }).timestamps).toBe(true);
    expect(refusal(() => resolveDatabaseOptions({ timestamps: null })).problems[0]!.option).toBe(
      'timestamps',
    );
  });

  test('members of sync that are undefined are left out', () => {
    expect(Object.keys(resolveDatabaseOptions({ sync: { everyN: undefined, intervalMs: 5 } }).sync)).toEqual([
      'intervalMs',
    ]);
  });

  test('adapt to a small budget', () => {
    const options = resolveDatabaseOptions({ memoryBytesMax: 64 * MIB });
    expect(options.memtableBytesMax).toBe(32 * MIB);
    expect(options.cacheBytesMax).toBe(24 * MIB);
    expect(options.keyspaceDefaults.memtableBytes).toBe(16 * MIB);
  });

  test('read-only never creates', () => {
    expect(resolveDatabaseOptions({ readOnly: true }).createIfMissing).toBe(false);
    const { problems } = refusal(() => resolveDatabaseOptions({ readOnly: true, createIfMissing: true }));
    expect(problems.map((problem) => problem.option)).toEqual(['createIfMissing']);
  });
});

describe('what is refused', () => {
  test('all problems come in one error', () => {
    const found = refusal(() =>
      resolveDatabaseOptions({
        cacheByteMax: 1,
        readOnly: 'yes',
        workers: 1.5,
        pressure: 'panic',
        keyspaceDefaults: { blockBytes: 1, filterBitsPerKey: [10, -1] },
        clock: { now: () => 0 },
      }),
    );
    expect(found.kind).toBe('invalid');
    expect(found.code).toBe('OPTION_INVALID');
    expect(found.problems.map((problem) => problem.option)).toEqual([
      'cacheByteMax',
      'readOnly',
      'workers',
      'pressure',
      'clock',
      'keyspaceDefaults.blockBytes',
      'keyspaceDefaults.filterBitsPerKey',
    ]);
    expect(found.problems[0]!.wanted).toBe("no such option; did you mean 'cacheBytesMax'?");
    expect(found.problems[1]).toEqual({ option: 'readOnly', got: 'yes', wanted: 'true or false' });
    expect(found.problems[4]!.wanted).toContain('monotonic missing');
  });

  test.each([5, 'fast', [], null])('%j as options', (options) => {
    expect(refusal(() => resolveDatabaseOptions(options)).problems[0]!.option).toBe('options');
  });

  test.each(['__proto__', 'constructor', 'toString'])('the unknown name %s', (name) => {
    const options = JSON.parse(`{"${name}": 1}`) as unknown;
    expect(refusal(() => resolveDatabaseOptions(options)).problems[0]!.option).toBe(name);
  });

  test.each([
    [{}],
    [{ everyN: 0 }],
    [{ everyN: 1.5 }],
    [{ intervalMs: -1 }],
    [{ everyMs: 5 }],
    ['sometimes'],
    [7],
    [[]],
  ])('sync as %j', (sync) => {
    expect(refusal(() => resolveDatabaseOptions({ sync })).problems[0]!.option).toBe('sync');
  });

  test('memtables and cache above the budget, with the arithmetic', () => {
    const { problems } = refusal(() =>
      resolveDatabaseOptions({
        memoryBytesMax: 100 * MIB,
        memtableBytesMax: 64 * MIB,
        cacheBytesMax: 64 * MIB,
      }),
    );
    expect(problems[0]!.option).toBe('memoryBytesMax');
    expect(problems[0]!.wanted).toContain('64 MiB + 64 MiB = 128 MiB, but the budget is 100 MiB');
  });

  test('memtables and batches above the pool that holds them, with the arithmetic', () => {
    const options = { memoryBytesMax: 8192 * MIB, memtableBytesMax: 3072 * MIB };
    const { problems } = refusal(() => resolveDatabaseOptions({ ...options, batchBytesMax: 1024 * MIB }));
    expect(problems.map((problem) => problem.option)).toEqual(['memtableBytesMax']);
    expect(problems[0]!.wanted).toContain(
      '3 GiB + 2 x 1 GiB + 16 MiB = 5136 MiB, but the pool is at most 4194240 KiB',
    );
    expect(resolveDatabaseOptions({ ...options, batchBytesMax: 500 * MIB }).memtableBytesMax).toBe(
      3072 * MIB,
    );
  });

  test('a memtable above the limit of all memtables', () => {
    const { problems } = refusal(() =>
      resolveDatabaseOptions({ keyspaceDefaults: { memtableBytes: 65 * MIB } }),
    );
    expect(problems[0]!.option).toBe('keyspaceDefaults.memtableBytes');
  });

  test('codecs among the defaults of all keyspaces', () => {
    const { problems } = refusal(() => resolveDatabaseOptions({ keyspaceDefaults: { key: {} } }));
    expect(problems[0]!.option).toBe('keyspaceDefaults.key');
  });

  test('NaN, infinities and numbers as text', () => {
    for (const openFilesMax of [Number.NaN, Number.POSITIVE_INFINITY, '1000', 1000n]) {
      expect(refusal(() => resolveDatabaseOptions({ openFilesMax })).code).toBe('OPTION_INVALID');
    }
  });
});

describe('background work', () => {
  test('takes a rate, windows of the day and what defragmentation looks for', () => {
    const options = resolveDatabaseOptions({
      compactionRate: 'unlimited',
      compactionWindows: [{ from: '22:30', to: '06:00' }],
      defragment: { liveRatio: 0.6 },
    });
    expect(options.compactionRate).toBe(Number.POSITIVE_INFINITY);
    expect(options.compactionWindows).toEqual([{ from: 1350, to: 360 }]);
    expect(options.defragment).toEqual({ liveRatio: 0.6, intervalMs: 10_000, filesMax: 8 });
    expect(resolveDatabaseOptions({ defragment: false }).defragment).toBeUndefined();
  });

  test.each([
    [{ compactionRate: 0 }],
    [{ compactionRate: -1 }],
    [{ compactionRate: 'fast' }],
    [{ compactionWindows: '22:00' }],
    [{ compactionWindows: [{ from: '22:00' }] }],
    [{ compactionWindows: [{ from: '24:00', to: '06:00' }] }],
    [{ compactionWindows: [{ from: '06:00', to: '06:00' }] }],
    [{ defragment: true }],
    [{ defragment: { liveRatio: 1 } }],
    [{ defragment: { ratio: 0.5 } }],
  ])('%j is refused by name', (options) => {
    const found = refusal(() => resolveDatabaseOptions(options));
    expect(found.code).toBe('OPTION_INVALID');
    expect(found.problems.map(({ option }) => option)).toEqual(Object.keys(options));
  });
});

test('of options with members every one that is wrong is named at once', () => {
  const wantedOf = (options: object): string => {
    const { problems } = refusal(() => resolveDatabaseOptions(options));
    expect(problems).toHaveLength(1);
    return problems[0]!.wanted;
  };
  const leveled = { strategy: 'leveled', level0Files: 0, level1Bytes: 1, foo: 2 };
  expect(wantedOf({ keyspaceDefaults: { compaction: leveled } })).toBe(
    "level0Files as a whole number of files from 1 files to 1000 files; level1Bytes as a whole number of bytes from 4 KiB to 64 GiB; no setting 'foo': strategy 'leveled' has level0Files, level1Bytes",
  );
  const picker = { name: 'mine', pick: () => undefined };
  expect(wantedOf({ keyspaceDefaults: { compaction: { strategy: picker, a: 1, b: 2 } } })).toMatch(
    /'a'.*'b'/,
  );
  expect(wantedOf({ keyspaceDefaults: { retention: { ms: 0, versions: -1, foo: 1 } } })).toMatch(
    /^ms as .*; versions as .*; no member 'foo'/,
  );
  expect(wantedOf({ defragment: { liveRatio: 2, foo: 1, filesMax: 0 } })).toMatch(
    /^liveRatio as .*; no member 'foo'.*; filesMax as/,
  );
  expect(wantedOf({ changesRetention: { bytes: -1, foo: 1 } })).toMatch(/^bytes as .*; no member 'foo'/);
  const windows = [{ from: '01:00', to: '02:00' }, { from: '1' }, 7];
  expect(wantedOf({ compactionWindows: windows })).toContain('not so [1], [2]');
});

test('a series is refused for both of its settings', () => {
  const { problems } = refusal(() =>
    resolveDatabaseOptions({
      keyspaceDefaults: { compaction: { strategy: 'fifo', bytesMax: 1, windowMs: 0 } },
    }),
  );
  expect(problems[0]!.wanted).toMatch(/^bytesMax as .*; windowMs as /);
});

describe('what comes later', () => {
  const defaults = resolveDatabaseOptions({}).keyspaceDefaults;

  test.each([
    ['compression', { compression: 'snappy' }],
    ['compression', { compression: ['none', 'snappy'] }],
  ])('%s is named in NOT_SUPPORTED_YET', (option, settings) => {
    const found = refusal(() => resolveKeyspaceSettings(settings, defaults));
    expect(found.kind).toBe('invalid');
    expect(found.code).toBe('NOT_SUPPORTED_YET');
    expect(found.problems.map((problem) => problem.option)).toEqual([option]);
  });
});

describe('retention', () => {
  const defaults = resolveDatabaseOptions({}).keyspaceDefaults;

  test.each([
    [5, 'an object'],
    [{ days: 1 }, "no member 'days'"],
    [{ ms: 0 }, 'ms as a whole number'],
    [{ versions: 1.5 }, 'versions as a whole number'],
    [{ versions: 2_000_000 }, 'versions as a whole number'],
  ])('%j is refused', (retention, wanted) => {
    const found = refusal(() => resolveKeyspaceSettings({ retention }, defaults));
    expect(found.code).toBe('OPTION_INVALID');
    expect(found.problems[0]!.wanted).toContain(wanted);
  });

  test('by time needs timestamps, for one keyspace and for all', () => {
    const retention = { ms: 1000 };
    expect(refusal(() => resolveKeyspaceSettings({ retention }, defaults, 1e9, undefined, false)).code).toBe(
      'OPTION_INVALID',
    );
    expect(
      refusal(() => resolveDatabaseOptions({ timestamps: false, keyspaceDefaults: { retention } })).code,
    ).toBe('OPTION_INVALID');
    const byCount = resolveKeyspaceSettings({ retention: { versions: 2 } }, defaults, 1e9, undefined, false);
    expect(byCount.retention).toEqual({ versions: 2 });
  });
});

describe('settings of a keyspace', () => {
  const defaults = resolveDatabaseOptions({
    keyspaceDefaults: { blockBytes: 8192, compression: 'lz4' },
  }).keyspaceDefaults;

  test('come from the defaults of the database unless given', () => {
    const settings = resolveKeyspaceSettings({ key: {}, value: {}, filterBitsPerKey: [12, 10, 0] }, defaults);
    expect(settings.blockBytes).toBe(8192);
    expect(settings.compression).toEqual(['lz4']);
    expect(settings.filterBitsPerKey).toEqual([12, 10, 0]);
    expect(Object.isFrozen(settings.filterBitsPerKey)).toBe(true);
  });

  test('the longest ttlMs is none, also where the defaults have one', () => {
    const { keyspaceDefaults } = resolveDatabaseOptions({ keyspaceDefaults: { ttlMs: 1000 } });
    expect(resolveKeyspaceSettings({}, keyspaceDefaults).ttlMs).toBe(1000);
    expect(
      resolveKeyspaceSettings({ ttlMs: Number.MAX_SAFE_INTEGER }, keyspaceDefaults).ttlMs,
    ).toBeUndefined();
  });

  test('a list by level ends with the value for all deeper levels', () => {
    expect([0, 1, 2, 9].map((level) => atLevel([12, 10, 5], level))).toEqual([12, 10, 5, 5]);
    expect(refusal(() => resolveKeyspaceSettings({ filterBitsPerKey: [] }, defaults)).problems).toHaveLength(
      1,
    );
  });

  test('leveled compaction has settings of its own, checked by name', () => {
    const settings = resolveKeyspaceSettings(
      { compaction: { strategy: 'leveled', level0Files: 2 } },
      defaults,
    );
    expect(settings.compaction).toEqual({ strategy: 'leveled', level0Files: 2, level1Bytes: 64 * MIB });
    const wrong = { compaction: { strategy: 'leveled', level0File: 2 } };
    expect(refusal(() => resolveKeyspaceSettings(wrong, defaults)).problems[0]!.wanted).toContain(
      "no setting 'level0File'",
    );
    expect(refusal(() => resolveKeyspaceSettings({ compaction: { strategy: 'best' } }, defaults)).code).toBe(
      'OPTION_INVALID',
    );
  });

  test.each([
    [{ strategy: 'tiered' }, { strategy: 'tiered', runs: 8, spaceAmplificationMax: 1.75 }],
    [
      { strategy: 'hybrid', level0Files: 6 },
      { strategy: 'hybrid', level0Files: 6, level0Bytes: 256 * MIB, level1Bytes: 64 * MIB },
    ],
    [
      { strategy: 'fifo', bytesMax: 1024 * MIB },
      { strategy: 'fifo', bytesMax: 1024 * MIB, windowMs: undefined },
    ],
  ])('the strategy of %o comes with its own defaults', (compaction, resolved) => {
    expect(resolveKeyspaceSettings({ compaction }, defaults).compaction).toEqual(resolved);
  });

  test('a picker of the user stands where the name of a strategy does, and takes no settings', () => {
    const picker = { name: 'mine', pick: () => undefined };
    const given = { compaction: { strategy: picker } };
    expect(resolveKeyspaceSettings(given, defaults).compaction).toEqual({ strategy: 'custom', picker });
    const wrong = { compaction: { strategy: picker, level0Files: 2 } };
    expect(refusal(() => resolveKeyspaceSettings(wrong, defaults)).problems[0]!.wanted).toContain(
      'level0Files',
    );
    const nameless = { compaction: { strategy: { pick: () => undefined } } };
    expect(refusal(() => resolveKeyspaceSettings(nameless, defaults)).code).toBe('OPTION_INVALID');
  });

  test('thresholds that contradict each other are refused, all of them at once', () => {
    const problemsOf = (options: object): string[] =>
      refusal(() => resolveDatabaseOptions(options)).problems.map(({ got }) => String(got));
    expect(
      problemsOf({ keyspaceDefaults: { compaction: { strategy: 'fifo', bytesMax: 8 * MIB } }, workers: 0 }),
    ).toEqual(['0', `bytesMax: ${8 * MIB}`]);
    expect(
      problemsOf({ keyspaceDefaults: { compaction: { strategy: 'hybrid', level0Bytes: 8 * MIB } } }),
    ).toEqual([`level0Bytes: ${8 * MIB}`]);
    expect(
      problemsOf({
        defragment: { liveRatio: 0.6 },
        keyspaceDefaults: { compaction: { strategy: 'tiered', spaceAmplificationMax: 2 } },
      }),
    ).toEqual(['spaceAmplificationMax: 2']);
  });

  test('tables double below level 1 up to 64 MiB', () => {
    const settings = resolveKeyspaceSettings({}, defaults);
    expect([0, 1, 2, 3, 4, 5, 6].map((level) => tableBytesAt(settings, level) / MIB)).toEqual([
      8, 8, 16, 32, 64, 64, 64,
    ]);
    const large = resolveKeyspaceSettings({ tableBytes: 128 * MIB }, defaults);
    expect(tableBytesAt(large, 4)).toBe(128 * MIB);
  });
});
