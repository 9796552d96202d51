/**
 * Bad input: whatever a caller or a disk gives the database, it answers with a VarveError that says what was wrong, and
 * nothing that was stored before is lost. Ranges and options are here; keys and values are in bad-values.test.ts, paths in
 * bad-path.test.ts, what is closed, dropped or of another database in closed.test.ts and foreign.test.ts, and damaged files
 * in damaged-files.test.ts.
 */
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { type DatabaseOptions, open } from 'varve';
import { describe, expect, test } from 'vitest';
import { inMemory, texts } from './in-memory.ts';
import { expectRefusal, refusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

describe('ranges', () => {
  test('unknown members, negative limits and what is no range are refused', async () => {
    const db = await inMemory();
    const keyspace = texts(db);
    keyspace.put('a', '1');
    const bad: unknown[] = [
      { from: 'a' },
      { gte: 'a', limits: 1 },
      { limit: -1 },
      { limit: 1.5 },
      { limit: Number.NaN },
      { limit: '1' },
      { reverse: 1 },
      null,
      'a',
    ];
    const snapshot = db.snapshot();
    for (const range of bad) {
      await expectRefusal(() => keyspace.range(range as never), 'RANGE_INVALID', 'invalid');
      await expectRefusal(() => keyspace.count(range as never), 'RANGE_INVALID', 'invalid');
      await expectRefusal(() => keyspace.approximateSize(range as never), 'RANGE_INVALID', 'invalid');
      await expectRefusal(() => snapshot.range(keyspace, range as never), 'RANGE_INVALID', 'invalid');
    }
    snapshot.close();
    expect(await refusal(() => keyspace.range({ from: 'a' } as never))).toMatchObject({
      context: { got: 'from' },
    });
    expect(db.stats().snapshots.count).toBe(0);
  });

  test('deleteRange wants gte before lt and nothing else', async () => {
    const db = await inMemory();
    const keyspace = texts(db);
    keyspace.put('b', '1');
    const bad: unknown[] = [
      { gte: 'c', lt: 'a' },
      { gte: 'a' },
      { lt: 'c' },
      { gt: 'a', lt: 'c' },
      { gte: 'a', lt: 'c', reverse: true },
      {},
      null,
      undefined,
    ];
    for (const range of bad) {
      await expectRefusal(() => keyspace.deleteRange(range as never), 'RANGE_INVALID', 'invalid');
      await expectRefusal(() => db.batch().deleteRange(keyspace, range as never), 'RANGE_INVALID', 'invalid');
      await expectRefusal(
        () => keyspace.deleteRange(range as never, { durability: 'disk' }),
        'RANGE_INVALID',
        'invalid',
      );
    }
    const before = db.stats().sequence;
    expect(keyspace.deleteRange({ gte: 'b', lt: 'b' })).toBe(before);
    expect(keyspace.get('b')).toBe('1');
  });

  test('getMany takes an array', async () => {
    const db = await inMemory();
    const keyspace = texts(db);
    await expectRefusal(() => keyspace.getMany('ab' as never), 'KEY_INVALID', 'invalid');
    await expectRefusal(() => db.snapshot().getMany(keyspace, 'ab' as never), 'KEY_INVALID', 'invalid');
  });
});

describe('options', () => {
  test('an unknown option is refused with the nearest one, before anything is touched', async () => {
    const path = temporaryDirectory();
    const error = await expectRefusal(
      () => open(path, { memorybytesmax: 1 } as never),
      'OPTION_INVALID',
      'invalid',
    );
    expect(error.message).toContain("did you mean 'memoryBytesMax'");
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test('all that is wrong is said at once', async () => {
    const options = {
      cacheBytesMax: -1,
      sync: { everyN: 0 },
      pressure: 'never',
      nonsense: 1,
      clock: {},
      keyspaceDefaults: { blockBytes: 7 },
    };
    const error = await expectRefusal(() => open(':memory:', options as never), 'OPTION_INVALID', 'invalid');
    const problems = error.context['problems'] as { option: string; got: unknown; wanted: string }[];
    expect(problems.map(({ option }) => option).sort()).toEqual([
      'cacheBytesMax',
      'clock',
      'keyspaceDefaults.blockBytes',
      'nonsense',
      'pressure',
      'sync',
    ]);
    for (const { option, wanted } of problems) {
      expect(wanted).not.toBe('');
      expect(error.message).toContain(option);
    }
  });

  test('options out of range are refused by open and by keyspace', async () => {
    const bad: unknown[] = [
      { memoryBytesMax: 1 },
      { memoryBytesMax: Number.NaN },
      { memtableBytesMax: 1e12 },
      { memoryBytesMax: 1024 ** 2, cacheBytesMax: 1024 ** 2 },
      { workers: 0 },
      { batchBytesMax: 0 },
      { openFilesMax: 1.5 },
      { sync: 'sometimes' },
      { sync: { everyN: 1, other: 1 } },
      { sync: {} },
      { recovery: 'hope' },
      { readOnly: 'yes' },
      { readOnly: true, createIfMissing: true },
      { fileSystem: {} },
      { keyspaceDefaults: { memtableBytes: 1024 ** 3 } },
      null,
      'x',
      [],
    ];
    for (const options of bad) {
      await expectRefusal(() => open(':memory:', options as never), 'OPTION_INVALID', 'invalid');
    }
    const db = await inMemory();
    const badSettings: unknown[] = [
      { memtableBytes: 1 },
      { blockBytes: 1e9 },
      { compression: 'rot13' },
      { compression: [] },
      { levelRatio: 1 },
      { compaction: { strategy: 'leveled', level0Files: 0 } },
      { compaction: { strategy: 'leveled', other: 1 } },
      { compaction: 'leveled' },
      { unknown: 1 },
      { key: 'utf8' },
      { key: { name: 'x' } },
      { value: { name: 1, encode() {}, decode() {} } },
      null,
    ];
    for (const settings of badSettings) {
      await expectRefusal(() => db.keyspace('bad', settings as never), 'OPTION_INVALID', 'invalid');
    }
    expect(db.keyspaces()).toEqual([]);
  });

  test('strategies, rates, hours and defragmentation are held against what they can be', async () => {
    const picker = { name: 'mine', pick: (): undefined => undefined };
    const bad: unknown[] = [
      { compactionRate: 0 },
      { compactionRate: 'fast' },
      { compactionRate: Number.NaN },
      { compactionWindows: '22:00' },
      { compactionWindows: [{ from: '22:00' }] },
      { compactionWindows: [{ from: '22:00', to: '24:00' }] },
      { compactionWindows: [{ from: '22:00', to: '22:00' }] },
      { compactionWindows: [null] },
      { defragment: true },
      { defragment: null },
      { defragment: { liveRatio: 1 } },
      { defragment: { intervalMs: 0 } },
      { defragment: { filesMax: 0.5 } },
      { defragment: { other: 1 } },
    ];
    for (const options of bad) {
      await expectRefusal(() => open(':memory:', options as never), 'OPTION_INVALID', 'invalid');
    }
    const db = await inMemory();
    const badStrategies: unknown[] = [
      { strategy: 'sideways' },
      { strategy: null },
      { strategy: { name: 'mine' } },
      { strategy: { name: 7, pick: picker.pick } },
      { strategy: { ...picker, pick: 7 } },
      { strategy: picker, runs: 4 },
      { strategy: 'tiered', level0Files: 4 },
      { strategy: 'tiered', runs: 1 },
      { strategy: 'tiered', spaceAmplificationMax: 1 },
      { strategy: 'hybrid', level0Bytes: 0 },
      { strategy: 'hybrid', level0Bytes: 8192 },
      { strategy: 'fifo', bytesMax: 8192 },
      { strategy: 'fifo', windowMs: 0 },
    ];
    for (const compaction of badStrategies) {
      await expectRefusal(() => db.keyspace('bad', { compaction } as never), 'OPTION_INVALID', 'invalid');
    }
    expect(db.keyspaces()).toEqual([]);
  });

  test('compact and reclaim refuse what they do not know, before they do anything', async () => {
    const db = await inMemory();
    texts(db).put('a', '1');
    const calls = [(options: never) => db.compact(options), (options: never) => db.reclaim(options)];
    const bad: unknown[] = [
      null,
      7,
      'data',
      { unknown: 1 },
      { signal: {} },
      { signal: null },
      { onProgress: 'log' },
    ];
    for (const call of calls) {
      for (const options of bad) {
        await expectRefusal(() => call(options as never), 'OPTION_INVALID', 'invalid');
      }
      await expectRefusal(() => call({ keyspace: 'nobody' } as never), 'KEYSPACE_NOT_FOUND', 'invalid');
      await expectRefusal(() => call({ signal: AbortSignal.abort() } as never), 'ABORTED', 'busy');
    }
    for (const liveRatio of [-1, 1.1, Number.NaN, '0.5', null]) {
      await expectRefusal(() => db.reclaim({ liveRatio } as never), 'OPTION_INVALID', 'invalid', {
        option: 'liveRatio',
      });
    }
    await expectRefusal(() => db.compact({ range: { gte: 'a' } } as never), 'OPTION_INVALID', 'invalid');
    expect(db.stats().keyspaces['texts']!.levels.every(({ files }) => files === 0)).toBe(true);
  });

  test('what comes later is refused by its name', async () => {
    const later: DatabaseOptions[] = [{ keyspaceDefaults: { compression: 'snappy' } }];
    for (const options of later) {
      const error = await expectRefusal(() => open(':memory:', options), 'NOT_SUPPORTED_YET', 'invalid');
      expect(error.message).toContain(`keyspaceDefaults.${Object.keys(options.keyspaceDefaults!)[0]}`);
    }
    const db = await inMemory();
    const keyspace = texts(db);
    const unbuilt = keyspace as unknown as Record<'explain', (...args: unknown[]) => unknown>;
    await expectRefusal(() => unbuilt.explain('a'), 'NOT_SUPPORTED_YET', 'invalid', { method: 'explain' });
    expect(keyspace.count()).toBe(0);
  });

  test('unknown put options, waits and classes are refused', async () => {
    const db = await inMemory();
    const keyspace = texts(db);
    const waits: unknown[] = [
      { durability: 'forever' },
      { durability: 'replicated' },
      { deadlineMs: 5 },
      { durability: 'os', deadlineMs: -1 },
      { durability: 'os', deadlineMs: Number.NaN },
      { durability: 'os', deadlineMs: '5' },
      { durability: 'os', signal: {} },
      { durability: 'os', extra: 1 },
    ];
    for (const wait of waits) {
      const error = await refusal(() => keyspace.put('a', 'b', wait as never));
      expect(['DURABILITY_INVALID', 'OPTION_INVALID']).toContain(error.code);
      expect((await refusal(() => keyspace.delete('a', wait as never))).kind).toBe('invalid');
      expect((await refusal(() => db.write(db.batch().put(keyspace, 'a', 'b'), wait as never))).kind).toBe(
        'invalid',
      );
    }
    await expectRefusal(() => keyspace.put('a', 'b', { ttl: 5 } as never), 'OPTION_INVALID', 'invalid', {
      got: 'ttl',
    });
    await expectRefusal(() => db.sync('memory' as never), 'DURABILITY_INVALID', 'invalid');
    await expectRefusal(() => db.syncNow('replicated' as never), 'DURABILITY_INVALID', 'invalid');
    await expectRefusal(() => db.compact({ keyspaces: 'a' } as never), 'OPTION_INVALID', 'invalid');
    await expectRefusal(() => db.compact({ keyspace: 'none' }), 'KEYSPACE_NOT_FOUND', 'invalid');
    await expectRefusal(() => db.compact({ range: {} }), 'OPTION_INVALID', 'invalid');
    for (const range of [null, [], 7]) {
      const options = { keyspace: keyspace.name, range } as never;
      await expectRefusal(() => db.compact(options), 'RANGE_INVALID', 'invalid');
    }
    await expectRefusal(() => db.compact([] as never), 'OPTION_INVALID', 'invalid');
    await expectRefusal(() => db.reclaim([] as never), 'OPTION_INVALID', 'invalid');
    expect(keyspace.count()).toBe(0);
  });

  test('keyspace names are strings of 1 to 255 bytes, and what is not there can not be dropped', async () => {
    const db = await inMemory();
    for (const name of ['', 'x'.repeat(256), 1, null, undefined]) {
      await expectRefusal(() => db.keyspace(name as string), 'NAME_INVALID', 'invalid');
    }
    await expectRefusal(() => db.dropKeyspace('none'), 'KEYSPACE_NOT_FOUND', 'invalid');
  });
});
