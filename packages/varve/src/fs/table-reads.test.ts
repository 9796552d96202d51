/** Reading tables in other ways gives what pread gives, leaves nothing behind, and is refused by name where it can not be. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VarveError } from '../base/errors.ts';
import { Random } from '../base/random.ts';
import { directRefusal, DirectHandle } from './direct-handle.ts';
import { type FileHandle, type FileSystem, readFile, readFully } from './file-system.ts';
import { fileSystemSuite } from './fs.suite.ts';
import { loadMapper } from './memory-map.ts';
import { MemoryFs } from './memory-fs.ts';
import { nodeFileSystem } from './node-fs.ts';
import { nodeReads } from './node-reads.ts';
import { systemFailure } from './system-error.ts';
import { type ReadMode, readWarnings, withReads } from './table-reads.ts';

const isLinux = process.platform === 'linux';

/** Undefined where nothing can be mapped. */
function mapped(): FileSystem | undefined {
  try {
    return withReads(nodeFileSystem, 'mmap');
  } catch (error) {
    if (error instanceof VarveError && error.code === 'MMAP_UNAVAILABLE') return undefined;
    throw error;
  }
}

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'varve-reads-'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const mapping = mapped();
const modes: [ReadMode, FileSystem][] = [['direct', withReads(nodeFileSystem, 'direct')]];
if (mapping !== undefined) modes.push(['mmap', mapping]);

test.runIf(mapping === undefined)('mmap is not tested here: the package koffi is not installed', () => {
  expect(() => withReads(nodeFileSystem, 'mmap')).toThrow(/npm install koffi/);
});

for (const [mode, fs] of modes) {
  fileSystemSuite(`node, read by ${mode}`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'varve-fs-'));
    return { fs, root: directory, dispose: () => rmSync(directory, { recursive: true, force: true }) };
  });

  describe(`read by ${mode}`, () => {
    const random = new Random(12);
    const put = (bytes: number): { path: string; content: Uint8Array } => {
      const path = `${root}/file`;
      const content = new Uint8Array(bytes).map(() => random.below(256));
      writeFileSync(path, content);
      return { path, content };
    };

    test('any stretch is what was written there, also across the end of the file and over many pages', () => {
      const { path, content } = put(3_000_017);
      const file = fs.open(path, 'read');
      const targets = [new Uint8Array(3_100_000), new Uint8Array(new SharedArrayBuffer(3_100_000))];
      for (let round = 0; round < 400; round++) {
        const length = random.below(random.pick([1, 100, 5000, 20_000, 300_000, 3_000_000])) + 1;
        const position = round % 5 === 0 ? content.length - random.below(9000) : random.below(3_005_000);
        const target = random.pick(targets);
        const offset = random.below(50);
        target[offset + length] = 77;
        const got = readFully(file, target, offset, length, position);
        expect(got).toBe(Math.max(0, Math.min(length, content.length - position)));
        expect(
          Buffer.compare(target.subarray(offset, offset + got), content.subarray(position, position + got)),
        ).toBe(0);
        expect(target[offset + length]).toBe(77);
      }
      file.close();
    });

    test.each([0, 1, 4095, 4096, 4097, 65_536, 1_048_576, 1_048_577])(
      'a file of %i bytes is read whole',
      (bytes) => {
        const { path, content } = put(bytes);
        expect(Buffer.compare(readFile(fs, path), content)).toBe(0);
      },
    );

    test('a file that lost its name is still read; the next one of that name is another', () => {
      const { path, content } = put(10_000);
      const file = fs.open(path, 'read');
      fs.remove(path);
      writeFileSync(path, 'other');
      const bytes = new Uint8Array(10_000);
      expect(readFully(file, bytes, 0, 10_000, 0)).toBe(10_000);
      expect(Buffer.compare(bytes, content)).toBe(0);
      file.close();
      expect(Buffer.from(readFile(fs, path)).toString()).toBe('other');
    });

    test('a file that was cut before it was opened ends where it was cut', () => {
      const { path, content } = put(50_000);
      truncateSync(path, 4100);
      const file = fs.open(path, 'read');
      expect(file.size()).toBe(4100);
      const bytes = new Uint8Array(9000);
      expect(readFully(file, bytes, 0, 9000, 0)).toBe(4100);
      expect(Buffer.compare(bytes.subarray(0, 4100), content.subarray(0, 4100))).toBe(0);
      expect(file.read(bytes, 0, 10, 4100)).toBe(0);
      expect(file.read(bytes, 0, 10, 20_000)).toBe(0);
      file.close();
    });

    test('what is written behind the end while a file is open is read too', () => {
      const { path } = put(5000);
      const file = fs.open(path, 'read');
      writeFileSync(path, 'more', { flag: 'a' });
      const bytes = new Uint8Array(10);
      expect(readFully(file, bytes, 0, 10, 4998)).toBe(6);
      expect(Buffer.from(bytes.subarray(2, 6)).toString()).toBe('more');
      file.close();
    });

    test.runIf(isLinux)('many opens, reads and closes leave no descriptor and no mapping behind', () => {
      const { path } = put(100_000);
      const bytes = new Uint8Array(5000);
      const one = (): void => {
        const file = fs.open(path, 'read');
        file.read(bytes, 0, 5000, 777);
        file.close();
        file.close();
      };
      one();
      const before = readdirSync('/proc/self/fd').length;
      for (let round = 0; round < 500; round++) one();
      expect(readdirSync('/proc/self/fd').length).toBe(before);
      expect(readFileSync('/proc/self/maps', 'latin1')).not.toContain(path);
    });
  });
}

