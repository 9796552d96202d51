import { expect, test } from 'vitest';
import { dumpText } from './commands/dump.ts';
import { statsLines } from './commands/stats.ts';
import { verifyLines } from './commands/verify.ts';
import { Output, alignColumns, plural, showCount, showSize } from './output.ts';
import { readLines } from './read-input.ts';
import { takeArguments, UsageError, wholeNumber } from './session.ts';
import type { Session } from './session.ts';

const MIB = 1024 * 1024;
const recovered = {
  batches: 3,
  bytes: 2048,
  cutBytes: 0,
  segments: 1,
  ms: 1,
  warnings: [],
  background: 'threads' as const,
};
const keyspace = {
  keyCodec: 'utf8',
  valueCodec: 'json',
  entries: 1234567,
  bytes: 74 * MIB,
  memtableBytes: 5 * MIB,
  blobs: { files: 0, bytes: 0, liveBytes: 0 },
  levels: [
    { files: 2, bytes: 10 * MIB },
    { files: 8, bytes: 64 * MIB },
    { files: 0, bytes: 0 },
  ],
};

test('statistics name every keyspace', () => {
  const lines = statsLines(
    '/data',
    {
      sequence: 42,
      timeMs: 1_700_000_000_000,
      incarnation: 3,
      memoryBytes: { memtables: 0, cache: 0, indexes: 0, pool: 0 },
      memoryBudget: { memtables: 64, cache: 160, indexes: 32 },
      read: { blocks: 0, bytes: 0 },
      log: { segments: 1, bytes: 2048, syncedSequence: 42 },
      written: { user: 0, log: 0, flush: 0, compaction: 0, ingest: 0 },
      reclaimed: { compactions: 0, files: 0, bytes: 0 },
      keyspaces: { users: keyspace },
      asyncReads: { jobs: 0, running: 0, runningMax: 0, waiting: 0 },
      snapshots: { count: 0 },
      heldSnapshots: [],
      pressure: { state: 'none', delayed: 0, blocked: 0, failed: 0, waitMs: 0, reasons: {} },
      transactions: {
        open: 0,
        committed: 0,
        large: 0,
        rolledBack: 0,
        conflicts: 0,
        retries: 0,
        deadlocks: 0,
        locks: 0,
        waiting: 0,
        prepared: 0,
      },
      changes: { feeds: 0, retainedSegments: 0, retainedBytes: 0 },
      threads: [],
    },
    recovered,
  );
  expect(lines).toContain('log          3 records, 2.0 KiB in 1 segment, read at open');
  expect(lines.at(-1)).toBe('users     1,234,567   74.0 MiB    5.0 MiB     10  2 8 0');
});

test('a verification names file and offset of every problem', () => {
  const problems = [{ file: '7.sst', offset: 4096, code: 'CORRUPTION', message: 'checksum' }];
  expect(verifyLines({ files: 1, bytes: 10, entries: 2, problems }, recovered)[0]).toBe(
    '7.sst at 4096: checksum (CORRUPTION)',
  );
  expect(verifyLines({ files: 1, bytes: 10, entries: 2, problems: [] }, recovered)).toEqual([
    'sound: 1 table, 10 B, 2 entries; log: 3 records, 2.0 KiB',
  ]);
});

test('a dumped record is one line', () => {
  const detail = { keyspace: 1, key: 'a', value: '{"a b":1}\n', note: undefined };
  expect(dumpText({ offset: 120, kind: 'put', detail })).toBe(
    '       120  put           keyspace=1 key=a value={"a b":1}\\n',
  );
  expect(dumpText({ offset: 0, kind: 'tail', detail: { key: 'a b', empty: '', sequences: [2, 1] } })).toBe(
    '         0  tail          key="a b" empty="" sequences=[2,1]',
  );
});

test('sizes, counts and columns', () => {
  expect([0, 1023, 1536, 5 * MIB].map(showSize)).toEqual(['0 B', '1023 B', '1.5 KiB', '5.0 MiB']);
  expect([0, 999, 1000, 1234567].map(showCount)).toEqual(['0', '999', '1,000', '1,234,567']);
  expect([plural(1, 'entry', 'entries'), plural(2, 'file')]).toEqual(['1 entry', '2 files']);
  expect(
    alignColumns(
      [
        ['a', '1'],
        ['bb', '10'],
      ],
      [1],
    ),
  ).toEqual(['a    1', 'bb  10']);
});

test('lines end with LF or CRLF only, wherever the pieces are cut', async () => {
  const text = 'a\u2028b\r\n\nlast\r';
  for (const size of [1, 2, 5, 100]) {
    const lines: string[] = [];
    for await (const { bytes } of readLines(pieces(Buffer.from(text), size)))
      lines.push(Buffer.from(bytes).toString());
    expect(lines).toEqual(['a\u2028b', '', 'last']);
  }
});

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

test('the database is the first argument or --db', () => {
  const session = (db?: string): Session => ({
    streams: { stdin: pieces(new Uint8Array(0), 1), stdout: process.stdout, stderr: process.stderr },
    out: new Output(process.stdout),
    options: db === undefined ? {} : { db },
    exitCode: 0,
  });
  expect(takeArguments(session(), 'get', ['./data', 'k'], ['key'])).toEqual({
    path: './data',
    values: ['k'],
  });
  expect(takeArguments(session('./data'), 'get', ['k'], ['key'])).toEqual({ path: './data', values: ['k'] });
  expect(takeArguments(session(), 'export', ['./data'], ['file?']).values).toEqual([]);
  expect(() => takeArguments(session(), 'get', ['k'], ['key'])).toThrow(
    "key missing: 'k' was taken as the database",
  );
  expect(() => takeArguments(session(), 'get', [], ['key'])).toThrow(UsageError);
  expect(() => takeArguments(session('./data'), 'get', ['a', 'b'], ['key'])).toThrow(
    "too many arguments: 'b'",
  );
});

test('numbers of options are whole', () => {
  expect(wholeNumber('--limit', '10')).toBe(10);
  for (const text of ['-1', '1.5', 'x', '', '99999999999999999999']) {
    expect(() => wholeNumber('--limit', text)).toThrow(UsageError);
  }
});
