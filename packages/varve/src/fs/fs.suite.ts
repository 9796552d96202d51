/**
 * What every file system must do, run over all of them by fs.test.ts. Durability is not visible here; the simulated disk
 * has its own tests for it.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemCode, VarveError } from '../base/errors.ts';
import type { FileSystem } from './file-system.ts';
import { readFile, readFully, writeFully } from './file-system.ts';

export interface FileSystemUnderTest {
  readonly fs: FileSystem;
  /** An empty directory that exists. */
  readonly root: string;
  dispose(): void;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const asText = (value: Uint8Array): string => new TextDecoder().decode(value);

function refused(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(VarveError);
    expect((error as VarveError).kind).toBe('io');
    return systemCode(error);
  }
  return 'nothing was thrown';
}

export function fileSystemSuite(name: string, make: () => FileSystemUnderTest): void {
  describe(`file system: ${name}`, () => {
    let under: FileSystemUnderTest;
    let fs: FileSystem;
    let root: string;
    beforeEach(() => {
      under = make();
      ({ fs, root } = under);
    });
    afterEach(() => under.dispose());

    const put = (path: string, content: string): void => {
      const file = fs.open(path, 'create');
      writeFully(file, text(content), 0, text(content).length, 0);
      file.close();
    };
    const get = (path: string): string => asText(readFile(fs, path));

    describe('files', () => {
      test('a created file is empty and holds what is written', () => {
        const file = fs.open(`${root}/a`, 'create');
        expect(file.size()).toBe(0);
        expect(file.path).toBe(`${root}/a`);
        writeFully(file, text('xxhelloyy'), 2, 7, 0);
        expect(file.size()).toBe(5);
        file.close();
        expect(get(`${root}/a`)).toBe('hello');
      });

      test('create refuses a name that is taken, by a file or a directory', () => {
        put(`${root}/a`, 'one');
        fs.makeDirectory(`${root}/d`);
        expect(refused(() => fs.open(`${root}/a`, 'create'))).toBe('EEXIST');
        expect(refused(() => fs.open(`${root}/d`, 'create'))).toBe('EEXIST');
        expect(get(`${root}/a`)).toBe('one');
      });

      test('read and readWrite want the file to be there', () => {
        expect(refused(() => fs.open(`${root}/none`, 'read'))).toBe('ENOENT');
        expect(refused(() => fs.open(`${root}/none`, 'readWrite'))).toBe('ENOENT');
        expect(refused(() => fs.open(`${root}/none/a`, 'create'))).toBe('ENOENT');
        expect(fs.status(`${root}/none`)).toBeUndefined();
      });

      test('a directory can not be opened for writing', () => {
        expect(refused(() => fs.open(root, 'readWrite'))).toBe('EISDIR');
      });

      test('readWrite keeps the content and writes by position', () => {
        put(`${root}/a`, '0123456789');
        const file = fs.open(`${root}/a`, 'readWrite');
        writeFully(file, text('AB'), 0, 2, 3);
        writeFully(file, text('CD'), 0, 2, 9);
        file.close();
        expect(get(`${root}/a`)).toBe('012AB5678CD');
      });

      test('a hole reads as zeros', () => {
        const file = fs.open(`${root}/a`, 'create');
        writeFully(file, text('z'), 0, 1, 1000);
        const bytes = new Uint8Array(1001).fill(7);
        expect(readFully(file, bytes, 0, 1001, 0)).toBe(1001);
        expect(bytes.subarray(0, 1000).every((byte) => byte === 0)).toBe(true);
        expect(bytes[1000]).toBe(0x7a);
        file.close();
      });

      test('a read stops at the end of the file and leaves the rest of the target alone', () => {
        put(`${root}/a`, 'abc');
        const file = fs.open(`${root}/a`, 'read');
        const bytes = new Uint8Array(8).fill(1);
        expect(file.read(bytes, 2, 6, 1)).toBe(2);
        expect([...bytes]).toEqual([1, 1, 0x62, 0x63, 1, 1, 1, 1]);
        expect(file.read(bytes, 0, 8, 3)).toBe(0);
        expect(file.read(bytes, 0, 8, 1000)).toBe(0);
        file.close();
      });

      test('shared memory can be read into and written from', () => {
        const shared = new Uint8Array(new SharedArrayBuffer(8));
        shared.set([1, 2, 3, 4]);
        const file = fs.open(`${root}/a`, 'create');
        writeFully(file, shared, 0, 4, 0);
        expect(file.read(shared, 4, 4, 0)).toBe(4);
        expect([...shared]).toEqual([1, 2, 3, 4, 1, 2, 3, 4]);
        file.close();
      });

      test('truncate cuts and grows, and what was cut does not come back', () => {
        put(`${root}/a`, 'abcdef');
        const file = fs.open(`${root}/a`, 'readWrite');
        file.truncate(2);
        expect(file.size()).toBe(2);
        file.truncate(4);
        expect(file.size()).toBe(4);
        file.close();
        expect(get(`${root}/a`)).toBe('ab\0\0');
      });

      test('large files grow by many writes', () => {
        const file = fs.open(`${root}/a`, 'create');
        const chunk = new Uint8Array(10_007);
        for (let i = 0; i < 40; i++) {
          chunk.fill(i);
          writeFully(file, chunk, 0, chunk.length, i * chunk.length);
        }
        expect(file.size()).toBe(40 * 10_007);
        for (let i = 0; i < 40; i++) {
          readFully(file, chunk, 0, chunk.length, i * chunk.length);
          expect(chunk.every((byte) => byte === i)).toBe(true);
        }
        file.close();
      });

      test('two handles see each other at once', () => {
        const writer = fs.open(`${root}/a`, 'create');
        const reader = fs.open(`${root}/a`, 'read');
        writeFully(writer, text('now'), 0, 3, 0);
        expect(reader.size()).toBe(3);
        const bytes = new Uint8Array(3);
        reader.read(bytes, 0, 3, 0);
        expect(asText(bytes)).toBe('now');
        writer.close();
        reader.close();
      });

      test('a handle opened for reading does not write', () => {
        put(`${root}/a`, 'abc');
        const file = fs.open(`${root}/a`, 'read');
        expect(refused(() => file.write(text('x'), 0, 1, 0))).toBe('EBADF');
        expect(() => file.truncate(0)).toThrow(VarveError);
        file.close();
        expect(get(`${root}/a`)).toBe('abc');
      });

      test('a closed handle refuses everything but another close', () => {
        const file = fs.open(`${root}/a`, 'create');
        file.close();
        file.close();
        const bytes = new Uint8Array(1);
        expect(refused(() => file.read(bytes, 0, 1, 0))).toBe('EBADF');
        expect(refused(() => file.write(bytes, 0, 1, 0))).toBe('EBADF');
        expect(refused(() => file.size())).toBe('EBADF');
        expect(refused(() => file.truncate(0))).toBe('EBADF');
        expect(refused(() => file.sync())).toBe('EBADF');
        expect(refused(() => file.dataSync())).toBe('EBADF');
      });

      test('sync and dataSync work on every kind of handle and change nothing', () => {
        put(`${root}/a`, 'abc');
        for (const mode of ['read', 'readWrite'] as const) {
          const file = fs.open(`${root}/a`, mode);
          file.sync();
          file.dataSync();
          file.close();
        }
        expect(get(`${root}/a`)).toBe('abc');
      });

      test('an error names the operation, the file and the code of the system', () => {
        const failure = (() => {
          try {
            return fs.open(`${root}/none`, 'read');
          } catch (error) {
            return error as VarveError;
          }
        })() as VarveError;
        expect(failure.code).toBe('IO_ERROR');
        expect(failure.context).toEqual({ operation: 'open', file: `${root}/none`, system: 'ENOENT' });
        expect(failure.message).toContain('ENOENT');
        expect(failure.cause).toBeInstanceOf(Error);
      });
    });

    describe('names', () => {
      test('list is sorted and knows files and directories', () => {
        put(`${root}/b`, '');
        put(`${root}/a`, '');
        fs.makeDirectory(`${root}/c`);
        put(`${root}/c/inner`, '');
        expect(fs.list(root)).toEqual(['a', 'b', 'c']);
        expect(fs.list(`${root}/c`)).toEqual(['inner']);
        expect(refused(() => fs.list(`${root}/none`))).toBe('ENOENT');
        expect(refused(() => fs.list(`${root}/a`))).toBe('ENOTDIR');
      });

      test('status tells kind, size and identity', () => {
        put(`${root}/a`, 'abc');
        put(`${root}/b`, '');
        const a = fs.status(`${root}/a`)!;
        expect([a.kind, a.size]).toEqual(['file', 3]);
        expect(fs.status(root)?.kind).toBe('directory');
        expect(fs.status(`${root}/b`)?.inode).not.toBe(a.inode);
        expect(fs.status(`${root}/a/below`)).toBeUndefined();
        expect(refused(() => fs.open(`${root}/a/below`, 'create'))).toBe('ENOTDIR');
      });

      test('makeDirectory makes parents and does not mind that it is there', () => {
        fs.makeDirectory(`${root}/x/y/z`);
        fs.makeDirectory(`${root}/x/y/z`);
        expect(fs.status(`${root}/x/y/z`)?.kind).toBe('directory');
        put(`${root}/file`, '');
        expect(refused(() => fs.makeDirectory(`${root}/file`))).toBe('EEXIST');
        expect(refused(() => fs.makeDirectory(`${root}/file/below`))).toBe('ENOTDIR');
      });

      test('remove takes a file away once', () => {
        put(`${root}/a`, '');
        fs.remove(`${root}/a`);
        expect(fs.status(`${root}/a`)).toBeUndefined();
        expect(refused(() => fs.remove(`${root}/a`))).toBe('ENOENT');
        fs.makeDirectory(`${root}/d`);
        expect(['EISDIR', 'EPERM']).toContain(refused(() => fs.remove(`${root}/d`)));
      });

      test('an open file outlives its name', () => {
        put(`${root}/a`, 'abc');
        const file = fs.open(`${root}/a`, 'readWrite');
        fs.remove(`${root}/a`);
        writeFully(file, text('d'), 0, 1, 3);
        const bytes = new Uint8Array(4);
        expect(file.read(bytes, 0, 4, 0)).toBe(4);
        expect(asText(bytes)).toBe('abcd');
        put(`${root}/a`, 'other');
        expect(file.size()).toBe(4);
        file.close();
      });

      test('removeDirectory wants an empty directory', () => {
        fs.makeDirectory(`${root}/d`);
        put(`${root}/d/a`, '');
        expect(refused(() => fs.removeDirectory(`${root}/d`))).toBe('ENOTEMPTY');
        fs.remove(`${root}/d/a`);
        fs.removeDirectory(`${root}/d`);
        expect(fs.status(`${root}/d`)).toBeUndefined();
        expect(refused(() => fs.removeDirectory(`${root}/d`))).toBe('ENOENT');
        put(`${root}/a`, '');
        expect(refused(() => fs.removeDirectory(`${root}/a`))).toBe('ENOTDIR');
      });

      test('rename moves a file, also over another and into another directory', () => {
        put(`${root}/a`, 'new');
        put(`${root}/b`, 'old');
        const inode = fs.status(`${root}/a`)?.inode;
        fs.rename(`${root}/a`, `${root}/b`);
        expect(fs.list(root)).toEqual(['b']);
        expect(get(`${root}/b`)).toBe('new');
        fs.makeDirectory(`${root}/d`);
        fs.rename(`${root}/b`, `${root}/d/c`);
        expect(get(`${root}/d/c`)).toBe('new');
        expect(fs.status(`${root}/d/c`)?.inode).toBe(inode);
        expect(refused(() => fs.rename(`${root}/none`, `${root}/x`))).toBe('ENOENT');
        expect(refused(() => fs.rename(`${root}/d/c`, `${root}/none/x`))).toBe('ENOENT');
        expect(refused(() => fs.rename(`${root}/d/c`, `${root}/d`))).toMatch(/EISDIR|ENOTEMPTY/);
        expect(get(`${root}/d/c`)).toBe('new');
      });

      test('rename leaves a handle of the replaced file alone', () => {
        put(`${root}/a`, 'new');
        put(`${root}/b`, 'old');
        const old = fs.open(`${root}/b`, 'read');
        fs.rename(`${root}/a`, `${root}/b`);
        const bytes = new Uint8Array(3);
        old.read(bytes, 0, 3, 0);
        expect(asText(bytes)).toBe('old');
        old.close();
      });

      test('rename moves a directory with what is in it', () => {
        fs.makeDirectory(`${root}/d/e`);
        put(`${root}/d/e/a`, 'deep');
        fs.rename(`${root}/d`, `${root}/f`);
        expect(get(`${root}/f/e/a`)).toBe('deep');
        expect(refused(() => fs.rename(`${root}/f`, `${root}/f/e/g`))).toBe('EINVAL');
        fs.makeDirectory(`${root}/full/inner`);
        expect(refused(() => fs.rename(`${root}/f`, `${root}/full`))).toMatch(/ENOTEMPTY|EEXIST/);
      });

      test('a hard link is the same file under two names', () => {
        put(`${root}/a`, 'one');
        fs.link(`${root}/a`, `${root}/b`);
        expect(fs.status(`${root}/b`)?.inode).toBe(fs.status(`${root}/a`)?.inode);
        const file = fs.open(`${root}/b`, 'readWrite');
        writeFully(file, text('two'), 0, 3, 0);
        file.close();
        expect(get(`${root}/a`)).toBe('two');
        fs.remove(`${root}/a`);
        expect(get(`${root}/b`)).toBe('two');
      });

      test('link refuses a taken name, a missing file and a directory', () => {
        put(`${root}/a`, 'one');
        put(`${root}/b`, 'other');
        fs.makeDirectory(`${root}/d`);
        expect(refused(() => fs.link(`${root}/a`, `${root}/b`))).toBe('EEXIST');
        expect(refused(() => fs.link(`${root}/none`, `${root}/c`))).toBe('ENOENT');
        expect(['EPERM', 'EISDIR']).toContain(refused(() => fs.link(`${root}/d`, `${root}/c`)));
        expect(get(`${root}/b`)).toBe('other');
      });

      test('a rename between two names of one file keeps both', () => {
        put(`${root}/a`, 'one');
        fs.link(`${root}/a`, `${root}/b`);
        fs.rename(`${root}/a`, `${root}/b`);
        expect(fs.list(root)).toEqual(['a', 'b']);
      });

      test('syncDirectory wants a directory that is there', () => {
        fs.syncDirectory(root);
        expect(refused(() => fs.syncDirectory(`${root}/none`))).toBe('ENOENT');
      });
    });

    describe('lock', () => {
      test('a second lock is refused as LOCKED and says who holds it; after a release it works', async () => {
        const lock = await fs.lock(root);
        await expect(fs.lock(root)).rejects.toMatchObject({
          kind: 'busy',
          code: 'LOCKED',
          context: { directory: root, holder: { pid: process.pid } },
        });
        await expect(fs.lock(`${root}/`)).rejects.toMatchObject({ code: 'LOCKED' });
        await lock.release();
        await lock.release();
        const again = await fs.lock(root);
        await expect(fs.lock(root)).rejects.toMatchObject({ code: 'LOCKED' });
        await again.release();
      });

      test('two directories are locked apart', async () => {
        fs.makeDirectory(`${root}/x`);
        fs.makeDirectory(`${root}/y`);
        const x = await fs.lock(`${root}/x`);
        const y = await fs.lock(`${root}/y`);
        await x.release();
        await expect(fs.lock(`${root}/y`)).rejects.toMatchObject({ code: 'LOCKED' });
        await y.release();
      });

      test('a directory that is not there can not be locked', async () => {
        await expect(fs.lock(`${root}/none`)).rejects.toMatchObject({ kind: 'io' });
      });
    });
  });
}
