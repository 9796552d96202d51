/**
 * Checks the documents: every relative link in a Markdown file leads to a file, every #anchor to a heading, and the generated
 * reference is current. What the documents say about code is tested by docs/*.test.ts.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { settingsPage, settingsPath } from './docs-reference.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

function* documents(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!/^(node_modules|dist|coverage|data|\.(?!github).*)$/.test(entry.name)) yield* documents(path);
    } else if (entry.name.endsWith('.md')) {
      yield path;
    }
  }
}

/** Text outside of code, where links are links; line breaks stay. */
const prose = (text) =>
  text.replace(/^(```|~~~)[\s\S]*?^\1[^\n]*$|`[^`\n]*`/gm, (code) => code.replace(/[^\n]/g, ' '));

/** The anchors of a document, made of its headings as the usual renderers do. */
function anchors(path) {
  const headings = readFileSync(path, 'utf8').matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm);
  return new Set(
    Array.from(headings, ([, title]) =>
      title
        .toLowerCase()
        .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    ),
  );
}

let files = 0;
let broken = 0;
for (const path of documents(root)) {
  files++;
  const text = prose(readFileSync(path, 'utf8'));
  for (const match of text.matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)) {
    const [target, anchor] = match[1].split('#');
    if (/^[a-z]+:/.test(match[1])) continue;
    const file = target === '' ? path : join(dirname(path), decodeURI(target));
    const isDocument = file.endsWith('.md') && existsSync(file) && statSync(file).isFile();
    if (existsSync(file) && !(anchor && isDocument && !anchors(file).has(anchor))) continue;
    broken++;
    const line = text.slice(0, match.index).split('\n').length;
    console.error(`${relative(root, path)}:${line}: the link ${match[1]} leads nowhere`);
  }
}
const isCurrent = existsSync(settingsPath) && readFileSync(settingsPath, 'utf8') === (await settingsPage());
if (!isCurrent) console.error('docs/reference/settings.md is old: run node scripts/docs-reference.mjs');
console.log(`docs: ${files} documents, ${broken} broken links`);
process.exitCode = broken > 0 || !isCurrent ? 1 : 0;
