/** Blob files for tests: written into a memory file system, with the references of their records. */
import { MemoryFs } from '../fs/memory-fs.ts';
import { TableCounters } from './block-loader.ts';
import { BlobReader } from './blob-reader.ts';
import { BlobReference } from './blob-reference.ts';
import { BlobWriter } from './blob-writer.ts';
import type { CompressionName } from './compression.ts';

export const BLOB_ID = Uint8Array.from({ length: 16 }, (_, i) => 0xb0 + i);
export const BLOB_PATH = '/7.blob';

export interface BuiltBlob {
  readonly fs: MemoryFs;
  readonly bytes: number;
  readonly references: readonly { readonly offset: number; readonly length: number }[];
}

const text = new TextEncoder();

export function buildBlob(
  records: readonly (readonly [key: string, value: string])[],
  compression: CompressionName = 'none',
): BuiltBlob {
  const fs = new MemoryFs();
  const writer = new BlobWriter({ file: fs.open(BLOB_PATH, 'create'), uniqueId: BLOB_ID, compression });
  const references = records.map(([key, value]) => {
    const [k, v] = [text.encode(key), text.encode(value)];
    writer.add(k, 0, k.length, v, 0, v.length);
    return { offset: writer.offset, length: writer.length };
  });
  return { fs, bytes: writer.finish().bytes, references };
}

export function openBlob(fs: MemoryFs, bytes: number): BlobReader {
  const facts = { number: 7, bytes, uniqueId: BLOB_ID };
  return new BlobReader({ fs, path: BLOB_PATH, facts, counters: new TableCounters() });
}

/** The value of `key` at that place, as text. */
export function readBlob(reader: BlobReader, at: { offset: number; length: number }, key: string): string {
  const reference = new BlobReference();
  reference.file = 7;
  reference.offset = at.offset;
  reference.length = at.length;
  const k = text.encode(key);
  reader.read(reference, k, 0, k.length);
  return new TextDecoder().decode(reader.bytes.slice(reader.start, reader.end));
}
