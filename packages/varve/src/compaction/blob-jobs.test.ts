/** What flush and compaction do with values that are large. */
import { beforeAll, describe, expect, test } from 'vitest';
import { VarveError } from '../base/errors.ts';
import { blobName, inDirectory, tableName } from '../fs/file-names.ts';
import { FaultFs } from '../fs/fault-fs.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import type { BlobMeta } from '../manifest/blob-meta.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import { BlobReference } from '../sstable/blob-reference.ts';
import { ready } from '../sstable/checksum.ts';
import { TableCache } from '../sstable/table-cache.ts';
import { compactionJob } from './compaction-job.ts';
import { flushJob } from './flush-job.ts';
import type { JobOutput } from './job.ts';
import { DIRECTORY, finish, smallTables, TestTree } from './jobs.suite.ts';

beforeAll(ready);

const long = (text: string): string => text.repeat(100).slice(0, 100);

/** A tree whose values of 64 bytes and more go to blob files. */
class BlobTree extends TestTree {
  readonly blobs = new Map<number, BlobMeta>();

  constructor(fs?: MemoryFs | FaultFs) {
    super(fs);
    this.table = { ...smallTables, blobValueBytes: 64 };
  }

  override flush(): JobOutput {
    return this.#keep(super.flush());
  }

  /** Compacts level 0 into level 1, or level 1 into level 2; values in `emptied` are copied. */
  compactEmptying(level: number, emptied: number[]): JobOutput {
    const input = {
      ...this.compactionInput(level, 0),
      emptied: emptied.map((number) => this.blobs.get(number)!),
    };
    const output = finish(compactionJob(input, this.env));
    for (const each of input.inputs) this.levels[each.level] = [];
    this.levels[level + 1] = [...output.files];
    return this.#keep(output);
  }

  #keep(output: JobOutput): JobOutput {
    for (const blob of output.blobs) this.blobs.set(blob.number, blob);
    return output;
  }

  /** Every entry of the tables as `key=value`, values of blob files with the number of the file before them. */
  entries(files: readonly FileMeta[]): string[] {
    const path = (name: string): string => inDirectory(DIRECTORY, name);
    const open = new TableCache({
      fs: this.fs,
      pathOf: (number) => path(tableName(number)),
      blobPathOf: (number) => path(blobName(number)),
      openFilesMax: 10,
    });
    const found: string[] = [];
    const reference = new BlobReference();
    const decode = (bytes: Uint8Array, from: number, to: number): string =>
      new TextDecoder().decode(bytes.slice(from, to));
    for (const file of files) {
      const it = open.get(file).iterator();
      for (it.first(); it.valid; it.next()) {
        const key = decode(it.key, it.keyStart, it.keyEnd);
        if (it.kind !== 4) {
          found.push(`${key}=${decode(it.value, it.valueStart, it.valueEnd)}`);
          continue;
        }
        reference.decode(it.value, it.valueStart, it.valueEnd);
        const blob = open.blob(this.blobs.get(reference.file)!);
        blob.read(reference, it.key, it.keyStart, it.keyEnd);
        found.push(`${key}=${reference.file}:${decode(blob.bytes, blob.start, blob.end)}`);
      }
    }
    open.close();
    return found;
  }

  names(): string[] {
    return this.fs.list(DIRECTORY);
  }
}

