import { beforeAll, describe, expect, test } from 'vitest';

import { readFile } from '../fs/file-system.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { BlockBuilder } from './block-builder.ts';
import { putVarint, varintLength } from '../base/varint.ts';
import { ready } from './checksum.ts';
import { type BlockDump, dumpTable } from './dump.ts';
import {
  BLOCK_DATA,
  BLOCK_FILTER,
  BLOCK_FILTER_PART,
  BLOCK_PROPERTIES,
  BLOCK_TOP_INDEX,
  type BlockHandle,
  TRAILER_BYTES,
} from './format.ts';
import { encodeProperties, type TableProperties } from './properties.ts';
import { TableReader } from './reader.ts';
import { sealBlock, TableSeed } from './stored-block.ts';
import {
  type BuildOptions,
  buildTable,
  drain,
  type Entry,
  put,
  replaceFile,
  TABLE_ID,
} from './table.suite.ts';

beforeAll(ready);

const PATH = '/1.sst';
const entries = Array.from({ length: 40 }, (_, i) =>
  put(`key${String(i).padStart(3, '0')}`, i + 1, `value ${i}`),
);

/** Puts another payload of the same length in place of a block, under a right checksum: damage that only verify sees. */
function reseal(bytes: Uint8Array, handle: BlockHandle, type: number, payload: Uint8Array): void {
  expect(payload.length).toBe(handle.length - TRAILER_BYTES);
  bytes.set(payload, handle.offset);
  const end = handle.offset + payload.length;
  sealBlock(bytes, handle.offset, end, type, 0, payload.length, new TableSeed(TABLE_ID), handle.offset);
}

function table(
  filterBitsPerKey = 10,
  options: BuildOptions = {},
): { fs: MemoryFs; bytes: Uint8Array; reader: TableReader } {
  const fs = new MemoryFs();
  buildTable(fs, PATH, entries, { blockBytes: 300, filterBitsPerKey, ...options });
  return { fs, bytes: readFile(fs, PATH), reader: TableReader.open({ fs, path: PATH, fileNumber: 1 }) };
}

function verifyBytes(fs: MemoryFs, bytes: Uint8Array): unknown {
  replaceFile(fs, PATH, bytes);
  return drain(TableReader.open({ fs, path: PATH, fileNumber: 1 }).verify());
}

function corruptionWith(message: RegExp): unknown {
  return expect.objectContaining({
    kind: 'corruption',
    message: expect.stringMatching(message),
    context: expect.objectContaining({ file: PATH, offset: expect.any(Number) }),
  });
}

/** The entries of the first data block, and its handle. */
function firstBlock(reader: TableReader): { handle: BlockHandle; content: Entry[] } {
  const iterator = reader.iterator();
  const content: Entry[] = [];
  iterator.first();
  while (iterator.blockOffset === 0) {
    content.push(entries[content.length]!);
    iterator.next();
  }
  return { handle: { offset: 0, length: iterator.blockOffset }, content };
}

function blockOf(content: readonly Entry[]): Uint8Array {
  const builder = new BlockBuilder();
  for (const { key, sequence, kind, value } of content) {
    builder.add(key, 0, key.length, sequence, kind, value, 0, value.length);
  }
  const bytes = new Uint8Array(builder.bytes);
  builder.finish(bytes, 0);
  return bytes;
}

test('an undamaged table passes, a block at a time', () => {
  const { reader } = table();
  const generator = reader.verify();
  let steps = 0;
  let step = generator.next();
  for (; step.done !== true; step = generator.next()) steps++;
  expect(step.value.entries).toBe(40);
  expect(steps).toBe(reader.properties.dataBlocks + reader.properties.indexPartitions);
  expect(step.value.blocks).toBe(steps + 3);
});

