/** Every TypeScript block of README.md and docs is type-checked and run: what the documents show is what happens. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { format } from 'node:util';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { toolPath } from '../scripts/build.mjs';
import { documentsOf, type Program, programsOf } from './code-blocks.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const programs = documentsOf(root).flatMap((document) =>
  programsOf(document, readFileSync(join(root, document), 'utf8')),
);

mkdirSync(join(root, '.cache'), { recursive: true });
// Below the root, so that `varve` is found in its node_modules.
const folder = mkdtempSync(join(root, '.cache', 'docs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fileOf = ({ name }: Program): string => `${name.replaceAll(/[/:]/g, '+')}.ts`;
for (const program of programs) writeFileSync(join(folder, fileOf(program)), program.source);

test('the documents have programs, each document with one marks its own lines', () => {
  expect(programs.some(({ document }) => document === 'README.md')).toBe(true);
  const text = '# Title\n\n```ts\nlet a = 1;\n```\n\ntext\n\n```ts continued\na++; // prints 2\n```\n';
  const [program] = programsOf('x.md', text);
  expect(program).toMatchObject({ name: 'x.md:4', runs: true, prints: ['2'] });
  expect(program!.source.split('\n')[9]).toBe('a++; // prints 2');
});

test('every block has the types that it needs', () => {
  const config = {
    extends: '../../tsconfig.base.json',
    compilerOptions: {
      noEmit: true,
      composite: false,
      declaration: false,
      declarationMap: false,
      isolatedDeclarations: false,
      rewriteRelativeImportExtensions: false,
      allowImportingTsExtensions: true,
      customConditions: ['varve-source'],
      noUnusedLocals: false,
      noUnusedParameters: false,
    },
    include: ['*.ts'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const { stdout, error } = spawnSync('tsc', ['-p', '.', '--pretty', 'false'], {
    cwd: folder,
    encoding: 'utf8',
    shell: process.platform === 'win32',
    env: { ...process.env, PATH: toolPath },
  });
  expect(error).toBeUndefined();
  const problems = stdout.split('\n').flatMap((line) => {
    const found = /^([^(/]+)\((\d+),\d+\): (.*)$/.exec(line);
    const program = programs.find((each) => fileOf(each) === found?.[1]);
    return program === undefined ? [] : [`${program.document}:${found![2]}: ${found![3]}`];
  });
  expect(problems).toEqual([]);
});

describe('every block runs', () => {
  for (const program of programs.filter(({ runs }) => runs)) {
    test(`${program.name}`, async () => {
      const before = process.cwd();
      const directory = mkdtempSync(join(tmpdir(), 'varve-docs-'));
      const printed: string[] = [];
      const log = vi.spyOn(console, 'log').mockImplementation((...values: unknown[]) => {
        printed.push(...format(...values).split('\n'));
      });
      process.chdir(directory);
      try {
        await import(/* @vite-ignore */ pathToFileURL(join(folder, fileOf(program))).href);
      } finally {
        process.chdir(before);
        log.mockRestore();
        rmSync(directory, { recursive: true, force: true });
      }
      let from = 0;
      for (const line of program.prints) {
        const at = printed.indexOf(line, from);
        expect(
          at,
          `${program.document} says it prints "${line}"; it printed:\n${printed.join('\n')}`,
        ).not.toBe(-1);
        from = at + 1;
      }
    });
  }
});
