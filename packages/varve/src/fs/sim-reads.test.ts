/** Direct and mapped reads of the simulated disk: as strict as real ones, and right through the handles that use them. */
import { describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { readFile, readFully } from './file-system.ts';
import { pageAlignedMemory } from './page-aligned-memory.ts';
import { put } from './sim-fs.suite.ts';
import { SimFs } from './sim-fs.ts';
import { SimulatedCrash } from './sim-power.ts';
import { readWarnings, withReads } from './table-reads.ts';

const refused = expect.objectContaining({ context: expect.objectContaining({ system: 'EINVAL' }) });

function diskWith(content: Uint8Array): SimFs {
  const fs = new SimFs();
  fs.makeDirectory('/db');
  put(fs, '/db/MANIFEST-000001', content);
  return fs;
}

const path = '/db/MANIFEST-000001';
const random = new Random(5);
const content = new Uint8Array(20_000).map(() => random.below(256));

test.each(['direct', 'mmap'] as const)('any stretch read by %s is what was written there', (mode) => {
  const file = withReads(diskWith(content), mode).open(path, 'read');
  for (let round = 0; round < 500; round++) {
    const position = random.below(20_100);
    const length = random.below(random.pick([10, 5000, 21_000]));
    const target = new Uint8Array(length + 10);
    const offset = random.below(10);
    const got = readFully(file, target, offset, length, position);
    expect(got).toBe(Math.max(0, Math.min(length, content.length - position)));
    expect(target.subarray(offset, offset + got)).toEqual(content.subarray(position, position + got));
  }
});

describe('a direct read', () => {
  test('is refused when position, length or memory is not aligned', () => {
    const file = diskWith(content).otherReads.openDirect(path);
    const memory = pageAlignedMemory(8192);
    expect(() => file.read(memory, 0, 4096, 512)).toThrow(refused);
    expect(() => file.read(memory, 0, 100, 4096)).toThrow(refused);
    expect(() => file.read(memory, 8, 4096, 4096)).toThrow(refused);
    expect(() => file.read(memory.subarray(1), 0, 4096, 4096)).toThrow(refused);
    expect(file.read(memory, 4096, 4096, 4096)).toBe(4096);
    expect(memory.subarray(4096, 8192)).toEqual(content.subarray(4096, 8192));
  });

  test('is short at the end of the file alone', () => {
    const file = diskWith(content).otherReads.openDirect(path);
    expect(file.read(pageAlignedMemory(8192), 0, 8192, 16_384)).toBe(20_000 - 16_384);
    expect(file.read(pageAlignedMemory(4096), 0, 4096, 20_480)).toBe(0);
  });

  test.each(['open', 'read'] as const)('that is refused at %s becomes a plain one, and is told', (when) => {
    const fs = diskWith(content);
    expect(readWarnings(fs, 'direct', '/db')).toEqual([]);
    fs.otherReads.directRefusal = when;
    expect(readFile(withReads(fs, 'direct'), path)).toEqual(content);
    expect(readWarnings(fs, 'direct', '/db')).toEqual([expect.stringContaining('refuses direct reads')]);
    expect(readWarnings(fs, 'mmap', '/db')).toEqual([]);
  });
});

describe('a mapping', () => {
  test('is a picture of the file as it was, and nothing once it is unmapped', () => {
    const fs = diskWith(content);
    const { mapping } = fs.otherReads.mapper()(path);
    put(fs, path, new Uint8Array(100));
    expect(mapping!.view).toEqual(content);
    mapping!.unmap();
    expect(() => mapping!.view.subarray(0, 10)).toThrow(TypeError);
  });

  test('of an empty file there is none', () => {
    expect(diskWith(new Uint8Array(0)).otherReads.mapper()(path).mapping).toBeUndefined();
  });
});

test('nothing is opened when the machine is off', () => {
  const fs = diskWith(content);
  const open = fs.otherReads.mapper();
  const file = fs.otherReads.openDirect(path);
  fs.stop();
  expect(() => open(path)).toThrow(SimulatedCrash);
  expect(() => fs.otherReads.openDirect(path)).toThrow(SimulatedCrash);
  expect(() => file.read(pageAlignedMemory(4096), 0, 4096, 0)).toThrow(SimulatedCrash);
});
