/** Each house rule finds what it forbids, and leaves alone what only looks like it. */
import { expect, test } from 'vitest';
import { findings } from './rules.mjs';

const source = 'packages/varve/src/wal/writer.ts';
const unit = 'packages/varve/src/wal/writer.test.ts';
const header = '/** Header. */\n';

function lines(path: string, text: string): number[] {
  return findings(path, text).map((finding: { line: number }) => finding.line);
}

test('a source without a header is found, a test needs none', () => {
  expect(lines(source, 'export const a = 1;\n')).toEqual([1]);
  expect(lines(source, `#!/usr/bin/env node\n${header}`)).toEqual([]);
  expect(lines(unit, 'export const a = 1;\n')).toEqual([]);
});

test('a file of 401 lines is found unless it is named with a reason', () => {
  const text = header + '\n'.repeat(400);
  expect(lines(source, header + '\n'.repeat(399))).toEqual([]);
  expect(lines(source, text)).toEqual([401]);
  expect(findings(source, text, { [source]: 'one table' })).toEqual([]);
});

test('a relative import of a .js file is found', () => {
  expect(lines(source, `${header}import { a } from './a.js';\nawait import('../b.js');\n`)).toEqual([2, 3]);
  expect(lines(source, `${header}import { a } from './a.ts';\nimport b from 'b/c.js';\n`)).toEqual([]);
});

test('export * is found', () => {
  expect(lines(source, `${header}export * from './a.ts';\nexport type * from './a.ts';\n`)).toEqual([2, 3]);
});

test('any and @ts-ignore are found, in code and not in prose', () => {
  expect(lines(source, `${header}f(x as any);\n// @ts-ignore\nf(y);\n`)).toEqual([2, 3]);
  expect(lines(source, `${header}// as any reader knows\nconst url = 'http://as any';\n`)).toEqual([3]);
});

test('a test that sleeps, or is switched off, is found', () => {
  expect(
    lines(unit, 'await new Promise((r) => setTimeout(r, 10));\ntest.skip("a");\nit.only("b");\n'),
  ).toEqual([1, 2, 3]);
  expect(lines(source, `${header}setTimeout(f, 10);\n`)).toEqual([]);
});
