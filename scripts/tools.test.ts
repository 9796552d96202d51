/** The parts of the tool chain that would fail silently: lockfile, published manifest, stale outputs. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { removeStale } from './build.mjs';
import { completeLock } from './complete-lockfile.mjs';
import { cleanManifest } from './pack.mjs';

test('an optional dependency without a lock entry gets one, with its platform', () => {
  const tool = { version: '1.0.0', dev: true, optionalDependencies: { '@tool/linux-arm64-musl': '1.0.0' } };
  const lock = { packages: { 'node_modules/tool': tool } };
  expect(completeLock(lock)).toEqual(['@tool/linux-arm64-musl']);
  expect(lock.packages).toEqual({
    'node_modules/@tool/linux-arm64-musl': {
      version: '1.0.0',
      cpu: ['arm64'],
      dev: true,
      libc: ['musl'],
      optional: true,
      os: ['linux'],
    },
    'node_modules/tool': tool,
  });
  expect(completeLock(lock)).toEqual([]);
});

test('the published manifest names no sources', () => {
  const exports = {
    '.': { 'varve-source': './src/index.ts', default: './dist/index.js' },
    './internals': { 'varve-source': './src/internals.ts' },
  };
  expect(cleanManifest({ name: 'varve', scripts: {}, devDependencies: {}, exports })).toEqual({
    name: 'varve',
    exports: { '.': { default: './dist/index.js' } },
  });
});

test('outputs without a source are removed, others stay', () => {
  const root = mkdtempSync(join(tmpdir(), 'varve-stale-'));
  try {
    for (const folder of ['src', 'dist/gone']) mkdirSync(join(root, folder), { recursive: true });
    for (const file of ['src/a.ts', 'dist/a.js', 'dist/a.d.ts.map', 'dist/b.js', 'dist/gone/c.d.ts']) {
      writeFileSync(join(root, file), '');
    }
    removeStale(join(root, 'src'), join(root, 'dist'));
    expect(
      ['a.js', 'a.d.ts.map', 'b.js', 'gone'].filter((name) => existsSync(join(root, 'dist', name))),
    ).toEqual(['a.js', 'a.d.ts.map']);
  } finally {
    rmSync(root, { recursive: true });
  }
});
