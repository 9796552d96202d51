/** The documents name code that is there; the two paths take at most six hops; every figure has its command. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { settingsPage } from '../scripts/docs-reference.mjs';
import { documentsOf } from './code-blocks.ts';
import { declares, mentionsIn, numberedLists } from './symbols.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const hopsMax = 6;

describe.each(['docs/internals/write-path.md', 'docs/internals/read-path.md'])('%s', (document) => {
  const lists = numberedLists(read(document));

  test('takes at most six hops', () => {
    expect(lists.length).toBeGreaterThan(0);
    expect(lists.filter((hops) => hops.length > hopsMax)).toEqual([]);
  });

  test('names a file and a symbol at the start of each hop', () => {
    const nameless = lists.flat().filter((hop) => {
      const [first] = mentionsIn(hop);
      return first?.symbol === undefined || !hop.replace(/^\d+\. /, '').startsWith(`\`${first.path}\``);
    });
    expect(nameless).toEqual([]);
  });
});

test('every source file and symbol that a document names is there', () => {
  const missing: string[] = [];
  for (const document of [...documentsOf(root), 'CONTRIBUTING.md']) {
    for (const { line, path, symbol } of mentionsIn(read(document))) {
      if (!existsSync(join(root, path))) missing.push(`${document}:${line}: there is no ${path}`);
      else if (symbol !== undefined && !declares(read(path), symbol)) {
        missing.push(`${document}:${line}: ${path} declares no ${symbol}`);
      }
    }
  }
  expect(missing).toEqual([]);
});

test('a symbol that disappears is noticed', () => {
  const source =
    'export class Tree {\n  get(key: number): void {}\n  static #of<T>(x: T): T {}\n}\nfunction pointGet() {}\n';
  expect(declares(source, 'Tree.get')).toBe(true);
  expect(declares(source, 'Tree.of')).toBe(true);
  expect(declares(source, 'pointGet')).toBe(true);
  expect(declares(source, 'Tree.pointGet')).toBe(false);
  expect(declares(source, 'Tree.ge')).toBe(false);
  expect(declares(source, 'Tre')).toBe(false);
});

test('a list with seven hops is seen as one list', () => {
  const list = Array.from({ length: 7 }, (_, i) => `${i + 1}. hop\n   that goes on`).join('\n');
  expect(numberedLists(`text\n\n${list}\n\ntext\n\n1. other\n`).map((hops) => hops.length)).toEqual([7, 1]);
});

test('every figure in performance.md has a command that exists', () => {
  const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: object }).scripts);
  const rows = read('docs/internals/performance.md')
    .split('\n')
    .filter((line) => line.startsWith('|'));
  const isRule = (row: string): boolean => /^\|[-|: ]+\|$/.test(row);
  let command = -1;
  let figures = 0;
  for (const [at, row] of rows.entries()) {
    const cells = row.split('|').map((cell) => cell.trim());
    if (isRule(rows[at + 1] ?? '')) command = cells.indexOf('command');
    else if (!isRule(row)) {
      figures++;
      const run = /^`npm (?:run )?([\w:]+)/.exec(cells[command] ?? '');
      expect(scripts, `no command of package.json in: ${row}`).toContain(run?.[1]);
    }
  }
  expect(figures).toBeGreaterThan(0);
});

test('the page of settings is the one that the declarations give', async () => {
  const page = await settingsPage();
  expect(read('docs/reference/settings.md'), 'write it anew: node scripts/docs-reference.mjs').toBe(page);
});
