import { expect, test } from 'vitest';
import { VarveError } from '../base/errors.ts';
import { formatOptions, parseOptions } from './persist.ts';
import { resolveDatabaseOptions, resolveKeyspaceSettings } from './resolve.ts';

const options = resolveDatabaseOptions({
  memoryBytesMax: 512 * 1024 * 1024,
  sync: 'everyWrite',
  readOnly: true,
});
const odd = resolveKeyspaceSettings({ filterBitsPerKey: [12, 0] }, options.keyspaceDefaults);
const text = formatOptions(
  options,
  new Map([
    ['users', options.keyspaceDefaults],
    ['od"d\n] é', odd],
  ]),
);

test('what is written is read back', () => {
  const stored = parseOptions(text, 'OPTIONS-1');
  expect(stored.database['memoryBytesMax']).toBe(536870912);
  expect(stored.database['sync']).toBe('everyWrite');
  expect([...stored.keyspaces.keys()]).toEqual(['users', 'od"d\n] é']);
  expect(resolveKeyspaceSettings(stored.keyspaces.get('od"d\n] é'), options.keyspaceDefaults)).toEqual({
    ...odd,
    isMemtableGiven: true,
  });
});

test('components and the ways to open are not written', () => {
  const stored = parseOptions(text, 'OPTIONS-1');
  for (const name of ['readOnly', 'createIfMissing', 'recovery', 'clock', 'fileSystem', 'keyspaceDefaults']) {
    expect(stored.database).not.toHaveProperty(name);
  }
});

test('a line reads as name = value after its documentation', () => {
  expect(text).toContain('\nmemtableBytesMax = 67108864\n');
  expect(text).toContain(
    '# bytes, default 64 MiB, at most half of memoryBytesMax, to begin with. Memory of the memtables',
  );
});

test.each([
  ['', 1],
  ['# Varve options, format one', 1],
  ['# Varve options, format 1\nworkers = 1', 2],
  ['# Varve options, format 1\n[database]\nworkers: 1', 3],
  ['# Varve options, format 1\n[database]\nworkers = {', 3],
  ['# Varve options, format 1\n[keyspace "a" "b"]', 2],
])('the damaged text %j is corruption with its line', (damaged, line) => {
  expect(() => parseOptions(damaged, 'OPTIONS-7')).toThrow(
    expect.objectContaining({ kind: 'corruption', context: { file: 'OPTIONS-7', line } }),
  );
});

test('a later format is refused by its number', () => {
  try {
    parseOptions('# Varve options, format 2\nwhatever', 'OPTIONS-7');
    expect.unreachable();
  } catch (error) {
    expect((error as VarveError).code).toBe('UNSUPPORTED_VERSION');
    expect((error as VarveError).context['got']).toBe(2);
  }
});
