import { expect, test } from 'vitest';
import { systemCode, VarveError } from '../base/errors.ts';
import { FaultFs } from './fault-fs.ts';
import { readFile, writeFully } from './file-system.ts';
import { HeldFiles } from './held-files.ts';
import { MemoryFs } from './memory-fs.ts';

function files(...names: string[]): MemoryFs {
  const fs = new MemoryFs();
  fs.makeDirectory('/d');
  for (const name of names) {
    const file = fs.open(`/d/${name}`, 'create');
    const bytes = new TextEncoder().encode(name);
    writeFully(file, bytes, 0, bytes.length, 0);
    file.close();
  }
  return fs;
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return systemCode(error) || (error as VarveError).code;
  }
  return 'none';
}

const textOf = (held: HeldFiles, path: string): string => new TextDecoder().decode(readFile(held.fs, path));

test('a held file is read after it was removed, by any number of readers', () => {
  const fs = files('a', 'b');
  const held = new HeldFiles(fs, 10);
  held.hold(['/d/a']);
  const early = held.fs.open('/d/a', 'read');
  fs.remove('/d/a');
  fs.remove('/d/b');
  expect(textOf(held, '/d/a')).toBe('a');
  early.close();
  expect(textOf(held, '/d/a')).toBe('a');
  expect(codeOf(() => textOf(held, '/d/b'))).toBe('STALE');
  held.keepOnly(new Set());
  expect(codeOf(() => textOf(held, '/d/a'))).toBe('STALE');
});

test('a file that is let go is closed by its last reader', () => {
  const fs = files('a');
  const held = new HeldFiles(fs, 10);
  held.hold(['/d/a']);
  const first = held.fs.open('/d/a', 'read');
  const second = held.fs.open('/d/a', 'read');
  held.keepOnly(new Set());
  expect(held.size).toBe(1);
  first.close();
  first.close();
  expect(second.read(new Uint8Array(1), 0, 1, 0)).toBe(1);
  expect(held.size).toBe(1);
  second.close();
  expect(held.size).toBe(0);
  held.hold(['/d/a']);
  held.keepOnly(new Set(['/d/a']));
  expect(held.size).toBe(1);
});

test('no more files are held than there is room for, and those that are gone are missed all the same', () => {
  const fs = files('a', 'b', 'c');
  const held = new HeldFiles(fs, 2);
  held.hold(['/d/a', '/d/b', '/d/c']);
  expect(held.size).toBe(2);
  fs.remove('/d/c');
  expect(codeOf(() => held.hold(['/d/a', '/d/b', '/d/c']))).toBe('ENOENT');
  expect(codeOf(() => held.hold(['/d/a', '/d/x']))).toBe('ENOENT');
});

test('other failures than a missing file are passed on', () => {
  const fs = new FaultFs(files('a'));
  const held = new HeldFiles(fs, 2);
  fs.add({ kind: 'EIO', operations: ['open'], times: 2 });
  expect(codeOf(() => held.hold(['/d/a']))).toBe('EIO');
  expect(codeOf(() => textOf(held, '/d/a'))).toBe('EIO');
  expect(textOf(held, '/d/a')).toBe('a');
});
