/**
 * What a table consists of, as plain data in file order: for `varve dump` and the golden files. Reads every block.
 */
import { kindName } from '../base/kinds.ts';
import { BlockView } from './block.ts';
import type { BlockLoader } from './block-loader.ts';
import { HeldBlock } from './held-block.ts';
import { transformName } from './compression.ts';
import type { FilterParts } from './filter-parts.ts';
import {
  BLOCK_DATA,
  BLOCK_FILTER,
  BLOCK_FILTER_PART,
  BLOCK_INDEX,
  BLOCK_PROPERTIES,
  BLOCK_RANGE_TOMBSTONES,
  BLOCK_TOP_INDEX,
  type BlockHandle,
  blockTypeName,
  FOOTER_BYTES,
  FORMAT_VERSION,
} from './format.ts';
import type { TableProperties } from './properties.ts';
import type { TableReader } from './reader.ts';

/** One stored block. Keys are bytes, values are not shown. */
export interface BlockDump {
  readonly item: 'block';
  readonly type: string;
  readonly offset: number;
  /** With its trailer. */
  readonly storedBytes: number;
  readonly rawBytes: number;
  readonly transform: string;
  /** For blocks of sorted entries. */
  readonly entries?: number;
  readonly firstKey?: Uint8Array;
  readonly lastKey?: Uint8Array;
}

export interface FooterDump {
  readonly item: 'footer';
  readonly offset: number;
  readonly storedBytes: number;
  readonly formatVersion: number;
  readonly uniqueId: string;
}

export interface PropertiesDump {
  readonly item: 'properties';
  readonly properties: TableProperties;
}

export interface RangeTombstoneDump {
  readonly item: 'range tombstone';
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly sequences: readonly number[];
}

export interface EntryDump {
  readonly item: 'entry';
  readonly key: Uint8Array;
  readonly sequence: number;
  readonly kind: string;
  readonly value: Uint8Array;
}

export type TableDumpItem = BlockDump | FooterDump | PropertiesDump | RangeTombstoneDump | EntryDump;

/** Footer, properties, range tombstones, then the blocks by offset; with `entries` also all point entries, last. */
export function* dumpTable(
  table: TableReader,
  options: { readonly entries?: boolean } = {},
): Generator<TableDumpItem, void> {
  const { footer } = table;
  const id = hex(footer.uniqueId);
  const offset = footer.fileBytes - FOOTER_BYTES;
  yield { item: 'footer', offset, storedBytes: FOOTER_BYTES, formatVersion: FORMAT_VERSION, uniqueId: id };
  yield { item: 'properties', properties: table.properties };
  for (const fragment of table.rangeTombstones?.fragments() ?? [])
    yield { item: 'range tombstone', ...fragment };
  const { loader, top, filterParts } = table.internals();
  try {
    yield* dumpBlocks(loader, top, filterParts, table);
  } finally {
    loader.close();
  }
  if (options.entries !== true) return;
  const entries = table.iterator({ fillCache: false });
  for (entries.first(); entries.valid; entries.next()) {
    yield {
      item: 'entry',
      key: entries.key.slice(entries.keyStart, entries.keyEnd),
      sequence: entries.sequence,
      kind: kindName(entries.kind),
      value: entries.value.slice(entries.valueStart, entries.valueEnd),
    };
  }
}

function* dumpBlocks(
  loader: BlockLoader,
  top: BlockView,
  parts: FilterParts | undefined,
  table: TableReader,
): Generator<BlockDump, void> {
  const waiting: BlockDump[] = [];
  const held = new HeldBlock();
  const partition = new BlockView();
  const view = new BlockView();
  const describe = (handle: BlockHandle, type: number, entries?: BlockView): BlockDump => ({
    item: 'block',
    type: blockTypeName(type),
    offset: handle.offset,
    storedBytes: handle.length,
    ...describeStored(loader, handle, type),
    ...(entries === undefined ? {} : describeEntries(entries)),
  });
  for (let i = 0; i < top.count; i++) {
    loader.readHandle(top, i);
    const partitionHandle = { offset: loader.handleOffset, length: loader.handleLength };
    loader.fetchInto(held, BLOCK_INDEX, false);
    const copy = held.bytes.slice();
    partition.open(copy, held.start);
    for (let j = 0; j < partition.count; j++) {
      loader.readHandle(partition, j);
      const handle = { offset: loader.handleOffset, length: loader.handleLength };
      loader.fetchInto(held, BLOCK_DATA, false);
      view.open(held.bytes, held.start);
      const block = describe(handle, BLOCK_DATA, view);
      // A partition is written as soon as it is full, before or after a block of the next one.
      while (waiting.length > 0 && waiting[0].offset < block.offset) yield waiting.shift()!;
      yield block;
    }
    waiting.push(describe(partitionHandle, BLOCK_INDEX, partition));
  }
  yield* waiting;
  const { filter, rangeTombstones, topIndex, properties } = table.footer;
  for (let part = 0; part < (parts?.count ?? 0); part++) {
    yield describe({ offset: parts!.offsetOf(part), length: parts!.lengthOf(part) }, BLOCK_FILTER_PART);
  }
  if (filter.length > 0) yield describe(filter, BLOCK_FILTER);
  if (rangeTombstones.length > 0) yield describe(rangeTombstones, BLOCK_RANGE_TOMBSTONES);
  yield describe(topIndex, BLOCK_TOP_INDEX, top);
  yield describe(properties, BLOCK_PROPERTIES);
}

function describeStored(
  loader: BlockLoader,
  handle: BlockHandle,
  type: number,
): { rawBytes: number; transform: string } {
  const { rawBytes, transform } = loader.inspect(handle.offset, handle.length, type);
  return { rawBytes, transform: transformName(transform) };
}

function describeEntries(view: BlockView): { entries: number; firstKey?: Uint8Array; lastKey?: Uint8Array } {
  if (view.count === 0) return { entries: 0 };
  return { entries: view.count, firstKey: view.keyAt(0), lastKey: view.keyAt(view.count - 1) };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
