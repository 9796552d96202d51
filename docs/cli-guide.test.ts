/**
 * The `sh` blocks of the guide to the command line run, in order, in one empty directory. A line of plain arguments runs in
 * this process, one with pipes or redirections in a shell. Every command must end with 0, or as `# exit 1` behind it says.
 * Blocks with `no-run` are left alone.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { codeBlocks } from './code-blocks.ts';
import { argumentsOf, commandsOf } from './shell-lines.ts';

interface Outcome {
  readonly code: number;
  readonly stderr: string;
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const sources = join(root, 'packages', 'cli', 'src');
const guide = 'docs/guides/cli.md';
const text = existsSync(join(root, guide)) ? readFileSync(join(root, guide), 'utf8') : '';
const blocks = codeBlocks(text).filter(
  ({ language, flags }) => language === 'sh' && !flags.includes('no-run'),
);

const folder = mkdtempSync(join(tmpdir(), 'varve-guide-'));
const work = join(folder, 'work');
const before = process.cwd();
let cli: (argv: readonly string[]) => Promise<Outcome>;

beforeAll(async () => {
  mkdirSync(work);
  mkdirSync(join(folder, 'bin'));
  const varve = join(folder, 'bin', 'varve');
  const main = join(sources, 'main.ts');
  writeFileSync(varve, `#!/bin/sh\nexec "${process.execPath}" --conditions=varve-source "${main}" "$@"\n`);
  chmodSync(varve, 0o755);
  // By a name that is not known to the compiler: packages/cli has a project of its own.
  const suite = pathToFileURL(join(sources, 'testing.suite.ts')).href;
  ({ cli } = (await import(/* @vite-ignore */ suite)) as { cli: typeof cli });
  process.chdir(work);
});

afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true, force: true });
});

function shell(line: string): Outcome {
  const { status, stderr } = spawnSync('sh', ['-c', line], {
    cwd: work,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${join(folder, 'bin')}${delimiter}${process.env['PATH']}` },
  });
  return { code: status ?? -1, stderr };
}

test('lines of a shell are told apart', () => {
  expect(argumentsOf(`varve put ./data ada '{"name": "Ada"}' --json`)).toEqual([
    'varve',
    'put',
    './data',
    'ada',
    '{"name": "Ada"}',
    '--json',
  ]);
  expect(argumentsOf('varve scan ./data | head')).toBeUndefined();
  expect(argumentsOf('varve export ./data > out')).toBeUndefined();
  expect(commandsOf(['# why', '', 'varve get ./data \\', '  eve # exit 1', 'varve stats'], 7)).toEqual([
    { line: 9, text: 'varve get ./data   eve', code: 1 },
    { line: 11, text: 'varve stats', code: 0 },
  ]);
});

for (const { code, line: first } of blocks) {
  test(`${guide}:${first}`, async () => {
    for (const { line, text: command, code: expected } of commandsOf(code, first)) {
      const argv = argumentsOf(command);
      const outcome = argv?.[0] === 'varve' ? await cli(argv.slice(1)) : shell(command);
      expect(outcome.code, `${guide}:${line}: ${command}\n${outcome.stderr}`).toBe(expected);
    }
  });
}
