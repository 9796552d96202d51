/**
 * House rules that no linter knows. Each finding says where and what to do.
 *
 * Long files that are one idea all the same are named in `longFiles`, each with its reason.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const linesMax = 400;

/** Path -> the reason why this file may have more than 400 lines. */
export const longFiles = {};

const isTest = (path) => /\.(test|suite)\.ts$/.test(path) || /^packages\/[^/]+\/test\//.test(path);
const isSource = (path) => /^packages\/[^/]+\/src\/.*\.ts$/.test(path) && !isTest(path);

/** Rules that look at one line at a time; comments are blanked out before. */
const lineRules = [
  {
    applies: () => true,
    pattern: /(?:from|import)\s*\(?\s*['"]\.{1,2}\/[^'"]*\.js['"]/,
    advice: 'import the .ts file: a .js path fails when the sources run unbuilt',
  },
  {
    applies: () => true,
    pattern: /^\s*export\s+(?:type\s+)?\*/,
    advice: 'no `export *`: name what is exported',
  },
  {
    applies: () => true,
    pattern: /\bas any\b|<any>/,
    advice: 'no `any`: use the real type, or `unknown` and a check',
  },
  {
    applies: isTest,
    pattern: /\bsetTimeout\s*\(|\bsleep\s*\(|node:timers\/promises|\bAtomics\.wait\s*\(/,
    advice: 'a test never sleeps to wait: await the event, or move the clock',
  },
  {
    applies: isTest,
    pattern: /\b(?:test|it|describe|suite|bench)(?:\.\w+)*\.(?:only|skip|todo)\b/,
    advice: 'no `.only`, `.skip` or `.todo`: run every test, or remove it',
  },
];

/** Comments become spaces, so that line numbers stay; strings stay, since import paths are strings. */
function withoutComments(text) {
  const token = /\/\*[\s\S]*?\*\/|(?<![:'"`\\])\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g;
  return text.replace(token, (match) => (match.startsWith('/') ? match.replace(/[^\n]/g, ' ') : match));
}

/** All findings in one file: `path` is relative to the root, with forward slashes. */
export function findings(path, text, allowedLong = longFiles) {
  const found = [];
  const lines = text.split('\n');
  const count = text.endsWith('\n') ? lines.length - 1 : lines.length;
  if (isSource(path) && !/^(#![^\n]*\n)?\/\*\*/.test(text)) {
    found.push({
      line: 1,
      advice: 'begin the file with a /** header: what it is, its place, its invariants, its callers',
    });
  }
  if (count > linesMax && !Object.hasOwn(allowedLong, path)) {
    found.push({
      line: linesMax + 1,
      advice: `${count} lines, at most ${linesMax}: split the two ideas in it`,
    });
  }
  lines.forEach((line, index) => {
    if (/@ts-(?:ignore|nocheck)/.test(line) && /^\s*(?:\/\/|\/?\*)/.test(line)) {
      found.push({
        line: index + 1,
        advice: 'no @ts-ignore: fix the type, or use @ts-expect-error in a test of types',
      });
    }
  });
  withoutComments(text)
    .split('\n')
    .forEach((line, index) => {
      for (const { applies, pattern, advice } of lineRules) {
        if (applies(path) && pattern.test(line)) found.push({ line: index + 1, advice });
      }
    });
  return found.sort((a, b) => a.line - b.line);
}

/** The TypeScript files of the repository, generated and foreign ones left out. */
function* sources(root, folder = root) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!/^(node_modules|dist|coverage|fixtures|\..*)$/.test(entry.name)) yield* sources(root, path);
    } else if (entry.name.endsWith('.ts')) {
      yield relative(root, path).replaceAll(sep, '/');
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..');
  let files = 0;
  let count = 0;
  for (const part of ['packages', 'scripts', 'docs']) {
    for (const path of readdirSync(root).includes(part) ? sources(root, join(root, part)) : []) {
      files++;
      // The tests of these rules quote what they forbid.
      if (path === 'scripts/rules.test.ts') continue;
      for (const { line, advice } of findings(path, readFileSync(join(root, path), 'utf8'))) {
        count++;
        console.error(`${path}:${line}: ${advice}`);
      }
    }
  }
  console.log(`rules: ${files} files, ${count} findings`);
  process.exitCode = count > 0 ? 1 : 0;
}
