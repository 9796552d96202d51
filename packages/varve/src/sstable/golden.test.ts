/**
 * The bytes of a tiny table, and what a dump says about it. A change of the format shows here as a diff: then the format
 * version rises and the old fixture stays readable.
 */
import { beforeAll, expect, test } from 'vitest';

import { describeBytes } from '../base/bytes.ts';
import { KIND_MERGE } from '../base/kinds.ts';
import { joinLists, operandList } from '../base/operands.ts';
import { FragmentedTombstones } from '../base/range-tombstones.ts';
import { readFile } from '../fs/file-system.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { ready } from './checksum.ts';
import { dumpTable, type TableDumpItem } from './dump.ts';
import { TableReader } from './reader.ts';
import { buildTable, bytesOf, del, put } from './table.suite.ts';

beforeAll(ready);

const entries = [
  put('bee', 9, 'buzz'),
  put('bee', 4, 'hum'),
  del('beech', 12),
  put('beetle', 3, 'click'),
  put('crow', 4_294_967_300, 'caw'),
];

function tiny(): { fs: MemoryFs; reader: TableReader } {
  const fs = new MemoryFs();
  const rangeTombstones = FragmentedTombstones.build([
    { start: bytesOf('ant'), end: bytesOf('bee'), sequence: 8 },
    { start: bytesOf('axe'), end: bytesOf('cow'), sequence: 6 },
  ]);
  buildTable(fs, '/1.sst', entries, { blockBytes: 80, rangeTombstones, createdMs: 1_790_000_000_000 });
  return { fs, reader: TableReader.open({ fs, path: '/1.sst', fileNumber: 1 }) };
}

function hexDump(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const letters = row
      .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'))
      .join('');
    text += `${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${letters}\n`;
  }
  return text;
}

function line(item: TableDumpItem): string {
  const fields = item.item === 'properties' ? item.properties : item;
  const text = Object.entries(fields)
    .filter(([name]) => name !== 'item')
    .map(([name, value]) => `${name}=${value instanceof Uint8Array ? describeBytes(value) : String(value)}`);
  return `${item.item}: ${text.join(' ')}`;
}

test('the bytes of a tiny table have not changed', async () => {
  const { fs, reader } = tiny();
  const dump = [...dumpTable(reader, { entries: true })].map(line).join('\n');
  const text = `${dump}\n----\n${hexDump(readFile(fs, '/1.sst'))}`;
  await expect(text).toMatchFileSnapshot('fixtures/tiny-table.txt');
});

test('the bytes of a table with merges have not changed', async () => {
  const fs = new MemoryFs();
  const list = (...operands: string[]): string =>
    String.fromCharCode(...joinLists(operands.map((operand) => operandList(bytesOf(operand)))));
  const merges = [
    { ...put('bee', 9, list('a', 'bc', '')), kind: KIND_MERGE },
    put('bee', 4, 'hum'),
    { ...put('crow', 5, list('caw')), kind: KIND_MERGE },
  ];
  buildTable(fs, '/1.sst', merges, { createdMs: 1_790_000_000_000 });
  const reader = TableReader.open({ fs, path: '/1.sst', fileNumber: 1 });
  const dump = [...dumpTable(reader, { entries: true })].map(line).join('\n');
  await expect(`${dump}\n----\n${hexDump(readFile(fs, '/1.sst'))}`).toMatchFileSnapshot(
    'fixtures/merge-table.txt',
  );
});

test('a dump lists every byte of the file, in order', () => {
  const { fs, reader } = tiny();
  let at = 0;
  for (const item of dumpTable(reader)) {
    if (item.item !== 'block') continue;
    expect(item.offset).toBe(at);
    at += item.storedBytes;
  }
  expect(at + 100).toBe(fs.status('/1.sst')!.size);
});

test('a dump of a table whose filter lies in parts lists them in order', () => {
  const fs = new MemoryFs();
  const many = Array.from({ length: 5000 }, (_, i) => put(String(i).padStart(5, '0'), i + 1, 'v'));
  buildTable(fs, '/1.sst', many, { filterWholeBytesMax: 0 });
  let at = 0;
  const parts: number[] = [];
  for (const item of dumpTable(TableReader.open({ fs, path: '/1.sst', fileNumber: 1 }))) {
    if (item.item !== 'block') continue;
    expect(item.offset).toBe(at);
    at += item.storedBytes;
    if (item.type === 'filter part') parts.push(item.rawBytes);
  }
  expect(at + 100).toBe(fs.status('/1.sst')!.size);
  expect(parts).toEqual([4096, 2368]);
});

test('a dump of a table with many partitions is in file order too', () => {
  const fs = new MemoryFs();
  const many = Array.from({ length: 300 }, (_, i) => put(String(i).padStart(5, '0'), i + 1, 'v'));
  buildTable(fs, '/1.sst', many, { blockBytes: 100 });
  const reader = TableReader.open({ fs, path: '/1.sst', fileNumber: 1 });
  expect(reader.properties.indexPartitions).toBeGreaterThan(5);
  let at = 0;
  let found = 0;
  for (const item of dumpTable(reader)) {
    if (item.item !== 'block') continue;
    expect(item.offset).toBe(at);
    at += item.storedBytes;
    if (item.type === 'data') found += item.entries ?? 0;
  }
  expect(found).toBe(300);
});
