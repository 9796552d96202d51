/**
 * A table as lines: footer, properties and range tombstones, then every block by offset, with the entries of a data block
 * below it. Everything that is shown has passed its checksum; the first thing that does not ends the dump as `corruption`.
 */
import type { FileSystem } from '../fs/file-system.ts';
import { KIND_BLOB, KIND_DELETE, kindName } from '../base/kinds.ts';
import { BlobReference } from '../sstable/blob-reference.ts';
import { readyAtOnce } from '../sstable/checksum.ts';
import { type BlockDump, dumpTable } from '../sstable/dump.ts';
import type { TableProperties } from '../sstable/properties.ts';
import { TableReader } from '../sstable/reader.ts';
import type { TableIterator } from '../sstable/table-iterator.ts';
import { type DumpLine, expiryDetail, showBytes, showTime, storedDetail } from './dump-line.ts';

const reference = new BlobReference();

/** The lines of the table at `path`. Errors: `io`, `CORRUPTION`, `UNSUPPORTED_...` for what a later release wrote. */
export function* dumpTableLines(fs: FileSystem, path: string): Generator<DumpLine, void> {
  readyAtOnce();
  // The number keys blocks in a cache, and there is none.
  const table = TableReader.open({ fs, path, fileNumber: 0 });
  try {
    const entries = table.iterator({ fillCache: false });
    let isAtStart = false;
    for (const item of dumpTable(table)) {
      if (item.item === 'footer') {
        const { offset, formatVersion, uniqueId } = item;
        yield { offset, kind: 'footer', detail: { formatVersion, uniqueId, fileBytes: table.bytes } };
      } else if (item.item === 'properties') {
        const { offset } = table.footer.properties;
        yield { offset, kind: 'properties', detail: propertiesDetail(item.properties) };
      } else if (item.item === 'range tombstone') {
        const { offset } = table.footer.rangeTombstones;
        const detail = { start: showBytes(item.start), end: showBytes(item.end), sequences: item.sequences };
        yield { offset, kind: 'range-delete', detail };
      } else if (item.item === 'block') {
        yield blockLine(item);
        if (item.type !== 'data') continue;
        if (!isAtStart) entries.first();
        isAtStart = true;
        yield* entryLines(entries, item.offset, item.entries ?? 0);
      }
    }
  } finally {
    table.close();
  }
}

function propertiesDetail(properties: TableProperties): Record<string, unknown> {
  const { smallestKey, largestKey, createdMs, expiry, ...plain } = properties;
  return {
    ...plain,
    ...(expiry !== undefined && expiryDetail(expiry)),
    smallestKey: showBytes(smallestKey),
    largestKey: showBytes(largestKey),
    created: showTime(createdMs),
  };
}

function blockLine(block: BlockDump): DumpLine {
  const { type, offset, storedBytes, rawBytes, transform, entries, firstKey, lastKey } = block;
  const detail: Record<string, unknown> = { storedBytes, rawBytes, transform };
  if (entries !== undefined) detail['entries'] = entries;
  if (firstKey !== undefined) detail['firstKey'] = showBytes(firstKey);
  if (lastKey !== undefined) detail['lastKey'] = showBytes(lastKey);
  return { offset, kind: type.replaceAll(' ', '-'), detail };
}

/** The next `count` entries, those of the data block at `offset`: blocks of data lie in the order of their keys. */
function* entryLines(entries: TableIterator, offset: number, count: number): Generator<DumpLine, void> {
  for (let i = 0; i < count && entries.valid; i++) {
    const detail: Record<string, unknown> = {
      key: showBytes(entries.key, entries.keyStart, entries.keyEnd),
      sequence: entries.sequence,
    };
    const { kind, value, valueStart, valueEnd } = entries;
    if (kind === KIND_BLOB) {
      reference.decode(value, valueStart, valueEnd);
      detail['blobFile'] = reference.file;
      detail['blobOffset'] = reference.offset;
      detail['storedBytes'] = reference.length;
    } else if (kind !== KIND_DELETE) {
      Object.assign(detail, storedDetail(kind, value, valueStart, valueEnd));
    }
    yield { offset, kind: kindName(entries.kind), detail };
    entries.next();
  }
}