describe('a flush', () => {
  test('writes values from the threshold on to a blob file, and says what the table refers to', () => {
    const tree = new BlobTree();
    tree.put('a', 'x'.repeat(63));
    tree.put('b', 'y'.repeat(64));
    tree.put('c', long('z'));
    const { files, blobs, bytesWritten } = tree.flush();
    const [blob] = blobs;
    expect(tree.entries(files)).toEqual([
      `a=${'x'.repeat(63)}`,
      `b=${blob!.number}:${'y'.repeat(64)}`,
      `c=${blob!.number}:${long('z')}`,
    ]);
    expect(files[0]!.blobs).toEqual([{ number: blob!.number, bytes: blob!.recordBytes, entries: 2 }]);
    expect(bytesWritten).toBe(files[0]!.bytes + blob!.bytes);
    expect(tree.fs.status(inDirectory(DIRECTORY, blobName(blob!.number)))!.size).toBe(blob!.bytes);
  });

  test('without large values writes no blob file', () => {
    const tree = new BlobTree();
    tree.put('a', 'small');
    const { files, blobs } = tree.flush();
    expect({ blobs, uses: files[0]!.blobs }).toEqual({ blobs: [], uses: undefined });
    expect(tree.names()).toEqual([tableName(files[0]!.number)]);
  });

  test('writes only what stays of several versions', () => {
    const tree = new BlobTree();
    tree.put('a', long('old'));
    tree.put('a', long('new'));
    const { files, blobs } = tree.flush();
    expect(blobs[0]!.records).toBe(1);
    expect(tree.entries(files)).toEqual([`a=${blobs[0]!.number}:${long('new')}`]);
  });

  test.each(['create', 'write', 'sync', 'syncDirectory'] as const)(
    'that fails at any %s leaves no file behind',
    (operation) => {
      for (let skip = 0; ; skip++) {
        const fs = new FaultFs(new MemoryFs());
        const tree = new BlobTree(fs);
        for (let i = 0; i < 40; i++) tree.put(`k${String(i).padStart(2, '0')}`, long(`${i}-`));
        fs.add({ kind: 'EIO', operations: [operation], skip, times: 1 });
        let error: unknown;
        try {
          finish(flushJob(tree.flushInput(), tree.env));
        } catch (cause) {
          error = cause;
        }
        fs.heal();
        if (error === undefined) {
          expect(skip).toBeGreaterThan(0);
          return;
        }
        expect(error).toBeInstanceOf(VarveError);
        expect(tree.names()).toEqual([]);
      }
    },
  );
});

describe('a compaction', () => {
  /** Two flushes: keys a to j, then a to e again. */
  function twoFlushes(): { tree: BlobTree; first: number; second: number } {
    const tree = new BlobTree();
    for (const key of 'abcdefghij') tree.put(key, long(`${key}1`));
    const first = tree.flush().blobs[0]!.number;
    for (const key of 'abcde') tree.put(key, long(`${key}2`));
    const second = tree.flush().blobs[0]!.number;
    return { tree, first, second };
  }

  test('passes references on without reading a value', () => {
    const { tree, first, second } = twoFlushes();
    const before = tree.fs;
    for (const number of [first, second])
      before.rename(inDirectory(DIRECTORY, blobName(number)), `/${number}`);
    const { files, blobs, bytesWritten } = tree.compactEmptying(0, []);
    for (const number of [first, second])
      before.rename(`/${number}`, inDirectory(DIRECTORY, blobName(number)));
    expect(blobs).toEqual([]);
    expect(bytesWritten).toBeLessThan(1500);
    expect(tree.entries(files)).toEqual([
      ...Array.from('abcde', (key) => `${key}=${second}:${long(`${key}2`)}`),
      ...Array.from('fghij', (key) => `${key}=${first}:${long(`${key}1`)}`),
    ]);
    const live = files.flatMap((file) => file.blobs ?? []).find((use) => use.number === first)!;
    expect(live).toMatchObject({ entries: 5, bytes: tree.blobs.get(first)!.recordBytes / 2 });
  });

  test('copies the values of a file that is to be emptied, and refers to it no more', () => {
    const { tree, first, second } = twoFlushes();
    const { files, blobs, unreadBlobs } = tree.compactEmptying(0, [first]);
    const [copy] = blobs;
    expect(unreadBlobs).toEqual([]);
    expect(tree.entries(files).slice(5)).toEqual(
      Array.from('fghij', (key) => `${key}=${copy!.number}:${long(`${key}1`)}`),
    );
    expect(new Set(files.flatMap((file) => file.blobs ?? []).map(({ number }) => number))).toEqual(
      new Set([second, copy!.number]),
    );
    expect(copy!.records).toBe(5);
  });

  test('leaves a value where it is when it can not be read, and says so', () => {
    const { tree, first } = twoFlushes();
    tree.fs.remove(inDirectory(DIRECTORY, blobName(first)));
    const { files, blobs, unreadBlobs } = tree.compactEmptying(0, [first]);
    expect({ blobs, unreadBlobs }).toEqual({ blobs: [], unreadBlobs: [first] });
    expect(files.flatMap((file) => file.blobs ?? []).some(({ number }) => number === first)).toBe(true);
  });

  test('moves values out that an earlier setting left in tables', () => {
    const tree = new BlobTree();
    tree.table = smallTables;
    for (const key of 'abc') tree.put(key, long(key));
    expect(tree.flush().blobs).toEqual([]);
    tree.table = { ...smallTables, blobValueBytes: 64 };
    const { files, blobs } = tree.compactEmptying(0, []);
    expect(blobs[0]!.records).toBe(3);
    expect(tree.entries(files)[0]).toBe(`a=${blobs[0]!.number}:${long('a')}`);
  });
});