describe('under right checksums, verify finds', () => {
  test('entries out of order', () => {
    const { fs, bytes, reader } = table();
    const { handle, content } = firstBlock(reader);
    [content[1], content[2]] = [content[2]!, content[1]!];
    reseal(bytes, handle, BLOCK_DATA, blockOf(content));
    expect(() => verifyBytes(fs, bytes)).toThrow(corruptionWith(/out of order/));
  });

  test('two entries of the same key and sequence', () => {
    const { fs, bytes, reader } = table();
    const { handle, content } = firstBlock(reader);
    content[1] = { ...content[1]!, key: content[0]!.key, sequence: content[0]!.sequence };
    reseal(bytes, handle, BLOCK_DATA, blockOf(content));
    expect(() => verifyBytes(fs, bytes)).toThrow(corruptionWith(/out of order/));
  });

  test('an entry above its index key', () => {
    const { fs, bytes, reader } = table(0);
    const { handle, content } = firstBlock(reader);
    const last = content.length - 1;
    content[last] = { ...content[last]!, key: new TextEncoder().encode('key0~~') };
    reseal(bytes, handle, BLOCK_DATA, blockOf(content));
    expect(() => verifyBytes(fs, bytes)).toThrow(corruptionWith(/index key lies below/));
  });

  test('a key that the filter does not contain', () => {
    const { fs, bytes, reader } = table();
    const { filter } = reader.footer;
    const payload = bytes.slice(filter.offset, filter.offset + filter.length - TRAILER_BYTES);
    payload.fill(0, 8);
    reseal(bytes, filter, BLOCK_FILTER, payload);
    expect(() => verifyBytes(fs, bytes)).toThrow(corruptionWith(/filter does not contain/));
  });

  test('a key that a filter in parts does not contain', () => {
    const { fs, bytes, reader } = table(20, { filterWholeBytesMax: 0 });
    const [part] = [...dumpTable(reader)].filter(
      (item) => item.item === 'block' && item.type === 'filter part',
    );
    const handle = { offset: (part as BlockDump).offset, length: (part as BlockDump).storedBytes };
    reseal(bytes, handle, BLOCK_FILTER_PART, new Uint8Array(handle.length - TRAILER_BYTES));
    expect(() => verifyBytes(fs, bytes)).toThrow(corruptionWith(/filter does not contain a key/));
  });

  test('prefixes that the filter does not contain', () => {
    const { fs, bytes, reader } = table(10, { filterPrefixBytes: 5 });
    expect(drain(reader.verify()).entries).toBe(40);
    const payload = encodeProperties({ ...reader.properties, filterPrefixBytes: 4 });
    reseal(bytes, reader.footer.properties, BLOCK_PROPERTIES, payload);
    expect(() => verifyBytes(fs, bytes)).toThrow(corruptionWith(/filter does not contain the prefix/));
  });

  test('a data block whose handle names a part of the filter', () => {
    const { fs, bytes, reader } = table(10, { filterWholeBytesMax: 0 });
    const { topIndex, filter } = reader.footer;
    const payload = bytes.slice(topIndex.offset, topIndex.offset + topIndex.length - TRAILER_BYTES);
    // The handle of the only partition is the end of the top index.
    const { loader, top } = reader.internals();
    loader.readHandle(top, 0);
    const handleBytes = varintLength(loader.handleOffset) + varintLength(loader.handleLength);
    putVarint(payload, payload.length - handleBytes, filter.offset - 100);
    expect(varintLength(filter.offset - 100)).toBe(varintLength(loader.handleOffset));
    loader.close();
    reseal(bytes, topIndex, BLOCK_TOP_INDEX, payload);
    expect(() => verifyBytes(fs, bytes)).toThrow(corruptionWith(/past the blocks/));
  });

  test.each<[string, Partial<TableProperties>]>([
    ['entries', { entries: 41 }],
    ['deletes', { tombstones: 1 }],
    ['range tombstones', { rangeTombstones: 1 }],
    ['keys', { keys: 39 }],
    ['key bytes', { rawKeyBytes: 241 }],
    ['value bytes', { rawValueBytes: 311 }],
    ['smallest sequence', { smallestSequence: 2 }],
    ['largest sequence', { largestSequence: 41 }],
    ['index partitions', { indexPartitions: 2 }],
    ['data blocks', { dataBlocks: 1 }],
    ['key bounds', { largestExclusive: true }],
    ['key bounds', { smallestKey: new TextEncoder().encode('key00!') }],
    ['key bounds', { largestKey: new TextEncoder().encode('key040') }],
  ])('a wrong number of %s in the properties', (what, change) => {
    const { fs, bytes, reader } = table();
    const payload = encodeProperties({ ...reader.properties, ...change });
    reseal(bytes, reader.footer.properties, BLOCK_PROPERTIES, payload);
    expect(() => verifyBytes(fs, bytes)).toThrow(corruptionWith(new RegExp(what)));
  });

  test('a block of another type than the index says', () => {
    const { fs, bytes, reader } = table();
    const { handle } = firstBlock(reader);
    const payload = bytes.slice(0, handle.length - TRAILER_BYTES);
    reseal(bytes, handle, BLOCK_FILTER, payload);
    expect(() => verifyBytes(fs, bytes)).toThrow(corruptionWith(/of type filter where data belongs/));
  });

  test('a wrong raw length in a trailer', () => {
    const { fs, bytes, reader } = table();
    const { handle } = firstBlock(reader);
    const end = handle.length - TRAILER_BYTES;
    sealBlock(bytes, 0, end, BLOCK_DATA, 0, end + 1, new TableSeed(TABLE_ID), 0);
    expect(() => verifyBytes(fs, bytes)).toThrow(corruptionWith(/wrong length/));
    sealBlock(bytes, 0, end, BLOCK_DATA, 1, 0xffffffff, new TableSeed(TABLE_ID), 0);
    expect(() => verifyBytes(fs, bytes)).toThrow(corruptionWith(/impossible length/));
  });

  test('handles that point past the blocks', () => {
    const { fs, bytes, reader } = table();
    const { topIndex } = reader.footer;
    const payload = bytes.slice(topIndex.offset, topIndex.offset + topIndex.length - TRAILER_BYTES);
    payload.fill(0x7f, payload.length - 2);
    reseal(bytes, topIndex, BLOCK_TOP_INDEX, payload);
    expect(() => verifyBytes(fs, bytes)).toThrow(corruptionWith(/past the blocks/));
    payload.fill(0xff, payload.length - 2);
    reseal(bytes, topIndex, BLOCK_TOP_INDEX, payload);
    expect(() => verifyBytes(fs, bytes)).toThrow(corruptionWith(/no block handle/));
  });
});
