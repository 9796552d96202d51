/** The layer rules see the sources, and planted violations fail. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkLayers } from './layers.mjs';

let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'varve-layers-'));
  const manifest = { name: 'varve', type: 'module', exports: { '.': { 'varve-source': './src/index.ts' } } };
  plant('packages/varve/package.json', JSON.stringify(manifest));
  plant('packages/varve/src/index.ts', "export { open } from './engine/open.ts';\n");
  plant('packages/varve/src/base/bytes.ts', 'export type Bytes = Uint8Array;\n');
  plant('packages/varve/src/engine/open.ts', "import '../base/bytes.ts';\nexport const open = 1;\n");
});

afterEach(() => rmSync(root, { recursive: true }));

function plant(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

/** The names of the broken rules, after `text` was planted at `path`. */
async function brokenBy(path: string, text: string, exposed = {}): Promise<string[]> {
  plant(path, text);
  const { violations } = await checkLayers(root, exposed);
  return violations.map((line: string) => /\n {2}([^:]+):/.exec(line)?.[1] ?? line);
}

test('the sources of this repository are seen', async () => {
  const { modules } = await checkLayers(join(import.meta.dirname, '..'));
  expect(modules).toBeGreaterThan(0);
});

test('a tree that keeps the rules passes', async () => {
  expect((await checkLayers(root, {})).modules).toBe(3);
  expect((await checkLayers(root, {})).violations).toEqual([]);
});

test('an import from a floor above fails, also when it is only a type', async () => {
  const text = "import type { Bytes } from '../memtable/tree.ts';\nexport type X = Bytes;\n";
  plant('packages/varve/src/memtable/tree.ts', "export type { Bytes } from '../base/bytes.ts';\n");
  expect(await brokenBy('packages/varve/src/cache/block.ts', text)).toEqual(['floor-2-cache']);
});

test('an import from the same floor fails', async () => {
  plant('packages/varve/src/wal/writer.ts', 'export const writer = 1;\n');
  expect(await brokenBy('packages/varve/src/sstable/a.ts', "import '../wal/writer.ts';\n")).toEqual([
    'floor-3-sstable',
  ]);
});

test('node in base fails', async () => {
  const broken = await brokenBy('packages/varve/src/base/file.ts', "import 'node:fs';\n");
  expect(broken).toEqual(['base-without-node']);
});

test('a picker that reads tables fails', async () => {
  plant('packages/varve/src/sstable/reader.ts', 'export const reader = 1;\n');
  const broken = await brokenBy(
    'packages/varve/src/compaction/picker.ts',
    "import '../sstable/reader.ts';\n",
  );
  expect(broken).toEqual(['pure-pickers']);
});

test('a private file of another folder fails', async () => {
  plant('packages/varve/src/wal/inner.ts', 'export const inner = 1;\n');
  const broken = await brokenBy('packages/varve/src/engine/x.ts', "import '../wal/inner.ts';\n", {
    wal: ['writer.ts'],
  });
  expect(broken).toEqual(['private-file-of-wal']);
});

test('a folder without a floor fails', async () => {
  plant('packages/varve/src/misc/a.ts', 'export const a = 1;\n');
  const broken = await brokenBy('packages/varve/src/index.ts', "import './misc/a.ts';\n");
  expect(broken).toEqual(['folder-without-a-floor']);
});

test('another package is reached by its entry only', async () => {
  mkdirSync(join(root, 'node_modules'));
  symlinkSync(join(root, 'packages/varve'), join(root, 'node_modules/varve'));
  expect(await brokenBy('packages/cli/src/a.ts', "import { open } from 'varve';\nopen;\n")).toEqual([]);
  const deep = "import '../../varve/src/engine/open.ts';\n";
  expect((await brokenBy('packages/cli/src/b.ts', deep)).sort()).toEqual([
    'package-by-name',
    'package-entry-only',
  ]);
  rmSync(join(root, 'packages/cli/src/b.ts'));
  const relative = "import '../../varve/src/index.ts';\n";
  expect(await brokenBy('packages/cli/src/c.ts', relative)).toEqual(['package-by-name']);
});

test('a cycle fails', async () => {
  plant('packages/varve/src/base/a.ts', "import './b.ts';\n");
  expect(await brokenBy('packages/varve/src/base/b.ts', "import './a.ts';\n")).toContain('no-cycle');
});