describe('direct reads that are refused', () => {
  test.runIf(isLinux)('become plain reads where the file system refuses to open', () => {
    const path = '/proc/version';
    expect(directRefusal(nodeReads, path)).toMatch(/refuses direct reads/);
    const bytes = new Uint8Array(1000);
    const file = withReads(nodeFileSystem, 'direct').open(path, 'read');
    const got = readFully(file, bytes, 0, 1000, 0);
    file.close();
    expect(Buffer.from(bytes.subarray(0, got)).toString()).toBe(readFileSync(path, 'utf8'));
  });

  test('become plain reads where it refuses to read', () => {
    const calls: string[] = [];
    const handle = (name: string, read: FileHandle['read']): FileHandle => ({
      ...new MemoryFs().open('/x', 'create'),
      path: '/x',
      read: (...args) => {
        calls.push(`${name} ${args[2]} at ${args[3]}`);
        return read(...args);
      },
      close: () => void calls.push(`close ${name}`),
    });
    const refusing = handle('direct', () => {
      throw systemFailure('EINVAL', 'read', '/x');
    });
    const plain = handle('plain', (_target, _offset, length) => length);
    const file = new DirectHandle(refusing, () => plain);
    expect(file.read(new Uint8Array(100), 0, 100, 5000)).toBe(100);
    expect(file.read(new Uint8Array(100), 0, 10, 7)).toBe(10);
    file.close();
    expect(calls).toEqual([
      'direct 4096 at 4096',
      'close direct',
      'plain 100 at 5000',
      'plain 10 at 7',
      'close plain',
    ]);
  });

  test('other errors of the system stay errors', () => {
    const failing = {
      path: '/x',
      read: () => {
        throw systemFailure('EIO', 'read', '/x');
      },
    } as unknown as FileHandle;
    const file = new DirectHandle(failing, () => failing);
    expect(() => file.read(new Uint8Array(1), 0, 1, 0)).toThrow(/EIO/);
  });

  test('a directory on such a file system is warned about, another is not', () => {
    expect(readWarnings(nodeFileSystem, 'direct', root)).toEqual([]);
    writeFileSync(`${root}/MANIFEST-000001`, 'x'.repeat(5000));
    const refusal = directRefusal(nodeReads, `${root}/MANIFEST-000001`);
    expect(readWarnings(nodeFileSystem, 'direct', root)).toEqual(refusal === undefined ? [] : [refusal]);
    expect(readWarnings(nodeFileSystem, 'pread', root)).toEqual([]);
    expect(readWarnings(nodeFileSystem, 'mmap', root)).toEqual([]);
  });
});

describe('refusals', () => {
  const refusal = (call: () => unknown): VarveError => {
    try {
      call();
    } catch (error) {
      return error as VarveError;
    }
    throw new Error('was not refused');
  };

  test('mmap without koffi says what to install', () => {
    const error = refusal(() =>
      loadMapper(() => {
        throw new Error("Cannot find module 'koffi'");
      }),
    );
    expect(error).toMatchObject({ kind: 'invalid', code: 'MMAP_UNAVAILABLE', context: { package: 'koffi' } });
    expect(error.message).toContain('npm install koffi');
  });

  test('mmap is refused where there is none, and where its memory can not be seen', () => {
    expect(refusal(() => loadMapper(undefined, 'win32')).message).toContain('Windows');
    const blind = {
      load: () => ({ func: () => () => 1n }),
      alloc: () => 1n,
      view: () => {
        throw new Error('no');
      },
    };
    expect(refusal(() => loadMapper(() => blind))).toMatchObject({ code: 'MMAP_UNAVAILABLE' });
  });

  test('only files of the system have ways of reading', () => {
    const fs = new MemoryFs();
    expect(withReads(fs, 'pread')).toBe(fs);
    for (const mode of ['direct', 'mmap'] as const) {
      expect(refusal(() => withReads(fs, mode))).toMatchObject({
        code: 'OPTION_INVALID',
        context: { problems: [{ option: 'reads', got: mode }] },
      });
    }
  });

  test.runIf(isLinux && mapping !== undefined)('what the system does not map is read by pread', () => {
    const file = mapping!.open('/proc/version', 'read');
    expect(file.read(new Uint8Array(10), 0, 10, 0)).toBe(10);
    file.close();
  });
});
